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

// MemoryOptions configure a [Memory].
type MemoryOptions struct {
	// MaxBytes bounds what all entries take together, with their keys and about
	// as much as their bookkeeping needs. It must be at least MinMemory.
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

// MinMemory is the smallest bound for a Memory that makes sense.
const MinMemory = 1 << 20

// Memory is the store of one process. It starts no goroutine that outlives a
// call for long, and needs no closing. Entries beyond their life stay until room
// is needed or they are replaced, and are not served.
type Memory struct {
	entries     *otter.Cache[Key, *item]
	generations *generations
	maxBytes    uint64
	now         func() time.Time
	metrics     Metrics
	// isolation is not nil while invalidations by others may be missed.
	isolation atomic.Pointer[isolation]
}

// isolation bounds the lives of entries while others cannot be heard.
type isolation struct {
	since time.Time
	limit time.Duration
}

// item is an entry as it is kept.
type item struct {
	entry       Entry
	slots       []Slot
	generations []uint64
	taken       time.Time
	// confined is how long after taken it may be used; zero if there is no limit
	// but the entry's own.
	confined time.Duration
}

// overhead is about what an entry costs beside key, body and generations: the
// item, and otter's node and places in its tables.
const overhead = int(unsafe.Sizeof(item{})) + 160

func (i *item) weight(key Key) uint32 {
	// Bounded by MaxKeyBytes, MaxBodyBytes and Slots.
	return uint32(len(key.Org) + len(key.Canonical) + cap(i.entry.Body) + cap(i.entry.Local) + 10*len(i.slots) + overhead)
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
	entries, err := otter.New(&otter.Options[Key, *item]{
		MaximumWeight: uint64(o.MaxBytes),
		Weigher:       func(key Key, i *item) uint32 { return i.weight(key) },
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

// Version is a number that is another one after every change of one of the tags:
// an Open, its end, a Purge, or news of another replica's. See [Flight.Do].
func (m *Memory) Version(tags Tags) uint64 { return m.generations.version(tags.slots) }

// Load implements [Store]. It does not allocate.
func (m *Memory) Load(_ context.Context, key Key, tags Tags) (Entry, bool, error) {
	if err := validateLoad(key, tags); err != nil {
		return Entry{}, false, err
	}
	now := m.now()
	found, ok := m.entries.GetIfPresent(key)
	if !ok || !m.valid(found, tags.slots, now) {
		m.metrics.Count(StoreMemory, Miss)
		return Entry{}, false, nil
	}
	if found.entry.Fresh(now) {
		m.metrics.Count(StoreMemory, Hit)
	} else {
		m.metrics.Count(StoreMemory, Stale)
	}
	return found.entry, true, nil
}

// valid tells whether i may be used now by who depends on slots.
func (m *Memory) valid(i *item, slots []Slot, now time.Time) bool {
	if i.entry.remaining(now) <= 0 || !sameSlots(i.slots, slots) {
		return false
	}
	if i.confined > 0 && now.Sub(i.taken) >= i.confined {
		return false
	}
	// The isolation before the generations: who sees that it is over sees the
	// generations that ended it.
	if is := m.isolation.Load(); is != nil {
		// What was stored before the isolation was told of everything until then.
		heard := i.taken
		if is.since.After(heard) {
			heard = is.since
		}
		if now.Sub(heard) >= is.limit {
			return false
		}
	}
	return m.generations.current(i.slots, i.generations)
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

// save stores an entry that may be used for no longer than confined after the
// snapshot was taken; zero is no limit.
func (m *Memory) save(key Key, e Entry, at Snapshot, confined time.Duration) error {
	if err := validateSave(key, e, at); err != nil {
		return err
	}
	now := m.now()
	i := &item{
		entry: e, slots: at.tags.slots, generations: at.generations, taken: at.taken, confined: confined,
	}
	if uint64(i.weight(key)) > m.maxBytes {
		return ErrTooLarge
	}
	if !m.generations.current(i.slots, i.generations) {
		m.metrics.Count(StoreMemory, Refused)
		return ErrInvalidated
	}
	if e.remaining(now) <= 0 {
		return nil
	}
	// What becomes invalid between the check and here is not served: Load checks
	// again, and generations never come back.
	m.entries.Compute(key, func(old *item, found bool) (*item, otter.ComputeOp) {
		if found && old.entry.StoredAt.After(e.StoredAt) && m.valid(old, i.slots, now) {
			return old, otter.CancelOp
		}
		return i, otter.WriteOp
	})
	m.metrics.Count(StoreMemory, Saved)
	return nil
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

// isolate bounds the life of every entry to limit, counted from now or from the
// moment that its fetch began, whichever is later: invalidations by others may be
// missed from now on. While isolated it changes nothing.
func (m *Memory) isolate(limit time.Duration) {
	m.isolation.CompareAndSwap(nil, &isolation{since: m.now(), limit: limit})
}

// rejoin ends an isolation. Whatever may have been missed is assumed to have
// happened.
func (m *Memory) rejoin() {
	m.generations.bumpAll()
	m.isolation.Store(nil)
}
