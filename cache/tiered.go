package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultCap is how long an entry may live in memory while the invalidations of
// other replicas cannot be heard.
const DefaultCap = 5 * time.Second

// TieredOptions configure a [Tiered].
type TieredOptions struct {
	// Memory is the near store, and belongs to the Tiered from then on.
	Memory *Memory
	// Shared is the store that all replicas share. Nil if there is none: then the
	// memory alone serves, without a cap.
	Shared Store
	// Bus tells what other replicas invalidate. With Shared and no Bus the cap
	// holds all the time.
	Bus Bus
	// Cap is how long an entry may live in memory while the bus is down, or when
	// Shared could not confirm it. DefaultCap if zero.
	Cap time.Duration
	// Convert makes Entry.Local of an entry's body. Nil makes none. An error makes
	// the entry a miss.
	Convert func(key Key, body []byte) ([]byte, error)
	// Metrics may be nil.
	Metrics Metrics
}

// Tiered is the memory of a replica over a store that all replicas share: it
// answers from memory, fills the memory from the shared store, and tells both of
// writes. Nothing that Shared does is waited for longer than its own bound.
type Tiered struct {
	memory  *Memory
	shared  Store
	bus     Bus
	limit   time.Duration
	convert func(key Key, body []byte) ([]byte, error)
	metrics Metrics
}

// NewTiered returns a Tiered. Where there is a Bus, call [Tiered.Run].
func NewTiered(o TieredOptions) (*Tiered, error) {
	switch {
	case o.Memory == nil:
		return nil, errors.New("cache: a Tiered without memory")
	case o.Cap < 0:
		return nil, errors.New("cache: negative cap")
	case o.Bus != nil && o.Shared == nil:
		return nil, errors.New("cache: a bus without a shared store")
	}
	if o.Cap == 0 {
		o.Cap = DefaultCap
	}
	if o.Convert == nil {
		o.Convert = func(Key, []byte) ([]byte, error) { return nil, nil }
	}
	t := &Tiered{
		memory: o.Memory, shared: o.Shared, bus: o.Bus,
		limit: o.Cap, convert: o.Convert, metrics: OrDiscard(o.Metrics),
	}
	if t.shared != nil {
		t.memory.isolate(t.limit)
	}
	return t, nil
}

var _ Store = (*Tiered)(nil)

// Run listens to the bus until ctx ends. Until it hears from the bus, and after
// its end, the cap holds. Without a bus it does nothing.
func (t *Tiered) Run(ctx context.Context) {
	if t.bus == nil {
		return
	}
	defer t.memory.isolate(t.limit)
	t.bus.Listen(ctx, listener{t})
}

// listener is what the bus tells a Tiered.
type listener struct{ t *Tiered }

// Invalidated implements [Listener].
func (l listener) Invalidated(slots []Slot) { l.t.memory.generations.bump(slots) }

// Up implements [Listener].
func (l listener) Up() {
	l.t.memory.rejoin()
	l.t.metrics.Count(StoreMemory, Gap)
}

// Down implements [Listener].
func (l listener) Down() { l.t.memory.isolate(l.t.limit) }

// Version is [Memory.Version] of the memory.
func (t *Tiered) Version(tags Tags) uint64 { return t.memory.Version(tags) }

// Snapshot implements [Store]. If the shared store cannot be reached, the
// snapshot is good for the memory alone and there is no error.
func (t *Tiered) Snapshot(ctx context.Context, tags Tags) (Snapshot, error) {
	at, err := t.memory.snapshot(tags)
	if err != nil || t.shared == nil {
		return at, err
	}
	shared, err := t.shared.Snapshot(ctx, tags)
	switch {
	case err == nil:
		at.shared = &shared
	case !errors.Is(err, ErrUnavailable):
		// Mostly ErrWriting: another replica is writing.
		return Snapshot{}, err
	}
	return at, nil
}

// Load implements [Store]: first from memory, then from the shared store, which
// fills the memory. What is no longer fresh in memory may have been fetched anew
// by another replica, so the shared store is asked then too. Its error is
// returned if there is nothing in memory, and is a miss.
func (t *Tiered) Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	near, ok, err := t.memory.Load(ctx, key, tags)
	if err != nil || t.shared == nil || (ok && near.Fresh(t.memory.now())) {
		return near, ok, err
	}
	far, found, err := t.loadShared(ctx, key, tags)
	switch {
	case found && (!ok || far.StoredAt.After(near.StoredAt)):
		return far, true, nil
	case ok:
		return near, true, nil
	}
	return Entry{}, false, err
}

func (t *Tiered) loadShared(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	// Before the shared store is asked: what is invalidated while it answers is
	// not kept.
	at, err := t.memory.snapshot(tags)
	if err != nil {
		// A write of this replica is in progress: there is nothing to serve.
		return Entry{}, false, nil //nolint:nilerr // A miss is no error.
	}
	e, ok, err := t.shared.Load(ctx, key, tags)
	if !ok || err != nil {
		return Entry{}, false, err
	}
	if e.Local, err = t.convert(key, e.Body); err != nil {
		t.metrics.Count(StoreMemory, Malformed)
		return Entry{}, false, nil //nolint:nilerr // Counted, and a miss.
	}
	// Whether memory keeps it or not, it was valid when it was loaded.
	_ = t.memory.save(key, e, at, 0)
	return e, true, nil
}

// Save implements [Store]. It stores the entry in the shared store, which may
// refuse it because of what another replica did, and then in memory. An error of
// the shared store other than that is returned, and the memory keeps the entry
// for no longer than the cap.
func (t *Tiered) Save(ctx context.Context, key Key, e Entry, at Snapshot) error {
	if err := validateSave(key, e, at); err != nil {
		return err
	}
	if e.Local == nil {
		local, err := t.convert(key, e.Body)
		if err != nil {
			return fmt.Errorf("cache: %w", err)
		}
		e.Local = local
	}
	if t.shared == nil {
		return t.memory.save(key, e, at, 0)
	}
	if at.shared == nil {
		// Nobody knows what other replicas did since.
		return t.memory.save(key, e, at, t.limit)
	}
	near := e
	e.Local = nil
	err := t.shared.Save(ctx, key, e, *at.shared)
	if errors.Is(err, ErrInvalidated) {
		return err
	}
	var confined time.Duration
	if err != nil {
		confined = t.limit
	}
	if nearErr := t.memory.save(key, near, at, confined); err == nil {
		err = nearErr
	}
	return err
}

// Open implements [Store]. It opens the memory first, and closes it last.
func (t *Tiered) Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error) {
	closeMemory, err := t.memory.Open(ctx, tags)
	if err != nil || t.shared == nil {
		return closeMemory, err
	}
	closeShared, err := t.shared.Open(ctx, tags)
	return func(ctx context.Context) error {
		ctx = context.WithoutCancel(ctx)
		return errors.Join(closeShared(ctx), closeMemory(ctx))
	}, err
}

// Purge implements [Store].
func (t *Tiered) Purge(ctx context.Context, tags Tags) error {
	if t.shared == nil {
		return t.memory.Purge(ctx, tags)
	}
	// The memory last: until then it may be filled from the shared store.
	return errors.Join(t.shared.Purge(ctx, tags), t.memory.Purge(ctx, tags))
}
