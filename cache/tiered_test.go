package cache

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// handBus is a bus whose messages the test delivers.
type handBus struct {
	listening chan Listener
}

func newHandBus() *handBus { return &handBus{listening: make(chan Listener, 1)} }

func (b *handBus) Listen(ctx context.Context, l Listener) {
	b.listening <- l
	<-ctx.Done()
}

// broken is a store that can be made to fail.
type broken struct {
	Store
	fails bool
	asked int
}

var errBroken = errors.Join(ErrUnavailable, errors.New("black hole"))

func (b *broken) err() error {
	b.asked++
	if b.fails {
		return errBroken
	}
	return nil
}

func (b *broken) Snapshot(ctx context.Context, tags Tags) (Snapshot, error) {
	if err := b.err(); err != nil {
		return Snapshot{}, err
	}
	return b.Store.Snapshot(ctx, tags)
}

func (b *broken) Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	if err := b.err(); err != nil {
		return Entry{}, false, err
	}
	return b.Store.Load(ctx, key, tags)
}

func (b *broken) Save(ctx context.Context, key Key, e Entry, at Snapshot) error {
	if err := b.err(); err != nil {
		return err
	}
	return b.Store.Save(ctx, key, e, at)
}

func (b *broken) Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error) {
	if err := b.err(); err != nil {
		return func(context.Context) error { return errBroken }, err
	}
	return b.Store.Open(ctx, tags)
}

func (b *broken) Purge(ctx context.Context, tags Tags) error {
	return errors.Join(b.err(), b.Store.Purge(ctx, tags))
}

// tierReplica is a Tiered with its parts.
type tierReplica struct {
	subject
	tiered *Tiered
	memory *Memory
	bus    Listener
	stop   func()
}

// newTierReplica returns one over shared whose bus is up.
func newTierReplica(t *testing.T, c *timetest.Clock, shared Store, convert Converter) tierReplica {
	t.Helper()
	memory, bus := newMemory(t, c), newHandBus()
	tiered, err := NewTiered(TieredOptions{Memory: memory, Shared: shared, Bus: bus, Convert: convert})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tiered.Run(ctx)
	}()
	stop := func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	l := <-bus.listening
	l.Up(c.Now())
	return tierReplica{
		subject: subject{
			store: tiered, now: c.Now, advance: c.Advance, short: time.Second, lease: 2 * time.Minute,
		},
		tiered: tiered, memory: memory, bus: l, stop: stop,
	}
}

func TestTieredContract(t *testing.T) {
	t.Parallel()
	for name, shared := range map[string]func(t *testing.T, c *timetest.Clock) Store{
		"alone":             func(*testing.T, *timetest.Clock) Store { return nil },
		"over a shared one": func(t *testing.T, c *timetest.Clock) Store { t.Helper(); return newMemory(t, c) },
		"over a sealed one": func(t *testing.T, c *timetest.Clock) Store { t.Helper(); return newSealed(t, newMemory(t, c), 1) },
		"over a second tier": func(t *testing.T, c *timetest.Clock) Store {
			t.Helper()
			return newTierReplica(t, c, newMemory(t, c), nil).tiered
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStoreContract(t, func(t *testing.T) subject {
				t.Helper()
				c := timetest.NewClock()
				if store := shared(t, c); store != nil {
					return newTierReplica(t, c, store, nil).subject
				}
				tiered, err := NewTiered(TieredOptions{Memory: newMemory(t, c)})
				if err != nil {
					t.Fatal(err)
				}
				if tiered.isolated() {
					t.Error("the memory alone is isolated from nobody")
				}
				return subject{store: tiered, now: c.Now, advance: c.Advance, short: time.Second, lease: 2 * time.Minute}
			})
		})
	}
}

func TestTieredOptions(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	for name, o := range map[string]TieredOptions{
		"no memory":              {Shared: newMemory(t, c)},
		"negative cap":           {Memory: newMemory(t, c), Cap: -1},
		"bus without its shared": {Memory: newMemory(t, c), Bus: newHandBus()},
	} {
		if _, err := NewTiered(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestTieredFillsMemory(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := &broken{Store: newMemory(t, c)}
	a, b := newTierReplica(t, c, shared, nil), newTierReplica(t, c, shared, nil)
	tags := a.tags("a")
	a.put(t, "k", "body", tags)
	b.wantHit(t, "k", "body", tags)
	asked := shared.asked
	a.wantHit(t, "k", "body", tags)
	b.wantHit(t, "k", "body", tags)
	if shared.asked != asked {
		t.Error("the shared store was asked for what is in memory")
	}
	// A write on a invalidates the entry of b.
	a.open(t, tags)()
	b.wantHit(t, "k", "body", tags) // Not yet.
	b.bus.Invalidated(tags.Slots())
	b.wantMiss(t, "k", tags)
	b.put(t, "k", "new", tags)
	a.wantHit(t, "k", "new", tags)
}

// After a write of another replica between a fetch and its save, the shared store
// refuses the save, and the memory does not store it either, although the message of
// the bus has not arrived.
func TestTieredRefusedByShared(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := newMemory(t, c)
	a, b := newTierReplica(t, c, shared, nil), newTierReplica(t, c, shared, nil)
	tags := a.tags("a")
	at := b.snapshot(t, tags)
	end := a.open(t, tags)
	b.wantWriting(t, tags)
	b.wantRefused(t, "k", at)
	end()
	b.wantRefused(t, "k", at)
	b.wantMiss(t, "k", tags)
}

// An invalidation that arrives during a load from the shared store applies to the
// loaded entry.
func TestTieredInvalidatedWhileLoading(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := &hooked{Store: newMemory(t, c)}
	a, b := newTierReplica(t, c, shared, nil), newTierReplica(t, c, shared, nil)
	tags := a.tags("a")
	a.put(t, "k", "old", tags)
	shared.afterLoad = func() {
		a.open(t, tags)()
		b.bus.Invalidated(tags.Slots())
	}
	b.wantHit(t, "k", "old", tags) // It began before the write.
	b.wantMiss(t, "k", tags)
}

// hooked calls a function once, between the load of an entry and its return.
type hooked struct {
	Store
	afterLoad func()
}

func (h *hooked) Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	e, ok, err := h.Store.Load(ctx, key, tags)
	if then := h.afterLoad; then != nil {
		h.afterLoad = nil
		then()
	}
	return e, ok, err
}

func TestTieredCap(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := &broken{Store: newMemory(t, c)}
	r := newTierReplica(t, c, shared, nil)
	tags := r.tags("a")
	wantMiss := func(when string) {
		t.Helper()
		if _, ok, err := r.store.Load(t.Context(), r.key("k"), tags); ok || !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%s: %v, %v, want a miss and why", when, ok, err)
		}
	}

	// Heard: no cap, also when the shared store fails.
	r.put(t, "k", "body", tags)
	shared.fails = true
	c.Advance(10 * DefaultCap)
	r.bus.Heard(c.Now())
	r.wantHit(t, "k", "body", tags)

	// Silence: entries live for the cap, counted from when the bus was last heard
	// and not from when somebody noticed. What is heard late does not extend it.
	heard := c.Now()
	c.Advance(DefaultCap - 1)
	r.wantHit(t, "k", "body", tags)
	r.bus.Heard(heard)
	c.Advance(1)
	if !r.tiered.isolated() {
		t.Error("silent and not isolated")
	}
	wantMiss("after the cap")

	// Stored while down: for the cap, from the beginning of the fetch.
	at := r.snapshot(t, tags)
	c.Advance(time.Second)
	if err := r.store.Save(t.Context(), r.key("k"), r.entry("body"), at); err != nil {
		t.Fatal(err)
	}
	c.Advance(DefaultCap - time.Second - 1)
	r.wantHit(t, "k", "body", tags)
	c.Advance(1)
	wantMiss("a new one after the cap")

	// Up again: any invalidation may have been missed.
	r.put(t, "k", "body", tags)
	r.wantHit(t, "k", "body", tags)
	at = r.snapshot(t, tags)
	r.bus.Up(c.Now())
	wantMiss("after a gap")
	r.wantRefused(t, "k", at)

	// Heard all the time, but the shared store did not confirm it: for the cap.
	r.put(t, "k", "body", tags)
	c.Advance(DefaultCap - 1)
	r.bus.Heard(c.Now())
	r.wantHit(t, "k", "body", tags)
	c.Advance(1)
	wantMiss("unconfirmed after the cap")

	// The shared store fails between snapshot and save: the same.
	shared.fails = false
	at = r.snapshot(t, tags)
	shared.fails = true
	if err := r.store.Save(t.Context(), r.key("k"), r.entry("body"), at); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Save = %v", err)
	}
	c.Advance(DefaultCap - 1)
	r.bus.Heard(c.Now())
	r.wantHit(t, "k", "body", tags)
	c.Advance(1)
	wantMiss("not saved there, after the cap")

	// Run has returned: the cap applies.
	shared.fails = false
	r.bus.Heard(c.Now())
	r.put(t, "k", "body", tags)
	r.stop()
	shared.fails = true
	c.Advance(DefaultCap)
	wantMiss("after the end of Run")
}

// A replica that was paused, or whose messages are late, serves nothing that another
// one may have invalidated more than the cap ago, from its first read on: nobody has
// to notice the silence first.
func TestTieredPaused(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := newMemory(t, c)
	a, b := newTierReplica(t, c, shared, nil), newTierReplica(t, c, shared, nil)
	tags := a.tags("a")
	b.put(t, "k", "old", tags)
	heard := c.Now()
	a.open(t, tags)() // b is paused now.
	c.Advance(20 * time.Second)
	b.wantMiss(t, "k", tags)
	b.bus.Heard(heard) // A reply from before the pause is read after it.
	b.wantMiss(t, "k", tags)
	b.bus.Invalidated(tags.Slots())
	b.bus.Heard(c.Now())
	b.wantMiss(t, "k", tags)
}

// A fetch that a write has overtaken may show a later write, whose message is still
// under way. What another fetch stored between the two is not served after it.
func TestTieredOvertaken(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := newMemory(t, c)
	a, b := newTierReplica(t, c, shared, nil), newTierReplica(t, c, shared, nil)
	tags := a.tags("a")
	at := b.snapshot(t, tags)
	version := b.tiered.Version(tags)
	a.open(t, tags)()
	b.put(t, "k", "first", tags)
	a.open(t, tags)()
	b.wantRefused(t, "k", at) // It saw the second write.
	b.wantHit(t, "k", "first", tags)
	b.tiered.Overtaken(tags)
	b.wantMiss(t, "k", tags)
	if b.tiered.Version(tags) == version {
		t.Error("a flight from before may be joined")
	}
}

func TestTieredWithoutBus(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := newMemory(t, c)
	tiered, err := NewTiered(TieredOptions{Memory: newMemory(t, c), Shared: shared, Cap: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	tiered.Run(t.Context()) // Returns at once.
	s := subject{store: tiered, now: c.Now, advance: c.Advance}
	tags := s.tags("a")
	s.put(t, "k", "old", tags)
	end, err := shared.Open(t.Context(), tags) // Another replica.
	if err != nil {
		t.Fatal(err)
	}
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Advance(time.Second - 1)
	s.wantHit(t, "k", "old", tags)
	c.Advance(1)
	s.wantMiss(t, "k", tags)
}

// A write that cannot be opened in the shared store goes on, and invalidates here.
func TestTieredWriteWithoutShared(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := &broken{Store: newMemory(t, c)}
	r := newTierReplica(t, c, shared, nil)
	tags := r.tags("a")
	shared.fails = true
	r.put(t, "k", "old", tags)
	end, err := r.store.Open(t.Context(), tags)
	if !errors.Is(err, ErrUnavailable) || end == nil {
		t.Fatalf("Open = %v, want ErrUnavailable and a close", err)
	}
	r.wantMiss(t, "k", tags)
	r.wantWriting(t, tags)
	if err := end(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("close = %v, want ErrUnavailable", err)
	}
	r.put(t, "k", "new", tags)
	r.wantHit(t, "k", "new", tags)
	if err := r.store.Purge(t.Context(), tags); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("Purge = %v", err)
	}
	if _, ok, _ := r.store.Load(t.Context(), r.key("k"), tags); ok {
		t.Error("hit after a purge")
	}
}

// A fresh response of another replica is preferred to a stale one in memory.
func TestTieredStale(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := &broken{Store: newMemory(t, c)}
	a, b := newTierReplica(t, c, shared, nil), newTierReplica(t, c, shared, nil)
	tags := a.tags("a")
	save := func(r tierReplica, body string) {
		t.Helper()
		e := r.entry(body)
		e.Life = Life{Fresh: time.Minute, Stale: time.Hour}
		if err := r.store.Save(t.Context(), r.key("k"), e, r.snapshot(t, tags)); err != nil {
			t.Fatal(err)
		}
	}
	save(a, "first")
	b.wantHit(t, "k", "first", tags)
	advance := func(d time.Duration) {
		c.Advance(d)
		a.bus.Heard(c.Now())
		b.bus.Heard(c.Now())
	}
	advance(2 * time.Minute)
	b.wantHit(t, "k", "first", tags) // Stale, and there is nothing better.
	save(a, "second")
	b.wantHit(t, "k", "second", tags)
	advance(2 * time.Minute)
	shared.fails = true
	b.wantHit(t, "k", "second", tags) // Stale, from memory.
}

func TestTieredConvert(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	shared := newMemory(t, c)
	convert := func(_ Key, body []byte) ([]byte, []string, error) {
		if string(body) == "odd" {
			return nil, nil, errors.New("odd")
		}
		return bytes.ToUpper(body), []string{"in capitals"}, nil
	}
	a, b := newTierReplica(t, c, shared, convert), newTierReplica(t, c, shared, convert)
	far := subject{store: shared, now: c.Now}
	tags := a.tags("a")
	wantLocal := func(r tierReplica, name, body, local string) {
		t.Helper()
		e, ok, err := r.store.Load(t.Context(), r.key(name), tags)
		if !ok || err != nil || string(e.Body()) != body || convertedOf(e) != local || (len(e.Forms.Notes()) == 1) != (local == strings.ToUpper(body)) {
			t.Errorf("Load(%s) = %q, local %q with notes %q, %t, %v, want %q, local %q", name, e.Body(), convertedOf(e), e.Forms.Notes(), ok, err, body, local)
		}
	}
	a.put(t, "k", "body", tags)
	wantLocal(a, "k", "body", "BODY")
	far.wantHit(t, "k", "body", tags)
	wantLocal(b, "k", "body", "BODY")
	wantLocal(b, "k", "body", "BODY")

	// What is converted is not converted again.
	e := a.entry("two")
	e.Forms = NewConvertedForms([]byte("two"), []byte("zwei"), nil)
	if err := a.store.Save(t.Context(), a.key("k2"), e, a.snapshot(t, tags)); err != nil {
		t.Fatal(err)
	}
	wantLocal(a, "k2", "two", "zwei")
	wantLocal(b, "k2", "two", "TWO")

	far.put(t, "k3", "odd", tags)
	a.wantMiss(t, "k3", tags)
	if err := a.store.Save(t.Context(), a.key("k4"), a.entry("odd"), a.snapshot(t, tags)); err == nil {
		t.Error("a body that cannot be converted was saved")
	}
}

// heeding is a store whose closes fail when their context has ended.
type heeding struct{ Store }

func (h heeding) Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error) {
	end, err := h.Store.Open(ctx, tags)
	return func(ctx context.Context) error { return errors.Join(ctx.Err(), end(ctx)) }, err
}

// A write is closed for other replicas although its caller has left.
func TestTieredCloseAfterCallerLeft(t *testing.T) {
	t.Parallel()
	c := timetest.NewClock()
	r := newTierReplica(t, c, heeding{newMemory(t, c)}, nil)
	end, err := r.store.Open(t.Context(), r.tags("a"))
	if err != nil {
		t.Fatal(err)
	}
	if err := end(cancelled(t)); err != nil {
		t.Errorf("close = %v", err)
	}
}
