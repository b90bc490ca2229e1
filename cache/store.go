package cache

import "context"

// Store keeps entries, and the generations that say which of them still hold.
// Its methods may be called from any goroutine, and return within a bound of
// their own even if ctx has no deadline.
//
// What all stores guarantee (the contract test in contract_test.go):
//
//   - An entry is loaded only if every slot that its fetch depended on is at the
//     generation that it had when the fetch began, and none is open. So an answer
//     that may have been read before a write's end is never served after it.
//   - Snapshot fails and Save refuses while a slot is open.
//   - A failure is a miss, never a wrong answer.
type Store interface {
	// Snapshot says what the generations of tags are, before a fetch begins. The
	// error is ErrWriting, or ErrNoTags, or wraps ErrUnavailable. With any error
	// the answer must not be saved, and the zero Snapshot that comes with it
	// makes Save refuse.
	Snapshot(ctx context.Context, tags Tags) (Snapshot, error)

	// Load returns the entry of key, if there is one that is valid now. tags are
	// those that it was saved with: an entry with others is a miss. It may be
	// stale: ask its methods. An entry that turns out to be of another key, of
	// another version or malformed is a miss. The error wraps ErrUnavailable
	// when the store could not be asked, or says what is wrong with the
	// arguments; the second result is false then.
	Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error)

	// Save stores e under key, if nothing that it depends on was invalidated
	// since the snapshot, which must be one that this store gave. The error is
	// ErrInvalidated if it was, ErrTooLarge, wraps ErrUnavailable, or says what
	// is wrong with the arguments. An entry whose life is over is not stored,
	// and that is no error; nor is it stored over a valid one with a later
	// StoredAt, where the store is able to tell.
	Save(ctx context.Context, key Key, e Entry, at Snapshot) error

	// Open begins a write to what has these tags, before the upstream is called:
	// it moves their slots to the next generation, and until closed is called
	// nothing that depends on them is loaded or saved. closed ends the write,
	// whatever its outcome, and moves to the next generation again; it is never
	// nil, must be called, and does nothing when called again; the end of its ctx
	// does not stop it. Writes may overlap: the slot is open until the last of
	// them is closed, or until the lease of a writer that died is over. A closed
	// that comes after that moves the generation, but does not end a write that
	// began since.
	//
	// An error, which wraps ErrUnavailable, means that other replicas may not
	// know yet. The write may go on: the store remembers, serves and saves
	// nothing that depends on these slots until it could tell, and tells as soon
	// as it can. Open without tags does nothing.
	Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error)

	// Purge makes everything that depends on one of the tags a miss. Its error
	// means the same as that of Open.
	Purge(ctx context.Context, tags Tags) error
}
