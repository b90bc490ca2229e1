package cache

import "context"

// Store stores entries, and the generations that decide which of them are valid. Its
// methods may be called from any goroutine, and have a timeout even if ctx has no
// deadline.
//
// All stores guarantee (the contract test in contract_test.go):
//
//   - An entry is loaded only if each of its slots is at the generation that it had
//     when the fetch began, and none is open. So a response that may have been
//     read before the end of a write is never served after it.
//   - Snapshot fails and Save refuses while a slot is open.
//   - A failure is a miss, never a wrong answer.
type Store interface {
	// Snapshot returns the generations of tags, before a fetch begins. The error is
	// ErrWriting or ErrNoTags, or wraps ErrUnavailable. With an error the response
	// must not be saved, and Save refuses the zero Snapshot that comes with it.
	Snapshot(ctx context.Context, tags Tags) (Snapshot, error)

	// Load returns the entry of key, if it is valid now. The entry may be stale: its
	// methods say so. tags must be the tags of its Save: an entry with other tags is
	// a miss, and so is an entry of another key or version, or one that is
	// malformed. The error wraps ErrUnavailable if the store is unavailable, or says
	// which argument is invalid; the second result is false then.
	Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error)

	// Save stores e under key, if none of its tags was invalidated since the
	// snapshot, which must come from this store. The error is ErrInvalidated if one
	// was; it is ErrTooLarge, wraps ErrUnavailable, or says which argument is
	// invalid. Without an error, an expired entry is not stored, and neither is one
	// whose key has a valid entry with a later StoredAt, where the store can
	// compare them.
	Save(ctx context.Context, key Key, e Entry, at Snapshot) error

	// Open begins a write that invalidates tags, before the upstream is called. It
	// moves their slots to the next generation, and until closed is called, no entry
	// that depends on them is loaded or saved. closed ends the write, whatever its
	// outcome, and moves the slots again. It is never nil, must be called, ignores
	// the end of its ctx, and does nothing the second time. Writes may overlap: a
	// slot is open until the last write is closed, or until the lease of a writer
	// that died is over. A later closed moves the slots, but does not end a write
	// that began since. A write whose outcome is unknown is closed after a grace: see
	// [UnknownWrites].
	//
	// An error, which wraps ErrUnavailable, means that other replicas may not know
	// of the write. The write may go on: the store remembers it, serves and saves
	// nothing that depends on these slots, and repeats the invalidation until it
	// succeeds. Open without tags does nothing.
	Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error)

	// Purge invalidates all entries that depend on one of the tags. Its error means
	// the same as that of Open.
	Purge(ctx context.Context, tags Tags) error
}
