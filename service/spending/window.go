package spending

import (
	"sync/atomic"
	"time"
)

const (
	// slotSeconds is the length of a slot, and slots the number of those that a window
	// has: the last minute, and the slot that is under way.
	slotSeconds = 5
	slots       = 60/slotSeconds + 1
)

// window is a sum over the last minute. A slot has its number in the upper half, and its
// sum in the lower, so that both change at once. The zero value is ready for use.
type window [slots]atomic.Uint64

// slotOf numbers the slots of time.
func slotOf(now time.Time) uint64 { return uint64(now.Unix()) / slotSeconds & (1<<32 - 1) }

// add adds n, of which a slot takes 2³²−1 together: 49 days in milliseconds.
func (w *window) add(now time.Time, n uint64) {
	number := slotOf(now)
	slot := &w[number%slots]
	for {
		old := slot.Load()
		next := number<<32 | n
		if old>>32 == number {
			next = old + n
		}
		if slot.CompareAndSwap(old, next) {
			return
		}
	}
}

// sum is what was added in the last 60 to 65 seconds.
func (w *window) sum(now time.Time) (sum uint64) {
	number := slotOf(now)
	for i := range w {
		if slot := w[i].Load(); number-slot>>32 < slots {
			sum += slot & (1<<32 - 1)
		}
	}
	return sum
}
