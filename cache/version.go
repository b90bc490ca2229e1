package cache

import "time"

// Version is what a reader knew of its tags when it came. See [Memory.Version].
type Version struct {
	// number differs after each invalidation that was known.
	number uint64
	// since, if not zero, is the moment until which invalidations may be unknown: a
	// fetch that departed before may lack a write that ended before the reader came.
	since time.Time
}
