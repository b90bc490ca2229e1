package cache

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

func newMemory(tb testing.TB, c *timetest.Clock) *Memory {
	tb.Helper()
	m, err := NewMemory(MemoryOptions{MaxBytes: 64 << 20, Now: c.Now, Lease: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func newMemorySubject(tb testing.TB) (subject, *Memory) {
	tb.Helper()
	c := timetest.NewClock()
	m := newMemory(tb, c)
	return subject{store: m, now: c.Now, advance: c.Advance, short: time.Second, lease: 2 * time.Minute}, m
}

func TestMemoryContract(t *testing.T) {
	t.Parallel()
	testStoreContract(t, func(t *testing.T) subject {
		t.Helper()
		s, _ := newMemorySubject(t)
		return s
	})
}

func TestMemoryOptions(t *testing.T) {
	t.Parallel()
	if _, err := NewMemory(MemoryOptions{MaxBytes: MinMemory - 1, Lease: testLease}); err == nil {
		t.Error("too little memory was accepted")
	}
	for _, lease := range []time.Duration{-1, 0} {
		if _, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Lease: lease}); err == nil {
			t.Errorf("lease %v was accepted", lease)
		}
		if _, err := NewRedis(nil, RedisOptions{Lease: lease}); err == nil {
			t.Errorf("lease %v was accepted for Redis", lease)
		}
	}
	m, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Lease: testLease})
	if err != nil {
		t.Fatal(err)
	}
	s := subject{store: m, now: time.Now}
	s.put(t, "k", "body", s.tags("a"))
	s.wantHit(t, "k", "body", s.tags("a"))
	err = m.Save(t.Context(), s.key("large"), s.entry(strings.Repeat("x", MinMemory)), s.snapshot(t, s.tags("a")))
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("an entry larger than the memory: %v", err)
	}
}

// A writer that died must not keep a slot open for as long as others write to it.
func TestMemoryDeadWriterAmongOthers(t *testing.T) {
	t.Parallel()
	s, _ := newMemorySubject(t)
	tags := s.tags("a")
	s.open(t, tags) // Never closed.
	for range 12 {
		end := s.open(t, tags)
		s.advance(10 * time.Second)
		end()
	}
	s.put(t, "k", "body", tags)
	s.wantHit(t, "k", "body", tags)
}

func TestMemoryLeaseOfOverlappingWrites(t *testing.T) {
	t.Parallel()
	s, _ := newMemorySubject(t)
	tags := s.tags("a")
	s.open(t, tags) // Never closed.
	s.advance(59 * time.Second)
	s.wantWriting(t, tags)
	end := s.open(t, tags)
	s.advance(59 * time.Second)
	s.wantWriting(t, tags) // Not a lease long yet.
	s.advance(2 * time.Second)
	// The first write is over. The second one has been open for a minute, which is
	// within its lease.
	end()
	s.put(t, "k", "body", tags)
}

// Two fetches without a write between them may be saved in reverse order: the later
// response stays.
func TestMemoryKeepsTheLater(t *testing.T) {
	t.Parallel()
	s, _ := newMemorySubject(t)
	tags := s.tags("a")
	at := s.snapshot(t, tags)
	older := s.entry("older")
	s.advance(time.Second)
	s.put(t, "k", "later", tags)
	if err := s.store.Save(t.Context(), s.key("k"), older, at); err != nil {
		t.Fatal(err)
	}
	s.wantHit(t, "k", "later", tags)
}

func TestMemoryVersion(t *testing.T) {
	t.Parallel()
	s, m := newMemorySubject(t)
	tags := s.tags("a", "b")
	seen := map[Version]bool{m.Version(tags): true}
	differs := func(after string) {
		t.Helper()
		v := m.Version(tags)
		if seen[v] {
			t.Errorf("after %s: version %v again", after, v)
		}
		seen[v] = true
	}
	end := s.open(t, s.tags("a"))
	differs("open")
	end()
	differs("close")
	if err := m.Purge(t.Context(), s.tags("b")); err != nil {
		t.Fatal(err)
	}
	differs("purge")
	m.rejoin(s.now())
	differs("gap")
	before := m.Version(tags)
	s.open(t, s.tags("c"))
	if m.Version(tags) != before {
		t.Error("a write to something else changed the version")
	}
}

func TestMemoryMetrics(t *testing.T) {
	t.Parallel()
	var c counts
	now := timetest.NewClock()
	m, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Now: now.Now, Lease: testLease, Metrics: &c})
	if err != nil {
		t.Fatal(err)
	}
	s := subject{store: m, now: now.Now}
	tags := s.tags("a")
	s.wantMiss(t, "k", tags)
	at := s.snapshot(t, tags)
	e := s.entry("body")
	e.Life.Stale = time.Hour
	if err := m.Save(t.Context(), s.key("k"), e, at); err != nil {
		t.Fatal(err)
	}
	s.wantHit(t, "k", "body", tags)
	now.Advance(contractLife)
	s.wantHit(t, "k", "body", tags)
	s.open(t, tags)()
	s.wantRefused(t, "k", at)
	for name, want := range map[string]int{
		"memory miss": 1, "memory saved": 1, "memory hit": 1, "memory stale": 1,
		"memory invalidation": 2, "memory refused": 1,
	} {
		if got := c.get(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
}

// Not parallel: it looks at the heap of the process.
func TestMemoryBound(t *testing.T) {
	const limit = 16 << 20
	m, err := NewMemory(MemoryOptions{MaxBytes: limit, Lease: testLease})
	if err != nil {
		t.Fatal(err)
	}
	before := heap()
	s := subject{store: m, now: time.Now}
	tags := s.tags("a", "b", "c")
	at := s.snapshot(t, tags)
	var all sync.WaitGroup
	var over sync.Map
	for worker := range 4 {
		all.Go(func() {
			for i := range boundKeys / 4 {
				// Each entry has a key and a body of its own, as in production.
				key := s.key(fmt.Sprintf("GET /organization/projects/proj_%d_%d/users?limit=100", worker, i))
				e := s.entry("")
				e.Forms = NewForms(make([]byte, 64+i%512))
				if err := m.Save(t.Context(), key, e, at); err != nil {
					t.Errorf("Save: %v", err)
					return
				}
				if i%1000 == 0 {
					over.Store(m.bytes(), true)
				}
			}
		})
	}
	all.Wait()
	m.entries.CleanUp()
	if got := m.bytes(); got > limit || got < limit*9/10 {
		t.Errorf("%d bytes in %d entries, limit %d", got, m.len(), limit)
	}
	var most uint64
	over.Range(func(bytes, _ any) bool {
		most = max(most, bytes.(uint64)) //nolint:forcetypeassert // Only those are stored.
		return true
	})
	if most > limit*11/10 {
		t.Errorf("%d bytes on the way, limit %d", most, limit)
	}
	grown := heap() - before
	t.Logf("%d entries of %d bytes, heap grew by %d, most on the way %d", m.len(), m.bytes(), grown, most)
	if grown > limit*3/2 {
		t.Errorf("the heap grew by %d bytes, limit %d", grown, limit)
	}
	runtime.KeepAlive(m)
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}
