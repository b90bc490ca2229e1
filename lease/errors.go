package lease

import (
	"errors"
	"fmt"
	"time"
)

// The errors of a [Ledger]. It wraps them, and they are found with errors.Is.
var (
	// ErrUnavailable is the error when the ledger could not be asked, or its answer
	// was lost: a change may have been made. The same call may be made again.
	ErrUnavailable = errors.New("lease: the ledger is unavailable")
	// ErrNotFound is the error when there is no such lease.
	ErrNotFound = errors.New("lease: there is no such lease")
	// ErrConflict is the error of a change that was made from an older version.
	ErrConflict = errors.New("lease: the lease has changed meanwhile")
	// ErrClaimed is the error when somebody else works on the lease.
	ErrClaimed = errors.New("lease: somebody else works on the lease")
	// ErrFenced is the error of somebody whose claim or term is over because another
	// one began.
	ErrFenced = errors.New("lease: another one has taken over")
	// ErrTransition is the error of a change that the states do not allow.
	ErrTransition = errors.New("lease: the state does not allow it")
	// ErrImmutable is the error of a change to what a lease is known by.
	ErrImmutable = errors.New("lease: what a lease is known by does not change")
	// ErrNoSecret is the error when the secret is not kept, or was erased.
	ErrNoSecret = errors.New("lease: there is no secret")
	// ErrSecretLost is the error when the secret is there and no key opens it.
	ErrSecretLost = errors.New("lease: the secret cannot be opened")
	// ErrLost is the error when the ledger is not the one that was opened: its data
	// were lost. It has to be opened again, and reconciled.
	ErrLost = errors.New("lease: the ledger has lost its data")
	// ErrSchema is the error when the ledger has the form of another build.
	ErrSchema = errors.New("lease: the ledger has another schema version")
	// ErrLate is the error of a reader of events who asks for some that are gone.
	ErrLate = errors.New("lease: the events are gone")
	// ErrLocked is the error when another process has the ledger.
	ErrLocked = errors.New("lease: another process has the ledger")
	// ErrInvalid is the error of an argument or a record that cannot be.
	ErrInvalid = errors.New("lease: invalid")
)

// InvalidError says which part of an argument is invalid. It is an [ErrInvalid].
type InvalidError struct {
	// Field is the name of the part, Problem what is wrong with it. Neither has a
	// value in it.
	Field, Problem string
}

// Error implements error.
func (e *InvalidError) Error() string { return fmt.Sprintf("lease: %s %s", e.Field, e.Problem) }

// Is tells whether target is ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

func invalid(field, problem string) error { return &InvalidError{field, problem} }

// Limit is the name of a limit.
type Limit string

// The limits of a create.
const (
	// RoleLive limits the credentials that a role has at a time.
	RoleLive Limit = "role_live"
	// CallerLive limits the leases that a caller has at a time.
	CallerLive Limit = "caller_live"
	// CallerMints limits the leases that a caller makes in a while.
	CallerMints Limit = "caller_mints"
)

// LimitError is the error of a create that a limit refuses.
type LimitError struct {
	// Limit is which one.
	Limit Limit
	// Max is how many it allows.
	Max int
	// RetryAt is when it allows another one if nothing else happens; zero where
	// that depends on the end of a lease.
	RetryAt time.Time
}

// Error implements error.
func (e *LimitError) Error() string {
	return fmt.Sprintf("lease: the limit %s of %d is reached", e.Limit, e.Max)
}

// LateError is the error of a reader of events who asks for some that are gone. It is
// an [ErrLate].
type LateError struct {
	// First and Last are the sequences of the events that are there; Last is the
	// one to go on after.
	First, Last uint64
}

// Error implements error.
func (e *LateError) Error() string {
	return fmt.Sprintf("lease: the events are gone: there are %d to %d", e.First, e.Last)
}

// Is tells whether target is ErrLate.
func (e *LateError) Is(target error) bool { return target == ErrLate }

// SchemaError is the error when the ledger has the form of another build. It is an
// [ErrSchema].
type SchemaError struct {
	// Found is the version of the ledger, or what else it has in its place; Want is
	// the version of this build.
	Found string
	Want  int
}

// Error implements error.
func (e *SchemaError) Error() string {
	return fmt.Sprintf("lease: the ledger has schema version %q, and this build has %d", e.Found, e.Want)
}

// Is tells whether target is ErrSchema.
func (e *SchemaError) Is(target error) bool { return target == ErrSchema }
