package redisclient

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

const (
	// DefaultCallTimeout bounds one call, with the wait for a connection, its
	// set-up and every redirect of a cluster.
	DefaultCallTimeout = 40 * time.Millisecond
	// NeverSlow is a SlowCall for users to whom a late reply is as good as any.
	NeverSlow time.Duration = -1

	defaultBreakerPause = time.Second
	// breakerFailures is how many calls in a row fail before the breaker opens.
	breakerFailures = 5
)

// ErrOpen is the error of a call that was not made because the breaker is open.
var ErrOpen = errors.New("redisclient: circuit breaker is open")

// errCallerLeft tells the breaker that a call says nothing about Redis.
var errCallerLeft = errors.New("caller left")

// errSlow tells the breaker that the reply was good, and late.
var errSlow = errors.New("slow")

// GuardOptions are the settings of a [Guard]. The zero value is good.
type GuardOptions struct {
	// CallTimeout bounds one call. [DefaultCallTimeout] if not positive.
	CallTimeout time.Duration
	// SlowCall is how long a call may take before it counts as a failure, although
	// its reply is good. A fifth of CallTimeout if zero; [NeverSlow] for no limit.
	SlowCall time.Duration
	// BreakerPause is how long the breaker stays open after five failures in a
	// row; then it lets one call through as a probe. 1 s if not positive.
	BreakerPause time.Duration
}

// Guard bounds the calls that one user makes to Redis: each has a deadline, and
// a circuit breaker stops them for a while after several have failed. It may be
// used from any goroutine.
type Guard struct {
	callTimeout, slowCall time.Duration
	breaker               *gobreaker.TwoStepCircuitBreaker[struct{}]
}

// NewGuard returns a Guard whose breaker is closed.
func NewGuard(o GuardOptions) *Guard {
	if o.CallTimeout <= 0 {
		o.CallTimeout = DefaultCallTimeout
	}
	if o.SlowCall == 0 {
		o.SlowCall = o.CallTimeout / 5
	}
	if o.BreakerPause <= 0 {
		o.BreakerPause = defaultBreakerPause
	}
	return &Guard{
		callTimeout: o.CallTimeout,
		slowCall:    o.SlowCall,
		breaker: gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Timeout:     o.BreakerPause,
			ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
			IsExcluded:  func(err error) bool { return errors.Is(err, errCallerLeft) },
		}),
	}
}

// Available tells whether the breaker is closed.
func (g *Guard) Available() bool { return g.breaker.State() == gobreaker.StateClosed }

// Call runs f with a deadline, unless the breaker is open: then the error is
// [ErrOpen]. A caller that left does not count as a failure of Redis, and one that
// leaves during the call does not end it: it is over at its deadline. Nor does a Redis
// without memory count that said so in time: it still does all that needs none, and
// an invalidation that it was not asked for would be late. The error has no more of a
// reply than its kind.
//
// Connections need no care here: go-redis gives up one on which a read or write
// timed out or was cut off by the end of a context, and so never takes a late
// reply for another command's.
func (g *Guard) Call(ctx context.Context, f func(context.Context) error) error {
	done, err := g.breaker.Allow()
	if err != nil {
		return ErrOpen
	}
	if err := ctx.Err(); err != nil {
		done(errCallerLeft)
		return err
	}
	began := time.Now()
	timed, cancel := bounded(ctx, began.Add(g.callTimeout))
	defer cancel()
	err = f(timed)
	var slow error
	if g.slowCall > 0 && time.Since(began) > g.slowCall {
		slow = errSlow
	}
	switch {
	case err == nil:
		done(slow)
		return nil
	case outOfMemory(err):
		done(slow)
		return WithoutReply(err)
	case left(ctx):
		done(errCallerLeft)
		return cmp.Or(ctx.Err(), context.DeadlineExceeded)
	}
	done(err)
	return WithoutReply(err)
}

// bounded is a context with the values and the deadline of ctx, or an earlier one. It does
// not end with ctx before that: go-redis asks each context for its channel, and a call
// whose end nobody else waits for would have to make one, and one for each parent, to
// save a caller that has left a few milliseconds.
func bounded(ctx context.Context, deadline time.Time) (context.Context, context.CancelFunc) {
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// left tells whether the caller's time is up. A connection has the caller's
// deadline, and may notice it before the context does.
func left(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || (ok && !time.Now().Before(deadline))
}

// outOfMemory tells whether Redis refused a command for want of memory alone.
func outOfMemory(err error) bool {
	reply, ok := errors.AsType[*ReplyError](WithoutReply(err))
	return ok && reply.Kind == "OOM"
}

// WithoutReply reduces an error reply to its kind, "OOM" or "NOPERM": some
// replies repeat the arguments, which may be an entry.
func WithoutReply(err error) error {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return err
	}
	kind, _, _ := strings.Cut(reply.Error(), " ")
	return &ReplyError{Kind: kind[:min(len(kind), 32)]}
}
