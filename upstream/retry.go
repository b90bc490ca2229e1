package upstream

import (
	"context"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// RetryReason says why a call is made again. The set is closed.
type RetryReason string

// The reasons of a retry.
const (
	// RetryConnection: there was no whole answer, and the call changes nothing
	// or was not sent at all.
	RetryConnection RetryReason = "CONNECTION"
	// RetryServerError: a read was answered 502, 503 or 504, or the API answered a
	// delete with an error that says that it was not done.
	RetryServerError RetryReason = "SERVER_ERROR"
	// RetryRateLimited: 429, so that nothing was done.
	RetryRateLimited RetryReason = "RATE_LIMITED"
	// RetryAnswerLost: a delete that may have been done is sent again.
	RetryAnswerLost RetryReason = "ANSWER_LOST"
)

// RetryRefusal says why a call that may be made again is not. The set is
// closed.
type RetryRefusal string

// The reasons against a retry.
const (
	// RefusedByBudget: the retry budget is used up.
	RefusedByBudget RetryRefusal = "BUDGET"
	// RefusedByDeadline: the retry would not end before the deadline, or the wait for
	// it is longer than [RetryOptions.LongestWait].
	RefusedByDeadline RetryRefusal = "DEADLINE"
	// RefusedByAttempts: the call has had [RetryOptions.MaxAttempts] attempts.
	RefusedByAttempts RetryRefusal = "ATTEMPTS"
)

// leastAttempt is the shortest time that a further attempt is assumed to take, for the
// decision whether it ends before the deadline: a refusal can come much faster than an
// answer.
const leastAttempt = 50 * time.Millisecond

// retryReason is the rule: it returns the reason why a call with this failure may be
// made again, or "" when it must not.
//
// A read changes nothing. A delete is safe where it is certain that it was not
// done; where it may have been, doing it twice is the same as doing it once. A
// POST is neither: even where it was refused, its caller decides.
func retryReason(verb string, e *Error) RetryReason {
	switch {
	case verb != http.MethodGet && verb != http.MethodDelete:
		return ""
	case e.Kind == RateLimited:
		return RetryRateLimited
	case e.Kind == OutcomeUnknown: // Never a read's.
		return RetryAnswerLost
	case e.Kind != Unavailable:
		return ""
	case e.unanswered():
		return RetryConnection
	case e.Reason != ReasonUnavailable:
		return "" // A redirect and a nonsensical answer would come again.
	case verb == http.MethodDelete, e.Status == http.StatusBadGateway,
		e.Status == http.StatusServiceUnavailable, e.Status == http.StatusGatewayTimeout:
		return RetryServerError
	}
	return ""
}

// again decides whether a failed call is made once more, and waits until then. ended is
// the error of a ctx that ends during the wait.
func (d *delivery) again(ctx context.Context, tried int) (more bool, ended *Error) {
	reason := retryReason(d.request.Verb, d.last)
	if reason == "" || ctx.Err() != nil {
		return false, nil
	}
	o := &d.sender.options.Retry
	if tried >= o.MaxAttempts {
		d.sender.options.Metrics.RetryRefused(RefusedByAttempts)
		return false, nil
	}
	if d.pauses == nil {
		d.pauses = &backoff.ExponentialBackOff{InitialInterval: o.FirstPause, RandomizationFactor: 0.5, Multiplier: 2, MaxInterval: o.LongestPause}
	}
	pause := max(d.pauses.NextBackOff(), d.last.RetryAfter)
	if latest, ok := d.latestStart(ctx); pause > o.LongestWait || ok && time.Now().Add(pause).After(latest) {
		d.sender.options.Metrics.RetryRefused(RefusedByDeadline)
		return false, nil
	}
	if !d.sender.budget.retry(time.Now()) {
		d.sender.options.Metrics.RetryRefused(RefusedByBudget)
		return false, nil
	}
	d.sender.options.Metrics.Retry(reason)
	d.logAgain(ctx, reason, tried+1)
	if reason == RetryRateLimited && d.sender.options.Pacer != nil {
		return true, nil // The pacer is closed for that time, and keeps the order.
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	if ctx.Err() != nil {
		return false, lost(ctx, ctx, d.endpoint.writes(), false, d.last)
	}
	return true, nil
}

// latestStart returns the time by which the next attempt has to begin to end before the
// deadline, if it takes as long as the last one; false without a deadline.
func (d *delivery) latestStart(ctx context.Context) (time.Time, bool) {
	deadline, ok := ctx.Deadline()
	return deadline.Add(-max(d.took, leastAttempt)), ok
}
