package broker

import (
	"errors"
	"fmt"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Reason says why the broker refuses.
type Reason string

// The reasons.
const (
	// NoLease: there is no such lease.
	NoLease Reason = "no lease"
	// NoRole: the policy has no such role.
	NoRole Reason = "no role"
	// Over: the lease is over, or about to be.
	Over Reason = "over"
	// InProgress: somebody else is about to change the lease.
	InProgress Reason = "in progress"
	// Doubtful: nobody knows whether the key of the request was made. It is revoked if
	// it was.
	Doubtful Reason = "doubtful"
	// SecretLost: the secret is not kept any more. The lease is being revoked.
	SecretLost Reason = "secret lost"
	// NotMade: the upstream did not make the key, or the gateway did not ask for it.
	NotMade Reason = "not made"
	// Limited: a limit of the role or of the caller is reached.
	Limited Reason = "limit"
	// Overloaded: the revocations that wait take longer than the lease would live.
	Overloaded Reason = "overloaded"
	// Unavailable: the ledger cannot be asked.
	Unavailable Reason = "unavailable"
	// NotStatic: the role is not static, or it is and has no leases.
	NotStatic Reason = "not static"
	// NotYet: the static role has no key yet.
	NotYet Reason = "not yet"
	// OtherRequest: the request was made before, with something else in it.
	OtherRequest Reason = "other request"
)

// Error is a refusal of the broker.
type Error struct {
	Reason Reason
	// Limit is which limit, and Max what it allows, for Limited.
	Limit lease.Limit
	Max   int
	// RetryAfter is when to try again; zero where time does not help.
	RetryAfter time.Duration
	// LeaseID is the lease that it is about, where there is one.
	LeaseID string
	// Err is the cause, if there is one: an [*UpstreamError] or an error of the ledger.
	Err error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("broker: %s: %v", e.Reason, e.Err)
	}
	return "broker: " + string(e.Reason)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ledgerError is the error for a caller when the ledger fails.
func ledgerError(err error) error {
	limit, limited := errors.AsType[*lease.LimitError](err)
	switch {
	case err == nil:
		return nil
	case limited:
		refused := &Error{Reason: Limited, Limit: limit.Limit, Max: limit.Max, Err: err}
		if !limit.RetryAt.IsZero() {
			refused.RetryAfter = max(time.Until(limit.RetryAt), time.Second)
		}
		return refused
	case errors.Is(err, lease.ErrNotFound):
		return &Error{Reason: NoLease, Err: err}
	case errors.Is(err, lease.ErrClaimed), errors.Is(err, lease.ErrConflict), errors.Is(err, lease.ErrFenced):
		return &Error{Reason: InProgress, RetryAfter: time.Second, Err: err}
	default:
		return &Error{Reason: Unavailable, RetryAfter: time.Second, Err: err}
	}
}

// outcomeOf is the outcome of a call; 0 for one that was done.
func outcomeOf(err error) Outcome {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[*UpstreamError](err); ok && e.Outcome != 0 {
		return e.Outcome
	}
	return Unknown
}

// retryAfter is when a call may be tried again, as its error says.
func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*UpstreamError](err); ok {
		return e.RetryAfter
	}
	return 0
}
