package processtest

import (
	"context"
	"time"
)

// Patience bounds a wait for an event that should come soon.
const Patience = 30 * time.Second

// Pause waits for d, or until ctx ends.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// Until asks again, 20 times a second, until ask has no error. The error is the last one
// of ask.
func Until(ctx context.Context, limit time.Duration, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ask(ctx)
		if err == nil {
			return nil
		}
		if Pause(ctx, 50*time.Millisecond) != nil {
			return err
		}
	}
}
