package cache

import (
	"context"
	"sync"
	"time"
)

// flightContext is the context of a flight. Its deadline is the latest deadline of
// its callers, so that the fetch begins no work that ends later, and it moves when
// a caller with a later deadline joins. The context does not end at the deadline;
// it ends when the last caller leaves.
type flightContext struct {
	context.Context
	mu    *sync.Mutex
	until *time.Time
}

// Deadline implements [context.Context].
func (c flightContext) Deadline() (time.Time, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.until, true
}

// until is the deadline of a caller, or last if that is earlier.
func until(ctx context.Context, last time.Time) time.Time {
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(last) {
		return deadline
	}
	return last
}
