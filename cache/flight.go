package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// DefaultFlightTimeout is the timeout of a flight if the options set none.
const DefaultFlightTimeout = 30 * time.Second

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
	base   context.Context // ends all flights at Close
	cancel context.CancelFunc
}

type flightKey struct {
	key    Key
	number uint64 // of the version
}

type flightCall[T any] struct {
	joined func(joiner context.Context)
	done   chan struct{} // closed when answer and err are set
	cancel context.CancelFunc
	end    time.Time // of the flight at the latest
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

// FlightOptions are the settings of a [Flight]. The zero value is good.
type FlightOptions struct {
	// Timeout bounds a flight. [DefaultFlightTimeout] if not positive.
	Timeout time.Duration
	// Now is the clock of the versions; time.Now if nil.
	Now func() time.Time
	// Metrics counts calls that joined a flight. It may be nil.
	Metrics Metrics
	// Joined, if set, is called when a caller joins the flight of another one,
	// before it waits, with the contexts of the flight and of the caller.
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
	call, shared, err := f.join(ctx, key, version, fetch)
	if err != nil {
		return answer, false, err
	}
	if shared {
		f.options.Metrics.Count(StoreFlight, Coalesced)
		call.joined(ctx) // Without the lock, which the deadline of the flight needs.
	}
	select {
	case <-call.done:
		return call.answer, shared, call.err
	case <-ctx.Done():
		f.leave(flightKey{key, version.number}, call)
		return answer, shared, ctx.Err()
	}
}

// Begin starts a flight for later callers, and does not wait. It returns false if
// there is a flight that a caller of this version would join, or after Close. The
// fetch goes on when the callers that join it leave.
func (f *Flight[T]) Begin(ctx context.Context, key Key, version Version, fetch func(context.Context) (T, error)) bool {
	// join counts a waiting caller here, and that one never leaves.
	_, shared, err := f.join(ctx, key, version, fetch)
	return err == nil && !shared
}

func (f *Flight[T]) join(ctx context.Context, of Key, version Version,
	fetch func(context.Context) (T, error),
) (call *flightCall[T], shared bool, err error) {
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
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.options.Timeout) //nolint:gosec // run calls it.
	end, _ := detached.Deadline()
	call = &flightCall[T]{
		joined: func(joiner context.Context) { f.options.Joined(detached, joiner) },
		done:   make(chan struct{}), cancel: cancel, end: end, waiting: 1, until: until(ctx, end),
	}
	detached = WithDeparture(detached, func(context.Context) { f.depart(call) })
	// In place of a flight that is too old for this caller, which goes on for those
	// who joined it.
	f.calls[key] = call
	f.all.Go(func() { f.run(flightContext{detached, &f.mu, &call.until}, key, call, fetch) }) //nolint:contextcheck // It is made of detached.
	return call, false, nil
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
func (f *Flight[T]) leave(key flightKey, call *flightCall[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call.waiting--; call.waiting == 0 {
		// Out of the table first, so that no caller joins a flight that ends.
		f.forget(key, call)
		call.cancel()
	}
}

// forget is called with the lock held.
func (f *Flight[T]) forget(key flightKey, call *flightCall[T]) {
	if f.calls[key] == call {
		delete(f.calls, key)
	}
}

func (f *Flight[T]) run(ctx context.Context, key flightKey, call *flightCall[T],
	fetch func(context.Context) (T, error),
) {
	defer call.cancel()
	defer context.AfterFunc(f.base, call.cancel)() //nolint:contextcheck // Close ends flights through base, beside their contexts.
	defer func() {
		if p := recover(); p != nil {
			call.err = fmt.Errorf("cache: fetch panicked: %v\n%s", p, debug.Stack())
		}
		// Out of the table first: a caller that has the answer and asks again starts
		// a new flight.
		f.mu.Lock()
		f.forget(key, call)
		f.mu.Unlock()
		close(call.done)
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
}
