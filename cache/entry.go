package cache

import (
	"encoding/binary"
	"math"
	"time"
)

// MaxBodyBytes is the length of the longest body that is stored.
const MaxBodyBytes = 16 << 20

// Life is how long an entry may be used after it was stored, in the terms of RFC
// 9111 and RFC 5861. No part is negative.
type Life struct {
	// Fresh is the freshness lifetime. It must be positive.
	Fresh time.Duration
	// Stale is how long after Fresh the entry may be served while a new response
	// is being fetched (stale-while-revalidate).
	Stale time.Duration
	// StaleIfError is how long after Fresh the entry may be served if a fetch fails
	// (stale-if-error).
	StaleIfError time.Duration
}

// Total is how long an entry is stored: after it the entry has no use.
func (l Life) Total() time.Duration {
	after := max(l.Stale, l.StaleIfError)
	if l.Fresh > math.MaxInt64-after {
		return math.MaxInt64
	}
	return l.Fresh + after
}

// Entry is a stored response.
type Entry struct {
	// Forms is the response. It is never nil in an entry of a store.
	Forms *Forms
	// StoredAt is the time at which the fetch of the response began: the response
	// may predate anything that happened later.
	StoredAt time.Time
	// Life counts from StoredAt.
	Life Life
}

// Body returns the origin of the response, and nil where there is none or it is damaged.
func (e Entry) Body() []byte {
	if e.Forms == nil {
		return nil
	}
	body, err := e.Forms.Origin()
	if err != nil {
		return nil
	}
	return body
}

// Size is the length of the origin, in bytes.
func (e Entry) Size() int { return e.Forms.originSize() }

// Age is the age of the entry at now, and zero if StoredAt is in the future, by the
// clock of another replica.
func (e Entry) Age(now time.Time) time.Duration { return max(0, now.Sub(e.StoredAt)) }

// Fresh reports whether the entry is fresh.
func (e Entry) Fresh(now time.Time) bool { return e.Age(now) < e.Life.Fresh }

// StaleWhileRevalidate reports whether the entry may be served while a new response
// is being fetched. A fresh entry may.
func (e Entry) StaleWhileRevalidate(now time.Time) bool {
	return e.Age(now)-e.Life.Fresh < e.Life.Stale || e.Fresh(now)
}

// StaleIfError reports whether the entry may be served if a fetch fails. A fresh
// entry may.
func (e Entry) StaleIfError(now time.Time) bool {
	return e.Age(now)-e.Life.Fresh < e.Life.StaleIfError || e.Fresh(now)
}

// remaining is the rest of the life of the entry, after which Redis expires it. It
// is not positive when the life is over.
func (e Entry) remaining(now time.Time) time.Duration { return e.Life.Total() - e.Age(now) }

func (e Entry) validate() error {
	if e.Forms == nil {
		return errNoForms
	}
	if e.Forms.isTooLarge() {
		return ErrTooLarge
	}
	if e.StoredAt.IsZero() || e.Life.Fresh <= 0 || e.Life.Stale < 0 || e.Life.StaleIfError < 0 {
		return errLife
	}
	return nil
}

// validateSave checks the arguments of Save, for every store.
func validateSave(key Key, e Entry, at Snapshot) error {
	if err := key.Validate(); err != nil {
		return err
	}
	if err := at.tags.validate(); err != nil {
		return err
	}
	if at.tags.org != key.Org {
		return errOtherOrg
	}
	return e.validate()
}

// validateLoad checks the arguments of Load, for every store.
func validateLoad(key Key, tags Tags) error {
	if err := key.Validate(); err != nil {
		return err
	}
	if err := tags.validate(); err != nil {
		return err
	}
	if tags.org != key.Org {
		return errOtherOrg
	}
	return nil
}

// encodingVersion is the first byte of an encoded entry. A build that changes the
// encoding, or the meaning of a body, changes it; entries of other versions are
// misses.
const encodingVersion = 1

// encodeEntry encodes an entry, the snapshot of its fetch and its whole key.
func encodeEntry(key Key, e Entry, at Snapshot) []byte {
	body := e.Body()
	b := make([]byte, 0, 1+5*8+2+10*len(at.generations)+3*binary.MaxVarintLen32+
		len(key.Org)+len(key.Canonical)+len(body))
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
	for _, part := range []string{key.Org, key.Canonical} {
		b = binary.AppendUvarint(b, uint64(len(part)))
		b = append(b, part...)
	}
	b = binary.AppendUvarint(b, uint64(len(body)))
	return append(b, body...)
}

// decodeEntry reads what encodeEntry wrote for key. The entry's body is part of
// data. The error is errVersion, errMalformed, or errWrongKey if the entry was
// saved under another key.
func decodeEntry(data []byte, key Key) (Entry, Snapshot, error) {
	r := reader{rest: data}
	if version := r.take(1); version == nil {
		return Entry{}, Snapshot{}, errMalformed
	} else if version[0] != encodingVersion {
		return Entry{}, Snapshot{}, errVersion
	}
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
	e.Forms = NewForms(r.part())
	if r.failed || len(r.rest) != 0 || e.validate() != nil {
		return Entry{}, Snapshot{}, errMalformed
	}
	if string(org) != key.Org || string(canonical) != key.Canonical {
		return Entry{}, Snapshot{}, errWrongKey
	}
	at.tags.org = key.Org
	return e, at, nil
}

// reader reads an encoded entry. After the first missing byte it has failed, and
// returns zeros.
type reader struct {
	rest   []byte
	failed bool
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

func (r *reader) part() []byte {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 {
		r.failed = true
		return nil
	}
	r.rest = r.rest[size:]
	return r.take(n)
}
