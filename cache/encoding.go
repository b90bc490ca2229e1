package cache

import (
	"bytes"
	"encoding/binary"
	"time"

	"github.com/cespare/xxhash/v2"
)

// encodingVersion is the first byte of an encoded entry. A build that changes the
// encoding, or the meaning of an origin, changes it; entries of other versions are
// misses.
const encodingVersion = 2

// checksumBytes is the length of the checksum at the end of an encoded entry. It finds
// damage, which the origin, packed, would not show before somebody asks for it. It is no
// protection from those who may write to Redis: that is [Sealed].
const checksumBytes = 8

// encodeEntry encodes an entry, the snapshot of its fetch and its whole key.
func encodeEntry(key Key, e Entry, at Snapshot) []byte {
	b := make([]byte, 0, 1+5*8+2+10*len(at.generations)+2*binary.MaxVarintLen32+
		len(key.Org)+len(key.Canonical)+e.Forms.encodedSize()+checksumBytes)
	b = append(b, encodingVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(e.StoredAt.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Life.Fresh))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Life.Stale))
	b = binary.BigEndian.AppendUint64(b, uint64(e.Life.StaleIfError))
	b = binary.BigEndian.AppendUint64(b, at.epoch)
	b = binary.BigEndian.AppendUint16(b, uint16(len(at.generations)))
	for i, generation := range at.generations {
		b = binary.BigEndian.AppendUint16(b, uint16(at.tags.slots[i]))
		b = binary.BigEndian.AppendUint64(b, generation)
	}
	b = appendPart(b, key.Org)
	b = appendPart(b, key.Canonical)
	b = e.Forms.appendTo(b)
	return binary.BigEndian.AppendUint64(b, xxhash.Sum64(b))
}

// decodeEntry reads what encodeEntry wrote for key, and retains nothing of data. The
// error is errVersion, errMalformed, or errWrongKey if the entry was saved under
// another key.
func decodeEntry(data []byte, key Key) (Entry, Snapshot, error) {
	if len(data) == 0 {
		return Entry{}, Snapshot{}, errMalformed
	}
	if data[0] != encodingVersion {
		return Entry{}, Snapshot{}, errVersion
	}
	end := len(data) - checksumBytes
	if end < 1 || binary.BigEndian.Uint64(data[end:]) != xxhash.Sum64(data[:end]) {
		return Entry{}, Snapshot{}, errMalformed
	}
	r := reader{rest: data[1:end]}
	e := Entry{
		StoredAt: time.Unix(0, int64(r.uint64())),
		Life: Life{
			Fresh:        time.Duration(r.uint64()),
			Stale:        time.Duration(r.uint64()),
			StaleIfError: time.Duration(r.uint64()),
		},
	}
	at := Snapshot{epoch: r.uint64()}
	count := int(r.uint16())
	if count == 0 || count > Slots || count*10 > len(r.rest) {
		return Entry{}, Snapshot{}, errMalformed
	}
	at.tags.slots = make([]Slot, count)
	at.generations = make([]uint64, count)
	for i := range count {
		at.tags.slots[i] = Slot(r.uint16())
		at.generations[i] = r.uint64()
		if at.tags.slots[i] >= Slots || (i > 0 && at.tags.slots[i] <= at.tags.slots[i-1]) {
			return Entry{}, Snapshot{}, errMalformed
		}
	}
	org, canonical := r.part(), r.part()
	var ok bool
	if e.Forms, ok = r.forms(); !ok || len(r.rest) != 0 || e.validate() != nil {
		return Entry{}, Snapshot{}, errMalformed
	}
	if string(org) != key.Org || string(canonical) != key.Canonical {
		return Entry{}, Snapshot{}, errWrongKey
	}
	at.tags.org = key.Org
	return e, at, nil
}

// encodedSize is at least the number of bytes that appendTo appends.
func (f *Forms) encodedSize() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	size := 4*binary.MaxVarintLen32 + len(f.packOrigin()) + len(f.way)
	if converted := f.held[Converted].Load(); converted != nil {
		size += len(*converted)
	}
	for _, note := range f.notes {
		size += binary.MaxVarintLen32 + len(note)
	}
	return size
}

// appendTo appends the forms for a shared store: the origin, packed, and what it was
// converted to, where it is known in which way.
func (f *Forms) appendTo(b []byte) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	b = appendPart(b, f.packOrigin())
	converted := f.held[Converted].Load()
	if converted == nil {
		b = appendPart(b, "")
	} else if b = appendPart(b, f.way); f.way != "" {
		b = appendPart(b, *converted)
	}
	b = binary.AppendUvarint(b, uint64(len(f.notes)))
	for _, note := range f.notes {
		b = appendPart(b, note)
	}
	return b
}

// decodeForms reads what appendTo wrote, and nothing else.
func decodeForms(data []byte) (*Forms, bool) {
	r := reader{rest: data}
	f, ok := r.forms()
	return f, ok && len(r.rest) == 0
}

func appendPart[T string | []byte](b []byte, part T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// reader reads an encoded entry. After the first missing byte it has failed, and
// returns zeros.
type reader struct {
	rest   []byte
	failed bool
}

// forms reads what appendTo wrote, and copies it.
func (r *reader) forms() (*Forms, bool) {
	f := &Forms{packed: bytes.Clone(r.part()), way: string(r.part())}
	if f.way != "" {
		converted := bytes.Clone(r.part())
		f.held[Converted].Store(&converted)
	}
	count := r.uvarint()
	if count > uint64(len(r.rest)) { // Each takes a byte at least.
		return nil, false
	}
	for range count {
		f.notes = append(f.notes, string(r.part()))
	}
	return f, !r.failed && isPacked(f.packed)
}

func (r *reader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.rest)) {
		r.failed = true
		return nil
	}
	taken := r.rest[:n:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	n, size := binary.Uvarint(r.rest)
	if r.failed || size <= 0 {
		r.failed = true
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) part() []byte { return r.take(r.uvarint()) }
