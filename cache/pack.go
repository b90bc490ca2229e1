package cache

import (
	"bytes"

	"github.com/klauspost/compress/s2"
)

// A packed origin begins with a byte that says how.
const (
	packedPlain = 0 // as it is: compressed it would hardly be smaller
	packedS2    = 1 // a block of S2
)

// pack makes an origin small, at the speed of a copy: JSON of 2 KB takes a
// microsecond and becomes 0.8 KB.
func pack(origin []byte) []byte {
	room := make([]byte, 1+max(s2.MaxEncodedLen(len(origin)), len(origin)))
	room[0] = packedS2
	packed := room[:1+len(s2.Encode(room[1:], origin))]
	if len(packed) > len(origin)-len(origin)/8 {
		packed = append(append(room[:0], packedPlain), origin...)
	}
	return bytes.Clone(packed)
}

// unpack is the reverse of pack. Its error is errMalformed: what was packed elsewhere
// may be anything.
func unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, errMalformed
	}
	switch packed[0] {
	case packedPlain:
		return packed[1:], nil
	case packedS2:
		if unpackedSize(packed) > MaxBodyBytes {
			return nil, errMalformed
		}
		origin, err := s2.Decode(nil, packed[1:])
		if err != nil {
			return nil, errMalformed
		}
		return origin, nil
	default:
		return nil, errMalformed
	}
}

// isPacked reports whether unpack knows how to unpack: it may still find damage.
func isPacked(packed []byte) bool {
	return len(packed) > 0 && (packed[0] == packedPlain || packed[0] == packedS2) &&
		unpackedSize(packed) <= MaxBodyBytes && (packed[0] == packedPlain || unpackedSize(packed) > 0)
}

// unpackedSize is the length of what unpack returns, without unpacking it; zero for
// what it refuses.
func unpackedSize(packed []byte) int {
	if len(packed) == 0 {
		return 0
	}
	if packed[0] == packedPlain {
		return len(packed) - 1
	}
	size, err := s2.DecodedLen(packed[1:])
	if err != nil {
		return 0
	}
	return size
}

// allocated is the memory that an allocation of n bytes takes. The allocator rounds up
// to its next class; these lie between an eighth and a sixteenth of a power of two
// apart, and this is near to the mean.
func allocated(n int) int { return n + n/16 }
