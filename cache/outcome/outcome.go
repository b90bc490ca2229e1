package outcome

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
)

const (
	// DefaultLife is how long an outcome is kept if nothing else is said.
	DefaultLife = 24 * time.Hour
	// MaxBodyBytes is the longest outcome that is kept, sealed or not.
	MaxBodyBytes = 64 << 10
)

// Store keeps what came of operations, so that each is done at most once: it
// belongs to whoever begins it first, and everybody else is told what came of
// it. It may be used from any goroutine.
//
// What all implementations guarantee, as long as they lose nothing (the contract
// test in contract_test.go):
//
//   - Of all who begin one key within its life, one gets a [Claim]; another only
//     after an Abandon.
//   - What one was told stays true: an outcome that is kept does not change, and
//     one that was reported lost stays lost, also if its claim ends late.
//   - A failure is an error, and never a claim.
type Store interface {
	// Begin claims the operation that key names, or says what is known of it. If
	// another has the claim, it waits, until the outcome is there, the claim was
	// given back, or the other's lease is over; or until ctx ends, and fails with
	// its error. fingerprint tells operations with one key apart, and lease is how
	// long at the most the operation takes: who has not ended it by then is taken
	// for dead.
	//
	// The error wraps cache.ErrUnavailable if the claim could not be made or not be
	// asked for, is ErrFull if there is no room for another, or
	// ErrOwnerFull if its owner has had its share of it, or says what is wrong
	// with the arguments. With any error nothing was claimed, as far as
	// can be known: where it cannot, the key is lost when lease is over.
	Begin(ctx context.Context, key Key, fingerprint Fingerprint, lease time.Duration) (Result, error)
}

// Key names an operation, by its Key alone.
type Key struct {
	cache.Key
	// Owner is who answers for the room that the outcome takes, where room is
	// bounded: of all that there is, nobody has more than a share. It is any text,
	// the same one whenever the key is the same; "" is an owner like others.
	Owner string
}

// Fingerprint is a digest of all that an operation is to do.
type Fingerprint [sha256.Size]byte

// State is what is known of an operation.
type State uint8

// The states, of which the zero value is none.
const (
	_ State = iota
	// Claimed is an operation that is the caller's to do, and to end.
	Claimed
	// Completed is one that was done, and whose outcome is there.
	Completed
	// Lost is one that somebody began and did not end: it may have been
	// done.
	Lost
	// Mismatch is a key that was used for something with another fingerprint.
	Mismatch
)

// Result is what [Store] knows of an operation.
type Result struct {
	// State says which of the others is set.
	State State
	// Body is the outcome, with Completed. It must not be modified.
	Body []byte
	// Claim is not nil with Claimed. One of its methods has to be called.
	Claim Claim
}

// Claim is the right to do an operation. Its methods are not stopped by the end
// of their ctx, return within a bound of their own, and wrap cache.ErrUnavailable when
// they fail: then the operation is lost when its lease is over. Only the first
// call of one of them counts.
type Claim interface {
	// Finish keeps body as what came of the operation, for the life of an
	// outcome from now on. The error is cache.ErrTooLarge, and the claim still stands;
	// or ErrClaimOver, and others may have been told that the outcome is lost.
	Finish(ctx context.Context, body []byte) error
	// Abandon says that nothing was done, so that the operation may be begun
	// anew, with any fingerprint.
	Abandon(ctx context.Context) error
}

var (
	// ErrFull is the error of Begin when there is no room. Nothing is
	// forgotten to make some, because what is forgotten is done twice.
	ErrFull = errors.New("outcome: no room for another outcome")
	// ErrOwnerFull is the error of Begin when the key's owner has as much of
	// the room as one may have. There is some for others.
	ErrOwnerFull = errors.New("outcome: no room for another outcome of this owner")
	// ErrClaimOver is the error of Finish after the end of its lease, if it was
	// noticed, or of a second end.
	ErrClaimOver = errors.New("outcome: the claim is over")
)

var errLease = errors.New("outcome: a lease that is not positive, or not shorter than an outcome's life")

func validateBegin(ctx context.Context, key Key, lease, life time.Duration) error {
	if err := key.Validate(); err != nil {
		return err
	}
	if lease <= 0 || lease >= life {
		return errLease
	}
	return ctx.Err()
}
