package lease

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

const (
	// IDLength is the length of the id of a lease.
	IDLength = 26
	// idTime is the number of bytes of an id that are its time.
	idTime   = 6
	idRandom = 10
)

// idEncoding keeps the order of bytes, and is lower case: ids are in names of
// credentials.
func idEncoding() *base32.Encoding {
	return base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)
}

// NewID draws the id of a lease that is made at a time. Ids of later milliseconds
// sort after those of earlier ones, and 80 bits of each are random: nobody guesses
// the id of another's lease.
func NewID(at time.Time) string {
	b := idPrefix(at)
	_, _ = rand.Read(b[idTime:]) // It never fails.
	return idEncoding().EncodeToString(b)
}

// FirstID is an id that sorts before all that were drawn at this time or later, and
// after all that were drawn in earlier milliseconds.
func FirstID(at time.Time) string { return idEncoding().EncodeToString(idPrefix(at)) }

// IDTime is the time at which an id was drawn, in milliseconds; false if it is no id.
func IDTime(id string) (time.Time, bool) {
	b, err := idEncoding().DecodeString(id)
	// Not every text of this length is one that an id encodes to: two bits are spare.
	if err != nil || len(b) != idTime+idRandom || idEncoding().EncodeToString(b) != id {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(append([]byte{0, 0}, b[:idTime]...)))).UTC(), true
}

func idPrefix(at time.Time) []byte {
	b := make([]byte, 2+idTime+idRandom)
	binary.BigEndian.PutUint64(b, uint64(max(at.UnixMilli(), 0)))
	return b[2:]
}
