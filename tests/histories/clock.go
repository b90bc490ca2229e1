package histories

import (
	"context"
	"time"
)

// Clock measures the time since the beginning of a history. Everything that a
// history records is measured by one clock, which never goes back.
type Clock struct{ began time.Time }

// NewClock starts a clock.
func NewClock() *Clock { return &Clock{began: time.Now()} }

// Now is the time since the beginning.
func (c *Clock) Now() time.Duration { return time.Since(c.began) }

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// patience bounds a wait for an event that should come soon.
const patience = 30 * time.Second

// until asks again, 20 times a second, until ask has no error. The error is the
// last one of ask.
func until(ctx context.Context, limit time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if pause(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}
