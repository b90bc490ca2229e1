package agent

import (
	"errors"
	"time"

	"buf.build/go/protovalidate"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// Outcome is what is known of a call that failed.
type Outcome uint8

// The outcomes. The zero value is none of them.
const (
	// NotDone: nothing was done. It was not sent, or the upstream says so; made again it
	// may be done.
	NotDone Outcome = iota + 1
	// Refused: nothing was done, and nothing will be.
	Refused
	// Gone: what it was about is not there.
	Gone
	// Unknown: it may have been done.
	Unknown
)

// OutcomeOf says what the error of [Caller.Call] tells of the call, and when it may be
// made again; 0 where nobody says. A read does nothing, whatever became of it. A write of
// which nothing is known for certain may have been done.
func OutcomeOf(err error, read bool) (outcome Outcome, retryAfter time.Duration) {
	outcome = Unknown
	if read {
		outcome = NotDone
	}
	var (
		up      *upstream.Error
		request *upstream.RequestError
		invalid *protovalidate.ValidationError
		known   *rpcerror.Error
	)
	switch {
	case errors.As(err, &up):
		if of, ok := outcomes[up.Kind]; ok {
			outcome = of
		}
		return outcome, up.RetryAfter
	case errors.As(err, &request), errors.As(err, &invalid):
		return Refused, 0
	case errors.As(err, &known):
		if known.Reason == rpcerror.ReasonAuditUnavailable {
			outcome = NotDone // The intent could not be recorded.
		}
		return outcome, known.RetryAfter
	}
	return outcome, 0
}

// outcomes are those of the kinds of failures. An answer that was lost is not among them.
var outcomes = map[upstream.Kind]Outcome{
	upstream.InvalidArgument:    Refused,
	upstream.NotFound:           Gone,
	upstream.Conflict:           Refused,
	upstream.RateLimited:        NotDone,
	upstream.Unavailable:        NotDone,
	upstream.CredentialRejected: NotDone,
	upstream.DeadlineExceeded:   NotDone,
	upstream.Canceled:           NotDone,
}
