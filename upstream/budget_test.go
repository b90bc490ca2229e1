package upstream

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRetryBudget compares the budget with one that forgets nothing and counts
// anew every time: there is never more than one retry, or the ratio, in the last
// ten slots and since the start; and what that allows is not refused.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.IntRange(1, 128).Draw(t, "share") // of 128, which a float64 has exactly
		const window = time.Second
		b := newRetryBudget(float64(share)/128, window)
		now := b.began
		type event struct {
			slot  time.Duration
			retry bool
		}
		var events []event
		fits := func(after time.Duration) bool {
			calls, retries := 0, 1
			for _, e := range events {
				switch {
				case e.slot <= after:
				case e.retry:
					retries++
				default:
					calls++
				}
			}
			return retries == 1 || 128*retries <= share*calls
		}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 10, 100, 2000}).Draw(t, "ms")) * time.Millisecond)
			slot := now.Sub(b.began) / (window / budgetSlots)
			if rapid.IntRange(0, 4).Draw(t, "call") > 0 {
				b.call(now)
				events = append(events, event{slot, false})
				continue
			}
			want := fits(slot-budgetSlots) && fits(-1)
			if got := b.retry(now); got != want {
				t.Fatalf("a retry after %s: %t, want %t", now.Sub(b.began), got, want)
			}
			if want {
				events = append(events, event{slot, true})
			}
		}
	})
}
