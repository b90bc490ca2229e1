package pace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"
)

// breakerFailures is how many calls in a row have to fail before Redis is given
// a pause.
const breakerFailures = 5

// errCallerLeft tells the breaker that a call says nothing about Redis.
var errCallerLeft = errors.New("caller left")

func newBreaker(pause time.Duration) *gobreaker.TwoStepCircuitBreaker[struct{}] {
	return gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Timeout:     pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= breakerFailures },
		IsExcluded:  func(err error) bool { return errors.Is(err, errCallerLeft) },
	})
}

// call runs f with a deadline, unless Redis is being given a pause. Its error
// wraps ErrUnavailable.
func (r *Redis) call(ctx context.Context, f func(context.Context) error) error {
	done, err := r.breaker.Allow()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	timed, cancel := context.WithTimeout(ctx, r.options.CallTimeout)
	defer cancel()
	err = f(timed)
	switch {
	case err == nil:
		done(nil)
		return nil
	case left(ctx):
		done(errCallerLeft)
		return fmt.Errorf("%w: %w", ErrUnavailable, cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	done(err)
	return fmt.Errorf("%w: %w", ErrUnavailable, withoutReply(err))
}

// left tells whether the caller's time is up. A connection has the caller's
// deadline, and may notice it before the context does.
func left(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || (ok && !time.Now().Before(deadline))
}

// withoutReply keeps of an error of Redis no more than its kind, "OOM" or
// "NOPERM": some repeat the arguments.
func withoutReply(err error) error {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return err
	}
	kind, _, _ := strings.Cut(reply.Error(), " ")
	return fmt.Errorf("redis answered %.32q", kind)
}
