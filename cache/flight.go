package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/standby"
)

// DefaultFlightTimeout is the timeout of a flight if the options set none.
const DefaultFlightTimeout = 30 * time.Second

// standbyFlights is how many goroutines wait for flights: as many misses as are usually under
// way, each with a stack of 16 KiB that the collector shrinks when it is not used.
const standbyFlights = 64

// ErrFlightsClosed is the error of a call after Close.
var ErrFlightsClosed = errors.New("cache: flights are closed")

// Flight lets concurrent calls for the same key share one response. Each caller
// must have been authorized before. It may be used from any goroutine.
type Flight[T any] struct {
	options FlightOptions

	mu     sync.Mutex
	calls  map[flightKey]*flightCall[T]
	closed bool
	all    sync.WaitGroup
	// fetches run the flights.
	fetches *standby.Goroutines
	base    context.Context // ends all flights at Close
	cancel  context.CancelFunc
}

type flightKey struct {
	key    Key
	number uint64 // of the version
}

type flightCall[T any] struct {
	key flightKey
	// values is a context with the values of the caller that began the flight.
	values context.Context
	done   chan struct{} // closed when answer and err are set
	end    time.Time     // of the flight at the latest
	// cancel ends the fetch. It is nil before that has begun. [Flight.mu] guards it.
	cancel context.CancelFunc
	answer T
	err    error
	// waiting is the number of callers that wait, and until the latest of their
	// deadlines; [Flight.mu] guards both.
	waiting int
	until   time.Time
	// departed is when the fetch departed, by [FlightOptions].Now; zero before.
	// [Flight.mu] guards it.
	departed time.Time
}

// FlightOptions are the settings of a [Flight]. The zero value is good.
type FlightOptions struct {
	// Timeout bounds a flight. [DefaultFlightTimeout] if not positive.
	Timeout time.Duration
	// Now is the clock of the versions; time.Now if nil.
	Now func() time.Time
	// Metrics counts calls that joined a flight. It may be nil.
	Metrics Metrics
	// Joined, if set, is called when a caller joins the flight of another one,
	// before it waits. It gets the values of the one that began the flight, in a
	// context without end, and the context of the caller.
	Joined func(flight, joiner context.Context)
}

// NewFlight returns a Flight. Close it.
func NewFlight[T any](o FlightOptions) *Flight[T] {
	if o.Timeout <= 0 {
		o.Timeout = DefaultFlightTimeout
	}
	if o.Joined == nil {
		o.Joined = func(context.Context, context.Context) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Metrics = OrDiscard(o.Metrics)
	base, cancel := context.WithCancel(context.Background()) //nolint:gosec // Close calls it.
	return &Flight[T]{
		options: o,
		calls:   map[flightKey]*flightCall[T]{},
		fetches: standby.New(standbyFlights),
		base:    base,
		cancel:  cancel,
	}
}

// Do returns the answer of fetch, or that of a flight for the same key and version;
// shared reports which. Callers that share an answer must not modify it.
//
// version is the value of [Memory.Version] or [Tiered.Version] for the tags of the
// key when this caller came. A caller that came after a write therefore does not
// join a fetch that began before its end. Where invalidations may be unknown, it
// does not join a fetch that departed (see [Depart]) before the version's last
// knowledge either.
//
// fetch runs on a goroutine of the flight, with the values of ctx but not its end:
// when the caller that started it leaves, the others still get their answer. Its
// context ends after the timeout of the flight, or when the last caller has left,
// and has the latest deadline of all callers. Do returns when ctx ends. A panic of
// fetch is an error for all callers of the flight.
func (f *Flight[T]) Do(ctx context.Context, key Key, version Version,
	fetch func(context.Context) (T, error),
) (answer T, shared bool, err error) {
	return f.LookOrDo(ctx, key, version, func(context.Context) (answer T, ok bool) { return answer, false }, fetch)
}

// LookOrDo is Do with a look before the fetch, for an answer that is had at once. The
// caller that begins the flight looks, on its own goroutine and with its own ctx: another
// goroutine costs more than most looks. If look returns true, its answer is that of all
// callers, and fetch is not called. Look must end when its ctx does. A panic of look is an
// error for all callers too.
func (f *Flight[T]) LookOrDo(ctx context.Context, key Key, version Version,
	look func(context.Context) (T, bool), fetch func(context.Context) (T, error),
) (answer T, shared bool, err error) {
	call, shared, err := f.join(ctx, key, version)
	if err != nil {
		return answer, false, err
	}
	switch {
	case shared:
		f.options.Metrics.Count(StoreFlight, Coalesced)
		f.options.Joined(call.values, ctx) // Without the lock, which the deadline of the flight needs.
	case f.look(ctx, call, look), f.abandon(ctx, call):
		return call.answer, false, call.err
	default:
		f.start(ctx, call, fetch)
	}
	select {
	case <-call.done:
		return call.answer, shared, call.err
	case <-ctx.Done():
		f.leave(call)
		return answer, shared, ctx.Err()
	}
}

// Begin starts a flight for later callers, and does not wait. It returns false if
// there is a flight that a caller of this version would join, or after Close. The
// fetch goes on when the callers that join it leave.
func (f *Flight[T]) Begin(ctx context.Context, key Key, version Version, fetch func(context.Context) (T, error)) bool {
	// join counts a waiting caller here, and that one never leaves.
	call, shared, err := f.join(ctx, key, version)
	if err != nil || shared {
		return false
	}
	f.start(ctx, call, fetch)
	return true
}

// join returns the flight that a caller shares, or a new one, which the caller has to
// start or to finish.
func (f *Flight[T]) join(ctx context.Context, of Key, version Version) (call *flightCall[T], shared bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, false, ErrFlightsClosed
	}
	key := flightKey{of, version.number}
	if call, ok := f.calls[key]; ok && call.isRecent(version) {
		call.waiting++
		if longer := until(ctx, call.end); longer.After(call.until) {
			call.until = longer
		}
		return call, true, nil
	}
	end := time.Now().Add(f.options.Timeout)
	call = &flightCall[T]{
		key: key, values: context.WithoutCancel(ctx),
		done: make(chan struct{}), end: end, waiting: 1, until: until(ctx, end),
	}
	// In place of a flight that is too old for this caller, which goes on for those
	// who joined it.
	f.calls[key] = call
	f.all.Add(1)
	return call, false, nil
}

// look looks before a fetch is started. It returns true when that ended the flight.
func (f *Flight[T]) look(ctx context.Context, call *flightCall[T], look func(context.Context) (T, bool)) (ended bool) {
	defer func() {
		if p := recover(); p != nil {
			call.err, ended = panicked(p), true
		}
		if ended {
			f.finish(call)
			f.all.Done()
		}
	}()
	answer, ok := look(ctx)
	if ok {
		call.answer = answer
	}
	return ok
}

// abandon ends a flight before its fetch, if the caller that began it has left and no other
// has come.
func (f *Flight[T]) abandon(ctx context.Context, call *flightCall[T]) (ended bool) {
	if ctx.Err() == nil {
		return false
	}
	f.mu.Lock()
	ended = call.waiting == 1
	if ended {
		// Out of the table, so that no caller joins it.
		f.forget(call)
	}
	f.mu.Unlock()
	if ended {
		call.err = ctx.Err()
		f.finish(call)
		f.all.Done()
	}
	return ended
}

// start starts the fetch of a flight.
func (f *Flight[T]) start(ctx context.Context, call *flightCall[T], fetch func(context.Context) (T, error)) {
	detached, cancel := context.WithDeadline(context.WithoutCancel(ctx), call.end) //nolint:gosec // run calls it.
	f.mu.Lock()
	call.cancel = cancel
	f.mu.Unlock()
	detached = WithDeparture(detached, func(context.Context) { f.depart(call) })
	f.fetches.Go(func() {
		defer f.all.Done()
		f.run(flightContext{detached, &f.mu, &call.until}, call, fetch) //nolint:contextcheck // It is made of detached.
	})
}

// isRecent reports whether the response of a flight is recent enough for a caller.
// One that has not departed will be. [Flight.mu] is held.
func (c *flightCall[T]) isRecent(version Version) bool {
	return c.departed.IsZero() || c.departed.After(version.since)
}

// depart notes that a fetch departs. The first of its requests counts.
func (f *Flight[T]) depart(call *flightCall[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call.departed.IsZero() {
		call.departed = f.options.Now()
	}
}

// leave ends a flight without callers: its fetch would waste the upstream's budget.
func (f *Flight[T]) leave(call *flightCall[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// The caller that looks is among those who wait: without it, the fetch has begun.
	if call.waiting--; call.waiting == 0 {
		// Out of the table first, so that no caller joins a flight that ends.
		f.forget(call)
		call.cancel()
	}
}

// forget is called with the lock held.
func (f *Flight[T]) forget(call *flightCall[T]) {
	if f.calls[call.key] == call {
		delete(f.calls, call.key)
	}
}

// finish ends a flight whose answer or error is set.
func (f *Flight[T]) finish(call *flightCall[T]) {
	// Out of the table first: a caller that has the answer and asks again starts a new
	// flight.
	f.mu.Lock()
	f.forget(call)
	f.mu.Unlock()
	close(call.done)
}

func panicked(p any) error { return fmt.Errorf("cache: fetch panicked: %v\n%s", p, debug.Stack()) }

func (f *Flight[T]) run(ctx context.Context, call *flightCall[T], fetch func(context.Context) (T, error)) {
	defer call.cancel()
	defer context.AfterFunc(f.base, call.cancel)() //nolint:contextcheck // Close ends flights through base, beside their contexts.
	defer func() {
		if p := recover(); p != nil {
			call.err = panicked(p)
		}
		f.finish(call)
	}()
	call.answer, call.err = fetch(ctx)
}

// Close refuses new calls, cancels the flights and waits until all have ended.
func (f *Flight[T]) Close() {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.cancel()
	f.all.Wait()
	f.fetches.Close()
}
