package cache

import (
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
