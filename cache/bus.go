package cache

import "context"

// Bus tells a replica what others invalidate. Redis is one.
type Bus interface {
	// Listen tells l what happens until ctx ends, and then returns. It connects,
	// and connects again, by itself. Calls of l come one at a time, and none
	// after Listen returned. It may be called once at a time.
	Listen(ctx context.Context, l Listener)
}

// Listener is told what a [Bus] hears. Its methods do not block.
type Listener interface {
	// Invalidated says that another replica opened, closed or purged these
	// slots. It need not be called for what this replica did itself.
	Invalidated(slots []Slot)
	// Up says that from now on nothing will be missed; what happened before may
	// have been. It comes once the subscription is confirmed, and again after
	// each reconnection, with or without a Down before it.
	Up()
	// Down says that from now on invalidations may be missed.
	Down()
}
