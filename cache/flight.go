package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// DefaultFlightTimeout bounds a flight that no other timeout was given for.
const DefaultFlightTimeout = 30 * time.Second

// ErrFlightsClosed is the error of a call after Close.
var ErrFlightsClosed = errors.New("cache: no more flights")

// Flight makes calls that ask the same at the same time share one answer. Each
// caller must have been authorized on its own before. It is for use from any
// goroutine.
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
	key     Key
	version uint64
}

type flightCall[T any] struct {
	joined func(joiner context.Context)
	done   chan struct{} // closed when answer and err are set
	cancel context.CancelFunc
	end    time.Time // of the flight at the latest
	answer T
	err    error
	// waiting is how many want the answer, and until when the most patient of
	// them waits; [Flight.mu] guards them.
	waiting int
	until   time.Time
}

// flightContext is a flight's: its deadline is that of the caller who waits the
// longest, so that what cannot be had by then is not begun, and moves when one
// joins who waits longer. It does not end by itself then: the caller leaves.
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

// until is how long a caller waits for a flight, no longer than last.
func until(ctx context.Context, last time.Time) time.Time {
	if deadline, ok := ctx.Deadline(); ok && deadline.Before(last) {
		return deadline
	}
	return last
}

// FlightOptions configure a [Flight]. All may be left out.
type FlightOptions struct {
	// Timeout is how long a flight takes at the most; [DefaultFlightTimeout] if not
	// positive.
	Timeout time.Duration
	// Metrics is told of calls that joined others; nil for nobody.
	Metrics Metrics
	// Joined is called, before it waits, with the context of a caller who joins a
	// flight that another began, and with the flight's own; nil for nothing.
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
	o.Metrics = OrDiscard(o.Metrics)
	base, cancel := context.WithCancel(context.Background()) //nolint:gosec // Close calls it.
	return &Flight[T]{
		options: o,
		calls:   map[flightKey]*flightCall[T]{},
		base:    base,
		cancel:  cancel,
	}
}

// Do returns the answer of fetch, or that of a call for the same key and version
// that is on its way; shared tells which. Callers who share an answer must not
// modify it.
//
// version is what [Memory.Version] or [Tiered.Version] said of the key's tags
// when this caller came. A caller who came after a write therefore does not join
// a fetch that began before its end.
//
// fetch runs on a goroutine of its own with the values of ctx but not its end:
// when the caller who started it leaves, the others still get their answer. It
// ends with the flight's timeout, and when nobody waits for it any more, and has
// the deadline of the caller who waits the longest. Do itself returns when ctx ends. A panic of fetch is an error for everyone in the
// flight.
func (f *Flight[T]) Do(ctx context.Context, key Key, version uint64,
	fetch func(context.Context) (T, error),
) (answer T, shared bool, err error) {
	call, shared, err := f.join(ctx, flightKey{key, version}, fetch)
	if err != nil {
		return answer, false, err
	}
	if shared {
		f.options.Metrics.Count(StoreFlight, Coalesced)
		call.joined(ctx) // Without the lock, which who asks the flight's deadline needs.
	}
	select {
	case <-call.done:
		return call.answer, shared, call.err
	case <-ctx.Done():
		f.leave(flightKey{key, version}, call)
		return answer, shared, ctx.Err()
	}
}

// Begin starts fetch for whoever asks next, unless one for the same key and
// version is on its way or Close was called, and does not wait; it returns
// whether it did. The fetch goes on when those who join it leave.
func (f *Flight[T]) Begin(ctx context.Context, key Key, version uint64, fetch func(context.Context) (T, error)) bool {
	// Nobody ever leaves for the one who is counted as waiting here.
	_, shared, err := f.join(ctx, flightKey{key, version}, fetch)
	return err == nil && !shared
}

func (f *Flight[T]) join(ctx context.Context, key flightKey,
	fetch func(context.Context) (T, error),
) (call *flightCall[T], shared bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, false, ErrFlightsClosed
	}
	if call, ok := f.calls[key]; ok {
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
	f.calls[key] = call
	f.all.Go(func() { f.run(flightContext{detached, &f.mu, &call.until}, key, call, fetch) }) //nolint:contextcheck // It is made of detached.
	return call, false, nil
}

// leave ends a flight that nobody waits for: it would spend the upstream's
// budget for nobody.
func (f *Flight[T]) leave(key flightKey, call *flightCall[T]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if call.waiting--; call.waiting == 0 {
		// Out of the table first: nobody joins what is about to end.
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
	defer context.AfterFunc(f.base, call.cancel)() //nolint:contextcheck // It is what ends flights at Close, beside their own contexts.
	defer func() {
		if p := recover(); p != nil {
			call.err = fmt.Errorf("cache: fetch panicked: %v\n%s", p, debug.Stack())
		}
		// Out of the table first: who sees the answer and asks again starts anew.
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

// Leases are taken by one replica at a time. Redis gives them.
type Leases interface {
	// Acquire takes the lease of key for ttl, after which it is over by itself.
	// ok is false while another has it. release gives it back, if it is still
	// this one's, is not nil if ok, and is not stopped by the end of its ctx. The
	// error wraps ErrUnavailable.
	Acquire(ctx context.Context, key Key, ttl time.Duration) (release func(context.Context) error, ok bool, err error)
}

// The lease of a fetch, and how often who waits for it looks.
const (
	// DefaultFetchLease is how long a replica that died keeps others from
	// fetching the same.
	DefaultFetchLease = 10 * time.Second
	firstLook         = 10 * time.Millisecond
	lastLook          = 250 * time.Millisecond
)

// Across makes one replica fetch what several miss. Whoever has the lease of key
// fetches; the others look for its answer with load, which asks the shared
// store, and take over once the lease is free. If no lease can be had because
// the store that gives them is unavailable, it fetches. ttl is the lease's
// length, [DefaultFetchLease] if not positive. It is meant to run in a [Flight],
// and ends with ctx.
func Across[T any](ctx context.Context, leases Leases, key Key, ttl time.Duration,
	load func(context.Context) (T, bool), fetch func(context.Context) (T, error),
) (T, error) {
	if ttl <= 0 {
		ttl = DefaultFetchLease
	}
	for look := firstLook; ; look = min(2*look, lastLook) {
		release, ok, err := leases.Acquire(ctx, key, ttl)
		if err != nil {
			return fetch(ctx)
		}
		if ok {
			return fetchHolding(ctx, release, load, fetch)
		}
		timer := time.NewTimer(look)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			var none T
			return none, ctx.Err()
		}
		if answer, ok := load(ctx); ok {
			return answer, nil
		}
	}
}

// fetchHolding looks once more, because the lease may have become free by an
// answer that was saved meanwhile.
func fetchHolding[T any](ctx context.Context, release func(context.Context) error,
	load func(context.Context) (T, bool), fetch func(context.Context) (T, error),
) (T, error) {
	// The lease ends by itself if it cannot be given back.
	defer func() { _ = release(context.WithoutCancel(ctx)) }()
	if answer, ok := load(ctx); ok {
		return answer, nil
	}
	return fetch(ctx)
}
