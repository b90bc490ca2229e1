package upstream

import (
	"sync"
	"time"
)

const (
	// budgetFloor is the number of retries that are available before any call has
	// earned one. It is one, so that from the tenth call on the ratio holds for all
	// calls together, not only in the long run.
	budgetFloor = 1
	// budgetSlots is the number of steps in which the window slides.
	budgetSlots = 10
)

// retryBudget bounds retries to a ratio of the calls that were sent, both in a sliding
// window and in total. It counts calls that reached the upstream at least once: those
// that the breaker or the pacer refused earn nothing.
type retryBudget struct {
	ratio float64
	slot  time.Duration

	mu    sync.Mutex
	began time.Time
	at    int64 // the number of the current slot since began
	slots [budgetSlots]tally
	sum   tally // of the slots
	ever  tally
}

type tally struct{ calls, retries int64 }

func newRetryBudget(ratio float64, window time.Duration) *retryBudget {
	return &retryBudget{ratio: ratio, slot: max(window/budgetSlots, 1), began: time.Now()}
}

// call counts a call that is sent for the first time.
func (b *retryBudget) call(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slide(now)
	b.slots[b.at%budgetSlots].calls++
	b.sum.calls++
	b.ever.calls++
}

// retry takes a retry from the budget, if there is one.
func (b *retryBudget) retry(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.slide(now)
	if !b.sum.allows(b.ratio) || !b.ever.allows(b.ratio) {
		return false
	}
	b.slots[b.at%budgetSlots].retries++
	b.sum.retries++
	b.ever.retries++
	return true
}

func (t tally) allows(ratio float64) bool {
	return float64(t.retries+1) <= max(budgetFloor, ratio*float64(t.calls))
}

// slide empties the slots that have left the window.
func (b *retryBudget) slide(now time.Time) {
	to := int64(now.Sub(b.began) / b.slot)
	for n := 0; b.at < to && n < budgetSlots; n++ {
		b.at++
		old := &b.slots[b.at%budgetSlots]
		b.sum.calls -= old.calls
		b.sum.retries -= old.retries
		*old = tally{}
	}
	b.at = max(b.at, to)
}
