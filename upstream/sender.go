package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Attempter makes one attempt to send a request, as [Client.Do] does.
type Attempter interface {
	// Do returns any 2xx answer; its errors are of type *Error, except for a
	// request that cannot be sent at all.
	Do(ctx context.Context, e *Endpoint, r *Request) (*Reply, error)
}

// Pacer spends the upstream's request budget.
type Pacer interface {
	// Wait returns when the bucket has a request to spend, and takes it. When
	// there will be none before ctx's deadline it fails at once, with an error
	// that has a method RetryAfter() time.Duration; when ctx ends, with
	// ctx.Err().
	//
	// limited reports that the request was answered with a 429, and the wait that the
	// answer asked for, or 0. Its ctx does not end with the call; the pacer bounds its
	// own work.
	Wait(ctx context.Context, bucket string) (limited func(ctx context.Context, retryAfter time.Duration), err error)
}

// SendMetrics counts the events of a [Sender]. Every argument is of a closed set.
// The methods must not block, nor call the Sender.
type SendMetrics interface {
	// Attempt counts an attempt by its result: "OK", or the name of a [Kind].
	Attempt(result string)
	// Retry counts a call that is made again.
	Retry(reason RetryReason)
	// RetryRefused counts a call that may be made again, and is not.
	RetryRefused(why RetryRefusal)
	// Breaker reports the state of the breaker, at the start and at every change.
	Breaker(state BreakerState)
}

// noMetrics counts nothing.
type noMetrics struct{}

// Attempt implements [SendMetrics].
func (noMetrics) Attempt(string) {}

// Retry implements [SendMetrics].
func (noMetrics) Retry(RetryReason) {}

// RetryRefused implements [SendMetrics].
func (noMetrics) RetryRefused(RetryRefusal) {}

// Breaker implements [SendMetrics].
func (noMetrics) Breaker(BreakerState) {}

// Sender sends requests within the upstream's budget. It retries where that certainly
// does no harm, and sends nothing while the upstream is failing. It has no goroutines,
// and is safe for concurrent use.
type Sender struct {
	options SenderOptions
	budget  *retryBudget
	breaker *breaker
}

// NewSender returns a Sender; the error is about the options.
func NewSender(options SenderOptions) (*Sender, error) {
	if err := options.setDefaults(); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	return &Sender{
		options: options,
		budget:  newRetryBudget(options.Retry.BudgetRatio, options.Retry.BudgetWindow),
		breaker: newBreaker(options.Breaker, options.Metrics, options.Logger),
	}, nil
}

// Do sends r, which [Endpoint.Request] of e made. Its answers and errors are
// those of [Client.Do], and besides:
//
//   - RateLimited with [ReasonNoBudget]: the pacer has no request for it before
//     its deadline. Nothing was sent.
//   - Unavailable with [ReasonBreakerOpen]: the upstream has been failing.
//     Nothing was sent.
//
// A read is tried again after a connection that failed, a 429, 502, 503 or 504. A
// delete is tried again when it certainly was not done, and when its answer was lost;
// when the upstream then answers that the resource does not exist, the delete was done,
// and the reply holds the certain part of its answer: "deleted", and the "id" of the
// path. Any other write is sent once.
//
// Nothing is tried again after ctx has ended, or when the attempt could not end before
// ctx's deadline. When the last attempt could not be made, the error is that of the
// attempt before; once a delete may have been done, it is never less than
// OutcomeUnknown.
func (s *Sender) Do(ctx context.Context, e *Endpoint, r *Request) (*Reply, error) {
	d, err := s.Admit(ctx, e, r)
	if err != nil {
		return nil, err
	}
	return d.Send(ctx, ctx)
}

// Delivery is a request that may be sent now: its first attempt has been paid for.
// One of its methods is called, once.
type Delivery interface {
	// Send sends the request, as [Sender.Do] does. No attempt begins, and no wait between
	// two goes on, after the end of waiting; one that is under way ends with sending.
	Send(waiting, sending context.Context) (*Reply, error)
	// Abandon ends a delivery that is not sent. Its payment is not given back.
	Abandon()
}

// Admit waits until the first attempt of Do may be made. Its errors are those of Do
// that say that nothing was sent.
func (s *Sender) Admit(ctx context.Context, e *Endpoint, r *Request) (Delivery, error) {
	d := &delivery{sender: s, endpoint: e, request: r}
	if s.options.Bucket != nil {
		d.bucket = s.options.Bucket(e)
	}
	done, refusal := d.admit(ctx)
	if refusal != nil {
		return nil, refusal
	}
	d.done = done
	return d, nil
}

// Send implements [Delivery].
func (d *delivery) Send(waiting, sending context.Context) (*Reply, error) {
	done := d.done
	for tried := 1; ; tried++ {
		if waiting.Err() != nil {
			done(errNoEvidence)
			return nil, d.verdict(lost(waiting, waiting, d.endpoint.writes(), false, context.Cause(waiting)))
		}
		reply, err := d.attempt(sending, done)
		if err == nil {
			return reply, nil
		}
		failure, ok := errors.AsType[*Error](err)
		if !ok {
			return nil, err
		}
		d.last = failure
		if d.lost != nil && failure.saysGone() {
			return d.confirmed(sending)
		}
		if d.lost == nil && failure.Kind == OutcomeUnknown {
			d.lost = failure
		}
		if more, ended := d.again(waiting, tried); !more {
			return nil, d.verdict(ended)
		}
		var refusal *Error
		if done, refusal = d.admit(waiting); refusal != nil {
			return nil, d.verdict(refusal)
		}
	}
}

// Abandon implements [Delivery].
func (d *delivery) Abandon() { d.done(errNoEvidence) }

// delivery is one call of a Sender.
type delivery struct {
	sender   *Sender
	endpoint *Endpoint
	request  *Request
	bucket   string
	done     func(error) // reports the end of the admitted attempt to the breaker

	last *Error        // of the attempt before; nil: there was none
	lost *Error        // since when the write may have been done; nil: it was not
	took time.Duration // by the last attempt
	// limited reports a 429 to the pacer; nil without a pacer.
	limited func(ctx context.Context, retryAfter time.Duration)
	pauses  *backoff.ExponentialBackOff
}

// admit waits until an attempt may be made. It asks the breaker before the wait, which
// could be in vain, and after it.
func (d *delivery) admit(ctx context.Context) (done func(error), _ *Error) {
	if d.sender.options.Pacer != nil {
		if refusal := d.sender.breaker.refusal(d.request.Verb); refusal != nil {
			return nil, refusal
		}
		waiting, end := d.sender.paceSpan(ctx)
		refusal := d.pace(waiting)
		end(refusal)
		if refusal != nil {
			return nil, refusal
		}
	}
	return d.sender.breaker.allow(d.request.Verb)
}

func (d *delivery) pace(ctx context.Context) *Error {
	waiting := ctx
	if latest, ok := d.latestStart(ctx); ok && d.last != nil {
		shorter, cancel := context.WithDeadline(ctx, latest)
		defer cancel()
		waiting = shorter
	}
	var err error
	d.limited, err = d.sender.options.Pacer.Wait(waiting, d.bucket)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return lost(ctx, ctx, d.endpoint.writes(), false, err)
	}
	refusal := &Error{Kind: RateLimited, Reason: ReasonNoBudget, cause: err}
	if exhausted, ok := errors.AsType[interface {
		error
		RetryAfter() time.Duration
	}](err); ok {
		refusal.RetryAfter = min(max(exhausted.RetryAfter(), 0), maxRetryAfter)
	}
	return refusal
}

// attempt sends the request, and reports the result to budget, breaker, metrics and
// pacer. A panic is no evidence for the breaker.
func (d *delivery) attempt(ctx context.Context, done func(error)) (*Reply, error) {
	evidence := errNoEvidence
	defer func() { done(evidence) }()
	request, err := d.request.now()
	if err != nil {
		return nil, err
	}
	s, began := d.sender, time.Now()
	if d.last == nil {
		s.budget.call(began)
	}
	reply, err := s.options.Client.Do(ctx, d.endpoint, request)
	d.took = time.Since(began)
	if err == nil {
		evidence = nil
		s.options.Metrics.Attempt("OK")
		return reply, nil
	}
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		return nil, err
	}
	evidence = s.breaker.judge(ctx, failure, d.took)
	s.options.Metrics.Attempt(failure.Kind.String())
	if failure.Kind == RateLimited && d.limited != nil {
		d.limited(context.WithoutCancel(ctx), failure.RetryAfter)
	}
	return nil, failure
}

// verdict returns the error of a call that is not tried again. refusal is the reason
// why the next attempt could not be made, nil when none was wanted.
func (d *delivery) verdict(refusal *Error) *Error {
	switch {
	case d.last == nil:
		return refusal
	case d.lost != nil && d.last != d.lost:
		e := *d.lost
		e.cause = fmt.Errorf("%w; asked again: %w", orUnexplained(d.lost.cause), d.last)
		return &e
	case d.lost != nil:
		return d.lost
	case refusal == nil:
		return d.last
	case refusal.Kind == DeadlineExceeded || refusal.Kind == Canceled:
		return refusal
	case refusal.RetryAfter > d.last.RetryAfter:
		e := *d.last
		e.RetryAfter = refusal.RetryAfter
		return &e
	}
	return d.last
}

var errUnexplained = errors.New("the answer was lost")

func orUnexplained(err error) error {
	if err == nil {
		return errUnexplained
	}
	return err
}

// confirmed answers a delete whose answer was lost before, and whose resource no longer
// exists according to the upstream.
func (d *delivery) confirmed(ctx context.Context) (*Reply, error) {
	reply, err := d.endpoint.goneReply(d.request, d.last)
	if err != nil {
		e := *d.lost
		e.cause = err
		return nil, &e
	}
	d.sender.options.Logger.LogAttrs(ctx, slog.LevelInfo, "a delete whose answer was lost is done: the upstream no longer has the resource",
		slog.String("endpoint", d.endpoint.String()))
	return reply, nil
}

func (d *delivery) logAgain(ctx context.Context, reason RetryReason, attempt int) {
	d.sender.options.Logger.LogAttrs(ctx, slog.LevelInfo, "upstream call is tried again",
		slog.String("endpoint", d.endpoint.String()), slog.String("reason", string(reason)), slog.Int("attempt", attempt))
}
