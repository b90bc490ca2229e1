package upstream

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// BreakerState is a state of the circuit breaker. The set is closed.
type BreakerState string

// The states of the breaker.
const (
	// BreakerClosed: calls are sent.
	BreakerClosed BreakerState = "CLOSED"
	// BreakerOpen: no call is sent.
	BreakerOpen BreakerState = "OPEN"
	// BreakerHalfOpen: a few calls are sent as probes.
	BreakerHalfOpen BreakerState = "HALF_OPEN"
)

// probeWait is the RetryAfter of a call that finds all probes taken: their duration is
// not known.
const probeWait = time.Second

var (
	// errNoEvidence reports to the breaker that an attempt says nothing about the
	// upstream.
	errNoEvidence     = errors.New("the attempt says nothing about the upstream")
	errUpstreamFailed = errors.New("the upstream failed")
)

// breaker stops calls to an upstream that fails.
type breaker struct {
	two     *gobreaker.TwoStepCircuitBreaker[struct{}]
	options BreakerOptions
	// reopens is when the breaker that opened last is half-open.
	reopens atomic.Pointer[time.Time]
}

func newBreaker(o BreakerOptions, metrics SendMetrics, logger *slog.Logger) *breaker {
	b := &breaker{options: o}
	b.two = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		MaxRequests:  uint32(o.Probes),
		Interval:     o.Window,
		BucketPeriod: max(o.Window/10, 1),
		Timeout:      o.OpenFor,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			known := c.TotalFailures + c.TotalSuccesses
			return c.ConsecutiveFailures >= uint32(o.Consecutive) || known >= uint32(o.MinCalls) && float64(c.TotalFailures) >= o.Ratio*float64(known)
		},
		IsExcluded: func(err error) bool { return errors.Is(err, errNoEvidence) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				at := time.Now().Add(o.OpenFor)
				b.reopens.Store(&at)
			}
			metrics.Breaker(breakerState(to))
			logger.LogAttrs(context.Background(), slog.LevelWarn, "the upstream's circuit breaker changed",
				slog.String("from", string(breakerState(from))), slog.String("to", string(breakerState(to))))
		},
	})
	metrics.Breaker(BreakerClosed)
	return b
}

func breakerState(s gobreaker.State) BreakerState {
	switch s {
	case gobreaker.StateOpen:
		return BreakerOpen
	case gobreaker.StateHalfOpen:
		return BreakerHalfOpen
	default:
		return BreakerClosed
	}
}

// refusal returns the reason why a call cannot be sent now, as far as that is known
// without sending it. Nil means that it probably can.
//
// Reads and deletes probe at once. A POST is the worst probe, because a failure can
// leave it half done. It probes only if no other call has come for another OpenFor.
func (b *breaker) refusal(verb string) *Error {
	state := b.two.State()
	if state == gobreaker.StateClosed {
		return nil
	}
	wait := time.Until(*b.reopens.Load())
	switch {
	case state == gobreaker.StateOpen:
		return breakerOpen(max(wait, time.Millisecond))
	case verb == http.MethodPost && wait+b.options.OpenFor > 0:
		return breakerOpen(wait + b.options.OpenFor)
	}
	if c := b.two.Counts(); c.Requests >= c.TotalExclusions+uint32(b.options.Probes) {
		return breakerOpen(probeWait)
	}
	return nil
}

// allow admits an attempt, or returns the reason why not. done must be called with the
// result of the attempt.
func (b *breaker) allow(verb string) (done func(error), _ *Error) {
	if e := b.refusal(verb); e != nil {
		return nil, e
	}
	done, err := b.two.Allow()
	if err != nil {
		if e := b.refusal(verb); e != nil {
			return nil, e
		}
		return nil, breakerOpen(probeWait)
	}
	return done, nil
}

func breakerOpen(wait time.Duration) *Error {
	return &Error{Kind: Unavailable, Reason: ReasonBreakerOpen, RetryAfter: min(wait, maxRetryAfter)}
}

// judge classifies a failed attempt for the breaker. A 5xx, a failed connection and a
// timeout are failures of the upstream; any other answer is a success. An attempt whose
// caller gave up is neither, nor is one whose deadline passed before the upstream could
// be expected to answer.
func (b *breaker) judge(ctx context.Context, e *Error, took time.Duration) error {
	switch {
	case e.Status >= http.StatusInternalServerError:
		return errUpstreamFailed
	case e.Status != 0 && !e.cut:
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		if took >= b.options.Patience {
			return errUpstreamFailed
		}
		return errNoEvidence
	case ctx.Err() == nil && e.unanswered():
		return errUpstreamFailed
	}
	return errNoEvidence
}
