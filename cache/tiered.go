package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// DefaultCap is how long an entry may live in memory after the bus was last heard.
const DefaultCap = 5 * time.Second

// TieredOptions are the settings of a [Tiered]. Memory is required.
type TieredOptions struct {
	// Memory is the near store. The Tiered owns it from then on.
	Memory *Memory
	// Shared is the store that all replicas share; nil if there is none. Then the
	// memory alone serves, without a cap.
	Shared Store
	// Bus carries the invalidations of other replicas. With Shared and no Bus the
	// cap always applies.
	Bus Bus
	// Cap is how long an entry may live in memory after the bus was last heard, or
	// when Shared could not confirm it. It must be longer than the bus takes to be
	// heard again. DefaultCap if zero.
	Cap time.Duration
	// Convert converts the responses that come without their form [Converted]; nil
	// makes them empty. With an error the entry is a miss.
	Convert Converter
	// Way names how Convert converts, and is the same for those alone that make the
	// same bytes of the same origin. What Shared has was converted in some way; where
	// it is this one, it is not converted again. "" converts all of it.
	Way string
	// Metrics may be nil.
	Metrics Metrics
}

// Converter makes the form [Converted] of an origin, and the notes on it.
type Converter func(key Key, origin []byte) (converted []byte, notes []string, err error)

// Tiered is the memory of a replica over a store that all replicas share: it loads
// from memory, fills the memory from the shared store, and invalidates both. It
// waits for the shared store no longer than that store's timeout.
type Tiered struct {
	memory  *Memory
	shared  Store
	bus     Bus
	limit   time.Duration
	convert Converter
	way     string
	metrics Metrics
}

// NewTiered returns a Tiered. Where there is a Bus, call [Tiered.Run].
func NewTiered(o TieredOptions) (*Tiered, error) {
	switch {
	case o.Memory == nil:
		return nil, errors.New("cache: TieredOptions.Memory is required")
	case o.Cap < 0:
		return nil, errors.New("cache: negative cap")
	case o.Bus != nil && o.Shared == nil:
		return nil, errors.New("cache: a bus without a shared store")
	}
	if o.Cap == 0 {
		o.Cap = DefaultCap
	}
	if o.Convert == nil {
		o.Convert = func(Key, []byte) ([]byte, []string, error) { return nil, nil, nil }
	}
	t := &Tiered{
		memory: o.Memory, shared: o.Shared, bus: o.Bus,
		limit: o.Cap, convert: o.Convert, way: o.Way, metrics: OrDiscard(o.Metrics),
	}
	if t.shared != nil {
		t.memory.follow(t.limit)
	}
	return t, nil
}

var _ Store = (*Tiered)(nil)

// Run listens to the bus until ctx ends. Without a bus Run does nothing, and the cap
// always applies.
func (t *Tiered) Run(ctx context.Context) {
	if t.bus == nil {
		return
	}
	t.bus.Listen(ctx, listener{t})
}

// listener is the [Listener] of a Tiered.
type listener struct{ t *Tiered }

// Invalidated implements [Listener].
func (l listener) Invalidated(slots []Slot) { l.t.memory.generations.bump(slots) }

// InvalidatedAll implements [Listener].
func (l listener) InvalidatedAll() { l.t.memory.generations.bumpAll() }

// Up implements [Listener].
func (l listener) Up(asOf time.Time) {
	l.t.memory.rejoin(asOf)
	l.t.metrics.Count(StoreMemory, Gap)
}

// Heard implements [Listener].
func (l listener) Heard(asOf time.Time) { l.t.memory.hear(asOf) }

// Version is the [Memory.Version] of the memory.
func (t *Tiered) Version(tags Tags) Version { return t.memory.Version(tags) }

// Overtaken notes that a response was fetched which a write has overtaken, before it is
// returned. It may show a write of another replica whose message has not come yet: no
// entry and no flight from before is good any more, or this replica would go back in
// time.
func (t *Tiered) Overtaken(tags Tags) { t.memory.generations.bump(tags.slots) }

// Snapshot implements [Store]. If the shared store is unavailable, the snapshot is
// valid for the memory alone, without an error.
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
// fills the memory. If the entry in memory is stale, another replica may have
// fetched a new one, so the shared store is asked too. Its error is returned if the
// memory has no entry.
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
	// Before the shared store is asked: an entry that is invalidated meanwhile is
	// not stored in memory.
	at, err := t.memory.snapshot(tags)
	if err != nil {
		// A write of this replica is open: no entry is valid.
		return Entry{}, false, nil //nolint:nilerr // A miss is no error.
	}
	e, ok, err := t.shared.Load(ctx, key, tags)
	if !ok || err != nil {
		return Entry{}, false, err
	}
	if !e.Forms.wasConverted(t.way) {
		e, err = t.converted(key, e)
	}
	if err != nil {
		t.metrics.Count(StoreMemory, Malformed)
		return Entry{}, false, nil //nolint:nilerr // Counted, and a miss.
	}
	// The entry was valid when it was loaded, whether or not memory stores it.
	_ = t.memory.save(key, e, at, 0)
	return e, true, nil
}

// converted is the entry with the form [Converted].
func (t *Tiered) converted(key Key, e Entry) (Entry, error) {
	origin, err := e.Forms.Origin()
	if err != nil {
		return e, err
	}
	made, notes, err := t.convert(key, origin)
	if err != nil {
		return e, err
	}
	e.Forms = e.Forms.convertedTo(made, notes, t.way)
	return e, nil
}

// Save implements [Store]. What the response was converted to is taken as made by Convert.
// It stores the entry in the shared store, which may refuse
// it because another replica has invalidated it, and then in memory. Any other error
// of the shared store is returned, and the cap applies to the entry in memory.
func (t *Tiered) Save(ctx context.Context, key Key, e Entry, at Snapshot) error {
	if err := validateSave(key, e, at); err != nil {
		return err
	}
	if _, ok := e.Forms.Held(Converted); ok {
		e.Forms.convertedBy(t.way)
	} else {
		var err error
		if e, err = t.converted(key, e); err != nil {
			return fmt.Errorf("cache: %w", err)
		}
	}
	if t.shared == nil {
		return t.memory.save(key, e, at, 0)
	}
	if at.shared == nil {
		// Other replicas may have invalidated it since.
		return t.memory.save(key, e, at, t.limit)
	}
	err := t.shared.Save(ctx, key, e, *at.shared)
	if errors.Is(err, ErrInvalidated) {
		return err
	}
	var confined time.Duration
	if err != nil {
		confined = t.limit
	}
	if nearErr := t.memory.save(key, e, at, confined); err == nil {
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
