package leases

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/service/agent"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// failed says what is known of a call that failed.
func failed(err error, read bool) error {
	outcome, after := agent.OutcomeOf(err, read)
	return &broker.UpstreamError{Outcome: outcomes[outcome], RetryAfter: after, Err: err}
}

// outcomes are the broker's words.
var outcomes = map[agent.Outcome]broker.Outcome{
	agent.NotDone: broker.NotSent,
	agent.Refused: broker.Refused,
	agent.Gone:    broker.Gone,
	agent.Unknown: broker.Unknown,
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
