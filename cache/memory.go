package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/maypok86/otter/v2"
)

// MemoryOptions are the settings of a [Memory]. MaxBytes and Lease are required.
type MemoryOptions struct {
	// MaxBytes bounds the memory of all entries, with their keys and an estimate of
	// their bookkeeping. It must be at least MinMemory.
	MaxBytes int64
	// Lease is how long at least a write stays open that is never closed, because
	// its caller panicked or hangs; at most twice as long. It must be longer than
	// any write takes, and positive.
	Lease time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// Metrics may be nil.
	Metrics Metrics
}

// MinMemory is the smallest value of [MemoryOptions].MaxBytes.
const MinMemory = 1 << 20

// Memory is the store of one process. It needs no closing: its goroutines end soon
// after a call. Expired entries are not served, and stay until they are replaced or
// their room is needed.
type Memory struct {
	entries     *otter.Cache[Digest, *item]
	generations *generations
	maxBytes    uint64
	now         func() time.Time
	start       time.Time
	metrics     Metrics
	// limit, if not zero, is how long an entry may be used after other replicas
	// were last heard.
	limit time.Duration
	// heard is the moment as of which all invalidations by other replicas have
	// arrived, since start. It never goes back.
	heard atomic.Int64
}

// item is an entry in memory. Its key is a digest, which takes less room than the
// request: to find two requests with one digest is to find a collision of SHA-256.
type item struct {
	forms    *Forms
	storedAt time.Time
	life     Life
	slots    []Slot
	// version is that of the slots at the snapshot. Generations only grow, so it is the
	// same as long as each of them is.
	version uint64
	// taken is when the snapshot was, since the start of the Memory.
	taken time.Duration
	// confined, if not zero, is how long after taken the entry may be used, within
	// its life.
	confined time.Duration
}

func (i *item) entry() Entry { return Entry{Forms: i.forms, StoredAt: i.storedAt, Life: i.life} }

// overhead is the memory of an entry beside its response and its slots: the item, and
// otter's node and places in its tables.
const overhead = int(unsafe.Sizeof(item{})) + 120

func (i *item) weight() uint32 {
	// Bounded by MaxBodyBytes and Slots.
	return uint32(i.forms.size() + int(unsafe.Sizeof(Slot(0)))*cap(i.slots) + overhead)
}

// NewMemory returns an empty Memory.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.MaxBytes < MinMemory {
		return nil, fmt.Errorf("cache: %d bytes of memory, need at least %d", o.MaxBytes, int64(MinMemory))
	}
	if o.Lease <= 0 {
		return nil, errNoLease
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	entries, err := otter.New(&otter.Options[Digest, *item]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(_ Digest, i *item) uint32 { return i.weight() },
	})
	if err != nil {
		return nil, fmt.Errorf("cache: %w", err)
	}
	start := o.Now()
	return &Memory{
		entries:     entries,
		generations: newGenerations(o.Lease, func() time.Duration { return o.Now().Sub(start) }),
		maxBytes:    uint64(o.MaxBytes),
		now:         o.Now,
		start:       start,
		metrics:     OrDiscard(o.Metrics),
	}, nil
}

var _ Store = (*Memory)(nil)

// Snapshot implements [Store].
func (m *Memory) Snapshot(_ context.Context, tags Tags) (Snapshot, error) {
	return m.snapshot(tags)
}

func (m *Memory) snapshot(tags Tags) (Snapshot, error) {
	if err := tags.validate(); err != nil {
		return Snapshot{}, err
	}
	taken := m.now()
	at, open := m.generations.read(tags.slots)
	if open {
		return Snapshot{}, ErrWriting
	}
	return Snapshot{tags: tags, generations: at, taken: taken}, nil
}

// Version is what this replica knows now of the tags. It differs after each
// invalidation of one of them: by an Open, its close or a Purge, here or in another
// replica. See [Flight.Do].
func (m *Memory) Version(tags Tags) Version {
	v := Version{}
	if now := m.now(); m.isolated(now) {
		v.since = now.Add(-m.limit)
	}
	// The generations after the time of the last message: an invalidation that
	// arrives in between counts as known.
	v.number = m.generations.version(tags.slots)
	return v
}

// Load implements [Store]. It does not allocate.
func (m *Memory) Load(_ context.Context, key Key, tags Tags) (Entry, bool, error) {
	if err := validateLoad(key, tags); err != nil {
		return Entry{}, false, err
	}
	e, ok := m.Find(key.Digest(), tags)
	return e, ok, nil
}

// Find is [Memory.Load] for the digest of a key.
func (m *Memory) Find(key Digest, tags Tags) (Entry, bool) {
	now := m.now()
	found, ok := m.entries.GetIfPresent(key)
	if !ok || !m.valid(found, tags.slots, now) {
		m.metrics.Count(StoreMemory, Miss)
		return Entry{}, false
	}
	e := found.entry()
	if e.Fresh(now) {
		m.metrics.Count(StoreMemory, Hit)
	} else {
		m.metrics.Count(StoreMemory, Stale)
	}
	return e, true
}

// LoadIsolated returns the entry of key also where [Memory.Load] does not because other
// replicas have not been heard since: as far as this replica knows, it is valid, and
// another one may have invalidated it. The entry may be stale. It does not allocate.
func (m *Memory) LoadIsolated(key Key, tags Tags) (Entry, bool) {
	found, ok := m.entries.GetIfPresent(key.Digest())
	if !ok || found.entry().remaining(m.now()) <= 0 || !sameSlots(found.slots, tags.slots) ||
		m.generations.version(found.slots) != found.version {
		return Entry{}, false
	}
	return found.entry(), true
}

// valid reports whether i may be served now for a load with slots.
func (m *Memory) valid(i *item, slots []Slot, now time.Time) bool {
	if i.entry().remaining(now) <= 0 || !sameSlots(i.slots, slots) {
		return false
	}
	age := now.Sub(m.start) - i.taken
	if i.confined > 0 && age >= i.confined {
		return false
	}
	// The silence before the generations: a reader that sees a moment as heard also
	// sees the generations that were moved before it.
	if m.isolated(now) && age >= m.limit {
		return false
	}
	return m.generations.version(i.slots) == i.version
}

// isolated reports whether other replicas have not been heard for as long as an
// entry may be used without them. It is decided at the time of each read, so that a
// process that was paused does not serve what it missed.
func (m *Memory) isolated(now time.Time) bool {
	return m.limit > 0 && now.Sub(m.start)-time.Duration(m.heard.Load()) >= m.limit
}

func sameSlots(a, b []Slot) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// Save implements [Store].
func (m *Memory) Save(_ context.Context, key Key, e Entry, at Snapshot) error {
	return m.save(key, e, at, 0)
}

// save stores an entry that may be used for at most confined after its snapshot was
// taken; zero is no limit.
func (m *Memory) save(key Key, e Entry, at Snapshot, confined time.Duration) error {
	if err := validateSave(key, e, at); err != nil {
		return err
	}
	now := m.now()
	i := &item{
		forms: e.Forms, storedAt: e.StoredAt, life: e.Life,
		slots: at.tags.slots, version: versionOf(at.generations), taken: at.taken.Sub(m.start), confined: confined,
	}
	if uint64(i.weight()) > m.maxBytes {
		return ErrTooLarge
	}
	if m.generations.version(i.slots) != i.version {
		m.metrics.Count(StoreMemory, Refused)
		return ErrInvalidated
	}
	if e.remaining(now) <= 0 {
		return nil
	}
	// An entry that became invalid since the check is not served: Load checks again,
	// and generations never come back.
	e.Forms.store()
	m.entries.Compute(key.Digest(), func(old *item, found bool) (*item, otter.ComputeOp) {
		if found && old.storedAt.After(e.StoredAt) && m.valid(old, i.slots, now) {
			return old, otter.CancelOp
		}
		return i, otter.WriteOp
	})
	m.metrics.Count(StoreMemory, Saved)
	return nil
}

// Form returns a form of a response that was loaded from this Memory or saved in it under
// a key, and keeps it there. Where the form is not kept yet, build makes it, once for all
// who ask meanwhile; they wait until their ctx ends. The origin needs no build. The
// error is that of build or of ctx. Where another entry has taken the place of this
// one, or none has one, the form is kept by those who use the response and nobody else.
func (m *Memory) Form(ctx context.Context, key Digest, of *Forms, form Form, build func() ([]byte, error)) ([]byte, error) {
	if made, ok := of.Asked(form); ok {
		return made, nil
	}
	made, changed, err := of.ask(ctx, form, build)
	if changed {
		m.weigh(key, of)
	}
	return made, err
}

// weigh weighs an entry again, if the response is still that of its key.
func (m *Memory) weigh(key Digest, of *Forms) {
	m.entries.ComputeIfPresent(key, func(i *item) (*item, otter.ComputeOp) {
		if i.forms != of {
			return i, otter.CancelOp
		}
		return i, otter.WriteOp
	})
}

// Open implements [Store]. It does not fail.
func (m *Memory) Open(_ context.Context, tags Tags) (closed func(context.Context) error, err error) {
	window := m.generations.open(tags.slots)
	m.metrics.Count(StoreMemory, Invalidation)
	var once sync.Once
	return func(context.Context) error {
		once.Do(func() {
			m.generations.close(tags.slots, window)
			m.metrics.Count(StoreMemory, Invalidation)
		})
		return nil
	}, nil
}

// Purge implements [Store]. It does not fail.
func (m *Memory) Purge(_ context.Context, tags Tags) error {
	m.generations.bump(tags.slots)
	m.metrics.Count(StoreMemory, Invalidation)
	return nil
}

// follow bounds the life of each entry to limit after the moment as of which other
// replicas were last heard, or after the beginning of its fetch if that is later. It
// is called before the memory is used.
func (m *Memory) follow(limit time.Duration) {
	m.limit = limit
	m.heard.Store(-int64(limit)) // Nobody was heard yet.
}

// hear notes that all invalidations from before asOf have arrived.
func (m *Memory) hear(asOf time.Time) {
	at := int64(asOf.Sub(m.start))
	for {
		last := m.heard.Load()
		if at <= last || m.heard.CompareAndSwap(last, at) {
			return
		}
	}
}

// rejoin invalidates all entries because invalidations may have been missed until
// asOf.
func (m *Memory) rejoin(asOf time.Time) {
	m.generations.bumpAll()
	m.hear(asOf)
}
