package leases

import (
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// LostError is the error of [Holder.Keep] when the lease is over, and the gateway refuses
// another one.
type LostError struct {
	// LeaseID is the lease.
	LeaseID string
	// Err is why there is no other.
	Err error
}

// Error implements error.
func (e *LostError) Error() string {
	return fmt.Sprintf("leases: lease %s is over, and there is no other: %v", e.LeaseID, e.Err)
}

// Unwrap returns the refusal.
func (e *LostError) Unwrap() error { return e.Err }

var (
	errNoSecret = errors.New("leases: the answer has no secret")
	errNoTimes  = errors.New("leases: the answer does not say when the lease ends")
	// errOtherKey is of a lease that has another key, whose secret somebody else has.
	errOtherKey = errors.New("leases: the lease has another key")
)

// verdict says what an error means for the request that it answers.
type verdict int

const (
	// again: the same request may succeed later.
	again verdict = iota
	// anew: this request cannot succeed any more; another one may.
	anew
	// refused: no such request is going to succeed, as things are.
	refused
)

// judge is the verdict on the error of a create. An error that comes from what lies in
// between says nothing about the request, which may have been done.
func judge(err error) verdict {
	if errors.Is(err, errNoSecret) || errors.Is(err, errNoTimes) {
		return anew
	}
	if !isRemote(err) {
		return again
	}
	switch connect.CodeOf(err) {
	case connect.CodeUnavailable, connect.CodeResourceExhausted, connect.CodeDeadlineExceeded, connect.CodeCanceled:
		return again
	case connect.CodeAborted, connect.CodeUnknown:
		return anew // No key was made, or none that anybody has: the gateway ends it.
	case connect.CodeFailedPrecondition:
		if reason(err) == reasonOver { // It was made, and has ended meanwhile.
			return anew
		}
		return refused
	default:
		return refused
	}
}

// isOver says whether an error means that the lease cannot be renewed any more.
func isOver(err error) bool {
	if errors.Is(err, errOtherKey) {
		return true
	}
	if !isRemote(err) {
		return false
	}
	switch connect.CodeOf(err) {
	case connect.CodeNotFound:
		return true
	case connect.CodeFailedPrecondition:
		return reason(err) == reasonOver
	default:
		return false
	}
}

// reasonOver is the reason of an error about a lease that has ended or is being revoked.
const reasonOver = "LEASE_OVER"

// isRemote says whether the gateway gave an error.
func isRemote(err error) bool {
	e, ok := errors.AsType[*connect.Error](err)
	return ok && e.IsRemote()
}

// reason is that of the google.rpc.ErrorInfo; empty where there is none.
func reason(err error) string {
	info, _ := detail[*errdetails.ErrorInfo](err)
	return info.GetReason()
}

// retryAfter is how long the gateway asks to wait; 0 where it does not.
func retryAfter(err error) time.Duration {
	info, _ := detail[*errdetails.RetryInfo](err)
	return info.GetRetryDelay().AsDuration()
}

// detail returns the first detail of a type.
func detail[M any](err error) (found M, ok bool) {
	e, isRPC := errors.AsType[*connect.Error](err)
	if !isRPC {
		return found, false
	}
	for _, d := range e.Details() {
		message, err := connectproto.UnmarshalErrorDetail(d)
		if err != nil {
			continue
		}
		if found, ok = message.(M); ok {
			return found, true
		}
	}
	return found, false
}
