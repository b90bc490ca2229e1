package leases

import "time"

const (
	// DefaultCallTime is how long a call may take, but for one that gets a lease.
	DefaultCallTime = 30 * time.Second
	// DefaultCreateTime is how long a call may take that gets a lease: it waits until
	// the upstream's budget admits another key.
	DefaultCreateTime = 2 * time.Minute

	firstPause, longestPause = time.Second, 30 * time.Second
	// shortest is the least time between two calls, and the least that a call gets.
	shortestPause, shortestCall = 50 * time.Millisecond, time.Second
)

// Option changes how a lease is held.
type Option func(*options)

type options struct {
	call, create   time.Duration
	first, longest time.Duration
	onKey          func(Key)
	onError        func(error, time.Duration)
	random         func() float64
}

// CallTimes are how long calls may take: one that gets a lease, and any other. A call to
// renew gets less where the lease lives for less.
func CallTimes(create, other time.Duration) Option {
	return func(o *options) { o.create, o.call = max(create, shortestCall), max(other, shortestCall) }
}

// Pauses are the shortest and the longest time to wait ahead of another attempt, unless
// the gateway asks for a longer one. A lease that is about to end shortens them.
func Pauses(shortest, longest time.Duration) Option {
	return func(o *options) {
		o.first = max(shortest, shortestPause)
		o.longest = max(o.first, longest)
	}
}

// OnKey gets each key that takes the place of the one before, which goes on working until
// the end of its own lease. It is called on the goroutine of [Holder.Keep], which waits
// for it.
func OnKey(f func(Key)) Option {
	return func(o *options) { o.onKey = f }
}

// OnError gets each error after which there is another attempt, and the time until then.
// It is called on the goroutine of [Acquire] or [Holder.Keep].
func OnError(f func(err error, pause time.Duration)) Option {
	return func(o *options) { o.onError = f }
}
