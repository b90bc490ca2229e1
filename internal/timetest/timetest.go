package timetest

import (
	"sync"
	"testing"
	"time"
)

// Clock is a clock that a test moves. It may be used from any goroutine.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock returns a Clock that stands at a fixed time.
func NewClock() *Clock { return &Clock{at: time.Unix(1_800_000_000, 123_456_789)} }

// Now is the time of the clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves the clock.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// Eventually waits until ok returns true. After 20 s the test fails, and event
// says what did not happen.
func Eventually(tb testing.TB, event string, ok func() bool) {
	tb.Helper()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(20 * time.Second)
	for !ok() {
		select {
		case <-ticker.C:
		case <-deadline:
			tb.Fatal("never: " + event)
		}
	}
}
