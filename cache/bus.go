package cache

import (
	"context"
	"time"
)

// Bus carries the invalidations of other replicas. Redis is one.
type Bus interface {
	// Listen calls l until ctx ends, and then returns. It connects and reconnects
	// by itself. Calls of l come one at a time, and none after Listen has returned.
	// There may be one Listen at a time.
	Listen(ctx context.Context, l Listener)
}

// Listener receives the events of a [Bus]. Its methods do not block.
//
// Silence is not an event: a listener that is paused, or whose connection is dead,
// could not be told in time. It goes by the moment as of which it last heard.
type Listener interface {
	// Invalidated means that another replica opened, closed or purged these slots.
	// It need not be called for the writes of this replica.
	Invalidated(slots []Slot)
	// InvalidatedAll means that all entries are invalid: the shared store lost or
	// ended its generations.
	InvalidatedAll()
	// Up means that no invalidation after asOf is missed; earlier ones may have
	// been. It comes when the subscription is confirmed, and again after each
	// reconnection. asOf is a moment by the clock of this process.
	Up(asOf time.Time)
	// Heard means that all invalidations from before asOf have been delivered, if
	// they came after the last Up.
	Heard(asOf time.Time)
}
