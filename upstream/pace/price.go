package pace

import (
	"math"
	"time"
)

// price is the cost of a call, in time.
type price struct {
	// interval is the time after which a taken token is back.
	interval time.Duration
	// burst is the largest number of tokens.
	burst int
	// slack is how late a token may be taken without delaying the next one: timers
	// fire late, and that must not lower the rate. It is less than an interval, so
	// that it enlarges no burst.
	slack time.Duration
}

// priceOf is the price at a rate, in calls per window, that refusals may have
// lowered. scriptTerms has the same in Lua.
//
// From a full bucket, n calls take (n-burst) intervals less slack. With this
// interval, one call more than the rate takes longer than a window, by the part of
// the margin that is not slack.
func (r Rules) priceOf(limit Limit, rate float64) price {
	burst := max(1, math.Floor(float64(limit.Burst)*rate/limit.Calls))
	interval := float64(r.Window) * (1 + r.Margin) / (rate - burst + 1)
	slack := min(float64(r.Window)*r.Margin/3, interval/2)
	return price{time.Duration(interval), int(burst), time.Duration(slack)}
}

// shareOf is the rate of a replica that spends a share alone. It is rounded down,
// because a window has whole calls: two replicas at 3.5 of 7 make up to 8.
func shareOf(rate, share float64) float64 {
	rate *= share
	if rate >= 1 {
		rate = math.Floor(rate)
	}
	return rate
}
