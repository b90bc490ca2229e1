package pace

import (
	"math"
	"time"
)

// price is what a call costs, in time.
type price struct {
	// interval is how long a token takes to come back.
	interval time.Duration
	// burst is how many tokens there are at the most.
	burst int
	// slack is how late a token may be taken without the next one being later
	// too: timers are late, and the budget should not be less for it. It is less
	// than an interval, so that no burst becomes larger by it.
	slack time.Duration
}

// priceOf is the price at a rate that may have been learned, in calls per window.
// scriptTerms has the same in Lua.
//
// From a full bucket, n calls take (n-burst) intervals less slack. So with this
// interval the rate's calls and one more take longer than a window, by what of
// the margin is not slack.
func (r Rules) priceOf(limit Limit, rate float64) price {
	burst := max(1, math.Floor(float64(limit.Burst)*rate/limit.Calls))
	interval := float64(r.Window) * (1 + r.Margin) / (rate - burst + 1)
	slack := min(float64(r.Window)*r.Margin/3, interval/2)
	return price{time.Duration(interval), int(burst), time.Duration(slack)}
}

// shareOf is the rate of a replica that spends a share alone. A window has whole
// calls: two replicas with 3.5 of 7 make up to 8 of them.
func shareOf(rate, share float64) float64 {
	rate *= share
	if rate >= 1 {
		rate = math.Floor(rate)
	}
	return rate
}
