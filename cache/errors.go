package cache

import "errors"

var (
	// ErrWriting is the error of Snapshot while a write to one of the tags is open:
	// a response that is fetched now must not be stored.
	ErrWriting = errors.New("cache: a write is in progress")
	// ErrInvalidated is the error of Save when a tag was written or purged since
	// the snapshot, or is being written: the entry was not stored.
	ErrInvalidated = errors.New("cache: invalidated since the snapshot")
	// ErrUnavailable is the error of a store that cannot be reached, or that is not
	// called because it has just failed several times.
	ErrUnavailable = errors.New("cache: store unavailable")
	// ErrTooLarge is the error of Save for an entry or a key above the limit.
	ErrTooLarge = errors.New("cache: too large")
	// ErrNoTags is the error for an entry without tags, which no write could
	// invalidate.
	ErrNoTags = errors.New("cache: no tags")
)

var (
	errEmptyKey  = errors.New("cache: empty organization or request in a key")
	errOtherOrg  = errors.New("cache: key and tags of different organizations")
	errWrongKey  = errors.New("cache: entry of another key")
	errMalformed = errors.New("cache: malformed entry")
	errVersion   = errors.New("cache: entry of another version")
	errNoLease   = errors.New("cache: the lease of a write must be positive")
	errNoForms   = errors.New("cache: entry without a response")
	errLife      = errors.New("cache: entry without StoredAt, or with a lifetime that is negative or zero")
)
