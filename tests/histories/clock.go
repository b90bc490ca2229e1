package histories

import "time"

// Clock measures the time since the beginning of a history. Everything that a
// history records is measured by one clock, which never goes back.
type Clock struct{ began time.Time }

// NewClock starts a clock.
func NewClock() *Clock { return &Clock{began: time.Now()} }

// Now is the time since the beginning.
func (c *Clock) Now() time.Duration { return time.Since(c.began) }
