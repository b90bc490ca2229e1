package pace

import (
	"time"

	"golang.org/x/time/rate"
)

// grains is how many units of a rate.Limiter make a token. Its burst is a whole
// number, and slack is a fraction of a token.
const grains = 1000

// limiter is a token bucket in the process.
type limiter struct {
	tokens *rate.Limiter
	price  price
}

// newLimiter returns a limiter that has a number of tokens as of now: at most the
// burst, which makes it full.
func newLimiter(p price, now time.Time, tokens float64) *limiter {
	l := &limiter{tokens: rate.NewLimiter(p.limit(), p.grains()), price: p}
	if tokens < float64(p.burst) {
		l.tokens.AllowN(now, p.grains()-int(tokens*grains))
	}
	return l
}

func (p price) limit() rate.Limit { return rate.Every(p.interval) * grains }

func (p price) grains() int {
	return p.burst*grains + int(grains*float64(p.slack)/float64(p.interval))
}

// set changes the price of the tokens that are taken from now on.
func (l *limiter) set(p price, now time.Time) {
	if p == l.price {
		return
	}
	l.price = p
	l.tokens.SetLimitAt(now, p.limit())
	l.tokens.SetBurstAt(now, p.grains())
}

// reopen takes tokens so that no more than one is there at a later time.
func (l *limiter) reopen(at time.Time) {
	if more := int(l.tokens.TokensAt(at)) - grains; more > 0 {
		l.tokens.AllowN(at, more)
	}
}

// wait is the time until there is a token.
func (l *limiter) wait(now time.Time) time.Duration { return l.waitFor(1, now) }

// waitFor is the time until there is a number of tokens, at most the burst.
func (l *limiter) waitFor(tokens float64, now time.Time) time.Duration {
	missing := tokens*grains - l.tokens.TokensAt(now)
	if missing <= 0 {
		return 0
	}
	// Rounded up: a timer that is a nanosecond early fires twice.
	return time.Duration(missing/grains*float64(l.price.interval)) + time.Microsecond
}

// take takes a token. There must be one.
func (l *limiter) take(now time.Time) { l.tokens.AllowN(now, grains) }

// count is the number of tokens.
func (l *limiter) count(now time.Time) float64 {
	return max(0, min(l.tokens.TokensAt(now)/grains, float64(l.price.burst)))
}
