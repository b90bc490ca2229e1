package cache

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// The model: replicas, each a Tiered, over one shared store; an upstream with two
// items, each a number that every write raises; readers and writers, of whom one
// moves at a time, from one call of the shared store (or the upstream) to the
// next, in an order that rapid draws. Messages on the bus arrive in order, as
// late as rapid likes, or get lost while it is down, and no replica is told that
// they are late or lost. Replicas stand still for up to half a minute. Calls that
// read or save may fail in the shared store, before or after they did their work.
//
// What it checks of every read, for what the read returned:
//
//   - it is not older than any write that was closed on the same replica before
//     the read began;
//   - nor than a write closed on another one, once the bus delivered its end, or
//     had a gap and came back; and whatever the bus does, once the cap is over;
//   - nor than a write of the same replica that an earlier read there saw;
//   - nor than what an earlier read of the same key saw there, where calls of the
//     shared store do not fail: time does not go back.
type model struct {
	clock    *timetest.Clock
	org      string
	upstream [2]int
	writer   [2][]int // who wrote each version
	replicas []*modelReplica
	actors   []*actor
	faults   bool
	failure  string
	reads    int
	hits     int
}

type modelReplica struct {
	tiered *Tiered
	bus    listener
	down   bool
	queue  []message
	// owed is the least version of each item that reads must see from now on.
	owed [2]int
	due  []debt
	// latest is what a read returned last, by key.
	latest map[string][2]int
}

// message is the beginning or the end of a write. A beginning requires nothing.
type message struct {
	slots         []Slot
	item, version int
	at            time.Time
}

// debt is a write that reads must see from a moment on.
type debt struct {
	item, version int
	at            time.Time
}

// actor is a reader or writer. It moves only in step.
type actor struct {
	resume chan bool // whether the call that comes fails
	paused chan struct{}
	done   bool
	item   int
	// version is the version that a writer wrote.
	version int
	replica *modelReplica
}

type actorKey struct{}

// pause lets other actors move, and reports whether the next call is to fail.
func pause(ctx context.Context) (fail bool) {
	a, ok := ctx.Value(actorKey{}).(*actor)
	if !ok {
		return false
	}
	a.paused <- struct{}{}
	return <-a.resume
}

func (m *model) start(a *actor, run func(ctx context.Context, a *actor)) {
	a.resume, a.paused = make(chan bool), make(chan struct{})
	m.actors = append(m.actors, a)
	ctx := context.WithValue(context.Background(), actorKey{}, a)
	go func() {
		<-a.resume
		run(ctx, a)
		a.done = true
		a.paused <- struct{}{}
	}()
}

func (m *model) step(i int, fail bool) {
	a := m.actors[i]
	m.clock.Advance(time.Millisecond)
	a.resume <- fail
	<-a.paused
	if a.done {
		m.actors = append(m.actors[:i], m.actors[i+1:]...)
	}
}

// modelShared is the shared store from the view of one replica.
type modelShared struct {
	Store
	model   *model
	replica *modelReplica
}

func (s *modelShared) fails(fail bool) bool { return fail && s.model.faults }

func (s *modelShared) Snapshot(ctx context.Context, tags Tags) (Snapshot, error) {
	if s.fails(pause(ctx)) {
		return Snapshot{}, errBroken
	}
	at, err := s.Store.Snapshot(ctx, tags)
	if s.fails(pause(ctx)) {
		return Snapshot{}, errBroken
	}
	return at, err
}

func (s *modelShared) Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	if s.fails(pause(ctx)) {
		return Entry{}, false, errBroken
	}
	e, ok, err := s.Store.Load(ctx, key, tags)
	if s.fails(pause(ctx)) {
		return Entry{}, false, errBroken
	}
	return e, ok, err
}

func (s *modelShared) Save(ctx context.Context, key Key, e Entry, at Snapshot) error {
	if s.fails(pause(ctx)) {
		return errBroken
	}
	err := s.Store.Save(ctx, key, e, at)
	if s.fails(pause(ctx)) {
		return errBroken
	}
	return err
}

func (s *modelShared) Open(ctx context.Context, tags Tags) (closed func(context.Context) error, err error) {
	pause(ctx)
	end, err := s.Store.Open(ctx, tags)
	s.model.publish(s.replica, message{slots: tags.Slots()})
	pause(ctx)
	return func(ctx context.Context) error {
		pause(ctx)
		err := end(ctx)
		said := message{slots: tags.Slots()}
		if a, ok := ctx.Value(actorKey{}).(*actor); ok {
			said.item, said.version = a.item, a.version
		}
		s.model.publish(s.replica, said)
		pause(ctx)
		return err
	}, err
}

func (m *model) publish(from *modelReplica, said message) {
	said.at = m.clock.Now()
	for _, to := range m.replicas {
		if to == from {
			continue
		}
		to.due = append(to.due, debt{said.item, said.version, said.at.Add(DefaultCap)})
		if !to.down {
			to.queue = append(to.queue, said)
		}
	}
}

func (r *modelReplica) owe(item, version int) { r.owed[item] = max(r.owed[item], version) }

func (r *modelReplica) deliver() {
	said := r.queue[0]
	r.queue = r.queue[1:]
	r.bus.Invalidated(said.slots)
	r.owe(said.item, said.version)
}

// heartbeat is a reply that was sent at or before now, and came behind the messages
// that were delivered.
func (r *modelReplica) heartbeat(now time.Time) {
	if len(r.queue) > 0 {
		now = r.queue[0].at
	}
	if !r.down {
		r.bus.Heard(now)
	}
}

func (r *modelReplica) goDown() { r.down, r.queue = true, nil }

// comeBack also stands for an unnoticed reconnection.
func (r *modelReplica) comeBack(now time.Time) {
	r.down = false
	r.bus.Up(now)
	for _, said := range r.queue {
		r.owe(said.item, said.version)
	}
	for _, d := range r.due {
		r.owe(d.item, d.version)
	}
	r.queue, r.due = nil, nil
}

func (m *model) tags(names ...string) Tags { return NewTags(m.org, names...) }

func itemName(item int) string { return fmt.Sprint("item", item) }

// write is a writer from its beginning to its end.
func (m *model) write(ctx context.Context, a *actor) {
	end, _ := a.replica.tiered.Open(ctx, m.tags(itemName(a.item), "list"))
	pause(ctx)
	m.upstream[a.item]++
	a.version = m.upstream[a.item]
	m.writer[a.item] = append(m.writer[a.item], m.number(a.replica))
	pause(ctx)
	_ = end(ctx)
	a.replica.owe(a.item, a.version)
}

func (m *model) number(r *modelReplica) int {
	for i := range m.replicas {
		if m.replicas[i] == r {
			return i
		}
	}
	return -1
}

// read is a reader of an item, or of both (the list) if its item is 2.
func (m *model) read(ctx context.Context, a *actor) {
	r := a.replica
	now := m.clock.Now()
	for _, d := range r.due {
		if !d.at.After(now) {
			r.owe(d.item, d.version)
		}
	}
	name, items := "list", []int{0, 1}
	if a.item < 2 {
		name, items = itemName(a.item), []int{a.item}
	}
	owed := r.owed
	if !m.faults {
		for _, item := range items {
			owed[item] = max(owed[item], r.latest[name][item])
		}
	}
	key, tags := Key{Org: m.org, Canonical: name}, m.tags(name)
	e, hit, _ := r.tiered.Load(ctx, key, tags)
	var seen [2]int
	if hit {
		// In a form that is kept with what is stored: no form may outlive its entry.
		form, err := r.tiered.memory.Form(ctx, key.Digest(), e.Forms, Rendered, func() ([]byte, error) {
			return fmt.Appendf(nil, "rendered %s", e.Body()), nil
		})
		if err == nil {
			_, err = fmt.Sscanf(string(form), "rendered %d %d", &seen[0], &seen[1])
		}
		if err != nil {
			m.failure = err.Error()
		}
		m.hits++
	} else {
		at, err := r.tiered.Snapshot(ctx, tags)
		began := m.clock.Now()
		pause(ctx)
		seen = m.upstream
		pause(ctx)
		if err == nil {
			err = r.tiered.Save(ctx, key, Entry{
				Forms: NewForms(fmt.Appendf(nil, "%d %d", seen[0], seen[1])), StoredAt: began, Life: Life{Fresh: time.Hour},
			}, at)
		}
		if errors.Is(err, ErrWriting) || errors.Is(err, ErrInvalidated) {
			r.tiered.Overtaken(tags)
		}
	}
	for _, item := range items {
		latest := r.latest[name]
		latest[item] = max(latest[item], seen[item])
		r.latest[name] = latest
	}
	m.reads++
	for _, item := range items {
		if seen[item] < owed[item] {
			m.failure = fmt.Sprintf("replica %d read %s (hit: %v): item %d is %d, and must be at least %d",
				m.number(r), name, hit, item, seen[item], owed[item])
		}
		// Later reads see at least the writes of this replica that this one saw.
		for version := seen[item]; version > 0; version-- {
			if m.writer[item][version-1] == m.number(r) {
				r.owe(item, version)
				break
			}
		}
	}
}

func newModel(org string, replicas int, faults bool, c *timetest.Clock, shared func(replica int) Store) *model {
	m := &model{clock: c, org: org, faults: faults}
	for i := range replicas {
		r := &modelReplica{latest: make(map[string][2]int)}
		memory, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Now: c.Now, Lease: 1000 * time.Hour})
		if err != nil {
			panic(err)
		}
		var below Store
		if store := shared(i); store != nil {
			below = &modelShared{Store: store, model: m, replica: r}
		}
		r.tiered, err = NewTiered(TieredOptions{Memory: memory, Shared: below})
		if err != nil {
			panic(err)
		}
		r.bus = listener{r.tiered}
		r.bus.Up(c.Now())
		m.replicas = append(m.replicas, r)
	}
	return m
}

// run draws the actions, and stops at the first wrong read.
func (m *model) run(t *rapid.T, steps int) {
	defer func() {
		for len(m.actors) > 0 {
			m.step(0, false)
		}
	}()
	pick := func(what string, n int) int { return rapid.IntRange(0, n-1).Draw(t, what) }
	for range steps {
		r := m.replicas[pick("replica", len(m.replicas))]
		switch what := pick("what", 100); {
		case what < 12 && len(m.actors) < 8:
			m.start(&actor{replica: r, item: pick("item", 3)}, m.read)
		case what < 17 && len(m.actors) < 8:
			m.start(&actor{replica: r, item: pick("item", 2)}, m.write)
		case what < 27 && len(r.queue) > 0:
			r.deliver()
		case what == 27 && !r.down:
			r.goDown()
		case what == 28:
			r.comeBack(m.clock.Now())
		case what == 29:
			m.clock.Advance(time.Duration(pick("seconds", 4)) * time.Second)
		case what == 30:
			m.clock.Advance(time.Duration(pick("pause", 30)) * time.Second)
		case what < 45:
			r.heartbeat(m.clock.Now())
		case len(m.actors) > 0:
			m.step(pick("actor", len(m.actors)), pick("fail", 12) == 0)
		}
		if m.failure != "" {
			t.Fatal(m.failure)
		}
	}
	for len(m.actors) > 0 && m.failure == "" {
		m.step(0, false)
	}
	if m.failure != "" {
		t.Fatal(m.failure)
	}
}

const modelSteps = 400

func TestModel(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		replicas int
		shared   bool
		faults   bool
	}{
		{"memory alone", 1, false, false},
		{"one replica", 1, true, false},
		{"three replicas", 3, true, false},
		{"three replicas with faults", 3, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			reads, hits := 0, 0
			rapid.Check(t, func(t *rapid.T) {
				c := timetest.NewClock()
				var shared Store
				if test.shared {
					memory, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Now: c.Now, Lease: 1000 * time.Hour})
					if err != nil {
						t.Fatal(err)
					}
					shared = memory
				}
				m := newModel("org_model", test.replicas, test.faults, c, func(int) Store { return shared })
				m.run(t, modelSteps)
				reads, hits = reads+m.reads, hits+m.hits
			})
			t.Logf("%d reads, %d hits", reads, hits)
			if hits*10 < reads {
				t.Error("hardly a hit: nothing was tested")
			}
			if strings.Contains(test.name, "three") && reads < 1000 {
				t.Errorf("only %d reads", reads)
			}
		})
	}
}
