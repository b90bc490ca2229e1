package sandbox

import (
	"sync"
	"time"
)

// RunsFrom returns a clock for [Options].Now that shows start now and runs on.
func RunsFrom(start time.Time) func() time.Time {
	begun := time.Now()
	return func() time.Time { return start.Add(time.Since(begun)) }
}

// StandsAt returns a clock for [Options].Now that always shows the same instant. The
// sandbox's clock still moves when it is told to: [Sandbox.AdvanceClock].
func StandsAt(at time.Time) func() time.Time {
	return func() time.Time { return at }
}

// movedClock is Options.Now, moved by what tests and users have asked for.
type movedClock struct {
	base func() time.Time

	mu    sync.RWMutex
	moved time.Duration
}

func (c *movedClock) now() time.Time {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.base().Add(c.moved)
}

func (c *movedClock) advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved += by
}

func (c *movedClock) set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.moved = to.Sub(c.base())
}

// Now returns the time on the organization's clock.
func (s *Sandbox) Now() time.Time { return s.clock.now() }

// AdvanceClock moves the organization's clock, forwards or backwards, and returns
// its new time. Keys and invites expire by this clock. The budget has another one.
func (s *Sandbox) AdvanceClock(by time.Duration) time.Time {
	s.clock.advance(by)
	return s.clock.now()
}

// SetClock sets the organization's clock. It goes on from there as Options.Now does.
func (s *Sandbox) SetClock(to time.Time) { s.clock.set(to) }
