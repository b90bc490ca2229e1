package leases

import (
	"context"
	"errors"
	"time"

	"buf.build/go/protovalidate"

	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// failed says what is known of a call that failed.
func failed(err error, read bool) error {
	e := &broker.UpstreamError{Outcome: broker.Unknown, Err: err}
	var (
		up      *upstream.Error
		request *upstream.RequestError
		invalid *protovalidate.ValidationError
		known   *rpcerror.Error
	)
	switch {
	case read:
		e.Outcome = broker.NotSent
		if errors.As(err, &up) {
			e.RetryAfter = up.RetryAfter
			switch up.Kind {
			case upstream.NotFound:
				e.Outcome = broker.Gone
			case upstream.InvalidArgument, upstream.Conflict:
				e.Outcome = broker.Refused
			default: // A read does nothing, whatever became of it.
			}
		}
	case errors.As(err, &up):
		e.RetryAfter = up.RetryAfter
		if outcome, known := outcomes[up.Kind]; known {
			e.Outcome = outcome
		}
	case errors.As(err, &request), errors.As(err, &invalid):
		e.Outcome = broker.Refused
	case errors.As(err, &known):
		e.RetryAfter = known.RetryAfter
		if known.Reason == rpcerror.ReasonAuditUnavailable {
			e.Outcome = broker.NotSent // The intent could not be recorded.
		}
	}
	return e
}

// outcomes are those of writes. Of some of them the upstream says that nothing was done:
// it is the same as if they had not been sent.
var outcomes = map[upstream.Kind]broker.Outcome{
	upstream.InvalidArgument:    broker.Refused,
	upstream.NotFound:           broker.Gone,
	upstream.Conflict:           broker.Refused,
	upstream.RateLimited:        broker.NotSent,
	upstream.Unavailable:        broker.NotSent,
	upstream.OutcomeUnknown:     broker.Unknown,
	upstream.CredentialRejected: broker.NotSent,
	upstream.DeadlineExceeded:   broker.NotSent,
	upstream.Canceled:           broker.NotSent,
}

// noBudget says that a call was not sent because the budget has none for it, and when it
// may have one.
func noBudget(err error) (time.Duration, bool) {
	up, ok := errors.AsType[*upstream.Error](err)
	if !ok || up.Reason != upstream.ReasonNoBudget {
		return 0, false
	}
	return up.RetryAfter, true
}

// notDone is the error of a list: nothing is done by reading.
func notDone(err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*broker.UpstreamError](err); ok {
		return e
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &broker.UpstreamError{Outcome: broker.NotSent, Err: err}
	}
	return &broker.UpstreamError{Outcome: broker.Refused, Err: err} // An endless list.
}
