package outcome

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
)

const (
	// DefaultLife is the life of an outcome if the options set none.
	DefaultLife = 24 * time.Hour
	// MaxBodyBytes is the length of the longest outcome, sealed or not.
	MaxBodyBytes = 64 << 10
)

// Store stores the outcomes of operations, so that each operation is done at most
// once: the first caller to begin it gets the claim, and all others get its
// outcome. It may be used from any goroutine.
//
// All implementations guarantee, as long as they lose no data (the contract test
// in contract_test.go):
//
//   - Of all callers that begin one key within its life, one gets a [Claim];
//     another one only after an Abandon.
//   - A result stays true: a stored outcome does not change, and an operation that
//     was reported lost stays lost, also if its claim ends late.
//   - A failure is an error, and never a claim.
type Store interface {
	// Begin claims the operation that key names, or returns its outcome. While
	// another caller has the claim, Begin waits until the outcome is stored, the
	// claim is abandoned or its lease is over, and fails with the error of ctx if
	// that ends first. fingerprint tells apart operations with one key. lease is
	// the longest time that the operation may take: after it, an operation without
	// an outcome is lost.
	//
	// The error wraps cache.ErrUnavailable if the store cannot be reached; it is
	// ErrFull if there is no room for another outcome, or ErrOwnerFull if the owner
	// has used its share; or it says which argument is invalid. With any error the
	// caller has no claim. If a claim was made and could not be given back, the
	// operation is lost when lease is over.
	Begin(ctx context.Context, key Key, fingerprint Fingerprint, lease time.Duration) (Result, error)
}

// Key identifies an operation by its cache.Key alone.
type Key struct {
	cache.Key
	// Owner is charged for the room of the outcome where room is bounded: each
	// owner has at most a share of it. It is any text, and always the same for
	// equal keys; "" is an owner like any other.
	Owner string
}

// Fingerprint is a digest of the whole operation.
type Fingerprint [sha256.Size]byte

// State is the state of an operation, as Begin returns it.
type State uint8

// The states. The zero value is none of them.
const (
	_ State = iota
	// Claimed is an operation that the caller has claimed, and has to end.
	Claimed
	// Completed is an operation whose outcome is stored.
	Completed
	// Lost is an operation whose claim was never ended: it may have been done.
	Lost
	// Mismatch is a key that was used with another fingerprint.
	Mismatch
)

// Result is the result of Begin.
type Result struct {
	// State says which of the other fields is set.
	State State
	// Body is the outcome, if State is Completed. It must not be modified.
	Body []byte
	// Claim is not nil if State is Claimed. One of its methods must be called.
	Claim Claim
}

// Claim is the right to do an operation. Its methods have a timeout and ignore the
// end of ctx. If they fail, the error wraps cache.ErrUnavailable, and the operation
// is lost when its lease is over. Only the first call of one of them counts.
type Claim interface {
	// Finish stores body as the outcome of the operation. Its life begins now. The
	// error is cache.ErrTooLarge, and the claim is still valid; or ErrClaimOver,
	// and other callers may know the operation as lost.
	Finish(ctx context.Context, body []byte) error
	// Abandon gives the claim back because nothing was done. The key may be used
	// again, with any fingerprint.
	Abandon(ctx context.Context) error
}

var (
	// ErrFull is the error of Begin when there is no room. No outcome is evicted to
	// make room, because its operation could be done twice then.
	ErrFull = errors.New("outcome: no room for another outcome")
	// ErrOwnerFull is the error of Begin when the key's owner has used its share of
	// the room. Other owners may have room.
	ErrOwnerFull = errors.New("outcome: no room for another outcome of this owner")
	// ErrClaimOver is the error of Finish when the operation was reported lost, or
	// when the claim has ended before.
	ErrClaimOver = errors.New("outcome: the claim is over")
)

var errLease = errors.New("outcome: a lease must be positive and shorter than the life of an outcome")

func validateBegin(ctx context.Context, key Key, lease, life time.Duration) error {
	if err := key.Validate(); err != nil {
		return err
	}
	if lease <= 0 || lease >= life {
		return errLease
	}
	return ctx.Err()
}
