package cache

import "context"

// Bus carries the invalidations of other replicas. Redis is one.
type Bus interface {
	// Listen calls l until ctx ends, and then returns. It connects and reconnects
	// by itself. Calls of l come one at a time, and none after Listen has returned.
	// There may be one Listen at a time.
	Listen(ctx context.Context, l Listener)
}

// Listener receives the events of a [Bus]. Its methods do not block.
type Listener interface {
	// Invalidated means that another replica opened, closed or purged these slots.
	// It need not be called for the writes of this replica.
	Invalidated(slots []Slot)
	// Up means that from now on no invalidation is missed; earlier ones may have
	// been. It comes when the subscription is confirmed, and again after each
	// reconnection, with or without a Down before it.
	Up()
	// Down means that from now on invalidations may be missed.
	Down()
}
