package cache

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// subject is a store under the contract test.
type subject struct {
	store Store
	// now is the clock by which entries are stamped.
	now func() time.Time
	// advance lets time pass, for lives and for leases: by a clock that the test
	// owns, or by waiting where there is none.
	advance func(d time.Duration)
	// short is a life that ends soon enough to wait for, and long enough for steps
	// without a wait.
	short time.Duration
	// lease is the longest time after which a write that is never closed is over.
	lease time.Duration
}

const contractLife = time.Hour

func (s subject) tags(names ...string) Tags { return NewTags("org_1", names...) }

func (s subject) key(canonical string) Key { return Key{Org: "org_1", Canonical: canonical} }

func (s subject) entry(body string) Entry {
	return Entry{Forms: NewForms([]byte(body)), StoredAt: s.now(), Life: Life{Fresh: contractLife}}
}

func (s subject) snapshot(t *testing.T, tags Tags) Snapshot {
	t.Helper()
	at, err := s.store.Snapshot(t.Context(), tags)
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	return at
}

// put fetches and saves, with no write in between.
func (s subject) put(t *testing.T, canonical, body string, tags Tags) {
	t.Helper()
	at := s.snapshot(t, tags)
	if err := s.store.Save(t.Context(), s.key(canonical), s.entry(body), at); err != nil {
		t.Fatalf("Save: %v", err)
	}
}

func (s subject) wantHit(t *testing.T, canonical, body string, tags Tags) {
	t.Helper()
	e, ok, err := s.store.Load(t.Context(), s.key(canonical), tags)
	if err != nil || !ok || string(e.Body()) != body {
		t.Fatalf("Load(%s) = %.40q, %v, %v, want %.40q", canonical, e.Body(), ok, err, body)
	}
}

func (s subject) wantMiss(t *testing.T, canonical string, tags Tags) {
	t.Helper()
	e, ok, err := s.store.Load(t.Context(), s.key(canonical), tags)
	if err != nil || ok {
		t.Fatalf("Load(%s) = %q, %v, %v, want a miss", canonical, e.Body(), ok, err)
	}
	if e.Body() != nil {
		t.Fatalf("Load(%s): a miss that comes with %q", canonical, e.Body())
	}
}

func (s subject) open(t *testing.T, tags Tags) (closed func()) {
	t.Helper()
	end, err := s.store.Open(t.Context(), tags)
	if err != nil || end == nil {
		t.Fatalf("Open: %v", err)
	}
	return func() {
		t.Helper()
		if err := end(t.Context()); err != nil {
			t.Fatalf("close: %v", err)
		}
	}
}

func (s subject) wantWriting(t *testing.T, tags Tags) {
	t.Helper()
	if _, err := s.store.Snapshot(t.Context(), tags); !errors.Is(err, ErrWriting) {
		t.Fatalf("Snapshot while a write is open: %v, want ErrWriting", err)
	}
}

func (s subject) wantRefused(t *testing.T, canonical string, at Snapshot) {
	t.Helper()
	err := s.store.Save(t.Context(), s.key(canonical), s.entry("what was before"), at)
	if !errors.Is(err, ErrInvalidated) {
		t.Fatalf("Save = %v, want ErrInvalidated", err)
	}
}

// testStoreContract is what every Store must pass. newSubject gives an empty
// store each time; the tests run at the same time.
func testStoreContract(t *testing.T, newSubject func(t *testing.T) subject) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s subject)
	}{
		{"hit and miss", contractHit},
		{"entries come back whole", contractWhole},
		{"other tags, keys and organizations", contractOthers},
		{"expiry", contractExpiry},
		{"write before, between and after", contractWrite},
		{"save while a write is open", contractSaveWhileOpen},
		{"overlapping writes", contractOverlap},
		{"a second close does nothing", contractCloseTwice},
		{"a close whose caller left", contractCloseCancelled},
		{"a writer that died", contractDeadWriter},
		{"a late close ends no other write", contractLateClose},
		{"purge", contractPurge},
		{"what is refused", contractRefused},
		{"many at once", contractParallel},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newSubject(t))
		})
	}
}

func contractHit(t *testing.T, s subject) {
	tags := s.tags("/projects", "/projects/a")
	s.wantMiss(t, "GET /projects/a", tags)
	s.put(t, "GET /projects/a", "one", tags)
	s.wantHit(t, "GET /projects/a", "one", tags)
	s.wantHit(t, "GET /projects/a", "one", s.tags("/projects/a", "/projects", "/projects"))
	s.put(t, "GET /projects/a", "two", tags)
	s.wantHit(t, "GET /projects/a", "two", tags)
}

func contractWhole(t *testing.T, s subject) {
	tags := s.tags("a")
	for i, body := range [][]byte{{}, []byte("\x00\xff\r\n"), []byte(strings.Repeat("x", 100_000))} {
		key := s.key(fmt.Sprintf("body %d with \x00 and é", i))
		want := Entry{
			Forms: NewForms(body), StoredAt: s.now(),
			Life: Life{Fresh: time.Hour, Stale: 2 * time.Hour, StaleIfError: 3*time.Hour + 1},
		}
		if err := s.store.Save(t.Context(), key, want, s.snapshot(t, tags)); err != nil {
			t.Fatal(err)
		}
		got, ok, err := s.store.Load(t.Context(), key, tags)
		if !ok || err != nil {
			t.Fatalf("Load: %v, %v", ok, err)
		}
		// The same instant: an encoded time has no monotonic reading.
		if !got.StoredAt.Equal(want.StoredAt) {
			t.Errorf("stored at %v, want %v", got.StoredAt, want.StoredAt)
		}
		if got.Life != want.Life || string(got.Body()) != string(want.Body()) {
			t.Error(cmp.Diff(want.Life, got.Life), cmp.Diff(string(want.Body()), string(got.Body())))
		}
	}
}

func contractOthers(t *testing.T, s subject) {
	tags := s.tags("a", "b")
	s.put(t, "k", "body", tags)
	s.wantMiss(t, "k", s.tags("a"))
	s.wantMiss(t, "k", s.tags("a", "c"))
	s.wantMiss(t, "k", s.tags("a", "b", "c"))
	s.wantMiss(t, "k2", tags)
	s.wantMiss(t, "K", tags)
	other := Key{Org: "org_2", Canonical: "k"}
	if _, ok, err := s.store.Load(t.Context(), other, NewTags("org_2", "a", "b")); ok || err != nil {
		t.Errorf("another organization: %v, %v", ok, err)
	}
	// Its writes do not invalidate entries of this one.
	end, err := s.store.Open(t.Context(), NewTags("org_2", "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	s.wantHit(t, "k", "body", tags)
	if err := end(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.wantHit(t, "k", "body", tags)
}

func contractExpiry(t *testing.T, s subject) {
	tags := s.tags("a")
	for i, life := range []Life{
		{Fresh: s.short},
		{Fresh: s.short / 2, Stale: s.short / 2},
		{Fresh: s.short / 2, Stale: 1, StaleIfError: s.short / 2},
	} {
		key := fmt.Sprint("k", i)
		e := s.entry("body")
		e.Life = life
		if err := s.store.Save(t.Context(), s.key(key), e, s.snapshot(t, tags)); err != nil {
			t.Fatal(err)
		}
		s.wantHit(t, key, "body", tags)
		s.advance(s.short)
		s.wantMiss(t, key, tags)
	}
	// An entry that has expired before its Save is not stored.
	e := s.entry("body")
	e.StoredAt = e.StoredAt.Add(-2 * contractLife)
	if err := s.store.Save(t.Context(), s.key("late"), e, s.snapshot(t, tags)); err != nil {
		t.Fatal(err)
	}
	s.wantMiss(t, "late", tags)
}

func contractWrite(t *testing.T, s subject) {
	item, list, other := s.tags("a", "list"), s.tags("list"), s.tags("b")
	s.put(t, "item", "old", item)
	s.put(t, "list", "old", list)
	s.put(t, "other", "kept", other)
	atItem, atList := s.snapshot(t, item), s.snapshot(t, list)

	end := s.open(t, s.tags("a"))
	s.wantMiss(t, "item", item)
	s.wantHit(t, "list", "old", list)
	s.wantHit(t, "other", "kept", other)
	s.wantWriting(t, item)
	end()

	s.wantMiss(t, "item", item)
	s.wantRefused(t, "item", atItem)
	s.wantMiss(t, "item", item)
	if err := s.store.Save(t.Context(), s.key("list"), s.entry("old"), atList); err != nil {
		t.Fatalf("what was not written: %v", err)
	}
	s.put(t, "item", "new", item)
	s.wantHit(t, "item", "new", item)
	s.wantHit(t, "other", "kept", other)
}

func contractSaveWhileOpen(t *testing.T, s subject) {
	tags := s.tags("a", "b")
	at := s.snapshot(t, tags)
	end := s.open(t, s.tags("b", "c"))
	s.wantRefused(t, "k", at)
	s.wantMiss(t, "k", tags)
	end()
	s.wantRefused(t, "k", at)
	s.wantMiss(t, "k", tags)
}

func contractOverlap(t *testing.T, s subject) {
	tags := s.tags("a")
	first := s.open(t, tags)
	second := s.open(t, s.tags("a", "b"))
	first()
	s.wantWriting(t, tags)
	third := s.open(t, tags)
	second()
	s.wantWriting(t, tags)
	s.snapshot(t, s.tags("b"))
	third()
	s.put(t, "k", "body", tags)
	s.wantHit(t, "k", "body", tags)
}

func contractCloseTwice(t *testing.T, s subject) {
	tags := s.tags("a")
	first := s.open(t, tags)
	second := s.open(t, tags)
	first()
	first()
	s.wantWriting(t, tags)
	second()
	s.put(t, "k", "body", tags)
	first()
	second()
	s.wantHit(t, "k", "body", tags)
}

func contractCloseCancelled(t *testing.T, s subject) {
	tags := s.tags("a")
	end, err := s.store.Open(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	if err := end(cancelled(t)); err != nil {
		t.Fatalf("close: %v", err)
	}
	s.put(t, "k", "body", tags)
	s.wantHit(t, "k", "body", tags)
}

func contractDeadWriter(t *testing.T, s subject) {
	tags := s.tags("a")
	s.put(t, "k", "old", tags)
	s.open(t, tags) // Never closed.
	s.wantMiss(t, "k", tags)
	s.advance(s.lease)
	s.wantMiss(t, "k", tags) // What it wrote, it wrote.
	s.put(t, "k", "new", tags)
	s.wantHit(t, "k", "new", tags)

	// The next write is the only open one.
	end := s.open(t, tags)
	s.wantWriting(t, tags)
	end()
	s.put(t, "k", "newer", tags)
	s.wantHit(t, "k", "newer", tags)
}

func contractLateClose(t *testing.T, s subject) {
	tags := s.tags("a")
	late := s.open(t, tags)
	s.advance(s.lease)
	at := s.snapshot(t, tags)
	s.put(t, "k", "during", tags)
	end := s.open(t, tags)
	late()
	s.wantWriting(t, tags)
	end()
	s.wantMiss(t, "k", tags)
	s.wantRefused(t, "k", at)
	s.put(t, "k", "new", tags)

	// A late close invalidates too: the write may have ended just now.
	late = s.open(t, tags)
	s.advance(s.lease)
	s.put(t, "k", "during", tags)
	at = s.snapshot(t, tags)
	late()
	s.wantMiss(t, "k", tags)
	s.wantRefused(t, "k", at)
}

func contractPurge(t *testing.T, s subject) {
	tags, other := s.tags("a", "list"), s.tags("b")
	s.put(t, "k", "body", tags)
	s.put(t, "other", "kept", other)
	at := s.snapshot(t, tags)
	if err := s.store.Purge(t.Context(), s.tags("list")); err != nil {
		t.Fatal(err)
	}
	s.wantMiss(t, "k", tags)
	s.wantRefused(t, "k", at)
	s.wantHit(t, "other", "kept", other)
	s.put(t, "k", "body", tags)
	s.wantHit(t, "k", "body", tags)

	// A purge during a write does not end it.
	end := s.open(t, tags)
	if err := s.store.Purge(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	s.wantWriting(t, tags)
	end()
	s.snapshot(t, tags)
}

func contractRefused(t *testing.T, s subject) {
	ctx, tags := t.Context(), s.tags("a")
	at := s.snapshot(t, tags)
	good, key := s.entry("body"), s.key("k")
	with := func(change func(*Entry)) Entry {
		e := good
		change(&e)
		return e
	}
	for name, test := range map[string]struct {
		key  Key
		e    Entry
		at   Snapshot
		want error // nil is any
	}{
		"zero snapshot":     {key, good, Snapshot{}, nil},
		"no organization":   {Key{Canonical: "k"}, good, at, nil},
		"no request":        {Key{Org: "org_1"}, good, at, nil},
		"of another":        {Key{Org: "org_2", Canonical: "k"}, good, at, nil},
		"long key":          {s.key(strings.Repeat("k", MaxKeyBytes)), good, at, ErrTooLarge},
		"long body":         {key, with(func(e *Entry) { e.Forms = NewForms(make([]byte, MaxBodyBytes+1)) }), at, ErrTooLarge},
		"never stored":      {key, with(func(e *Entry) { e.StoredAt = time.Time{} }), at, nil},
		"no life":           {key, with(func(e *Entry) { e.Life = Life{} }), at, nil},
		"negative life":     {key, with(func(e *Entry) { e.Life.Fresh = -1 }), at, nil},
		"negative stale":    {key, with(func(e *Entry) { e.Life.Stale = -1 }), at, nil},
		"negative if error": {key, with(func(e *Entry) { e.Life.StaleIfError = -1 }), at, nil},
	} {
		err := s.store.Save(ctx, test.key, test.e, test.at)
		if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
			t.Errorf("%s: Save = %v, want %v", name, err, test.want)
		}
	}
	if _, err := s.store.Snapshot(ctx, Tags{}); !errors.Is(err, ErrNoTags) {
		t.Errorf("Snapshot of no tags: %v", err)
	}
	if _, ok, err := s.store.Load(ctx, key, Tags{}); ok || err == nil {
		t.Errorf("Load without tags: %v, %v", ok, err)
	}
	if _, ok, err := s.store.Load(ctx, Key{Org: "org_2", Canonical: "k"}, tags); ok || err == nil {
		t.Errorf("Load with another's tags: %v, %v", ok, err)
	}
	end, err := s.store.Open(ctx, Tags{})
	if err != nil {
		t.Fatalf("Open without tags: %v", err)
	}
	if err := end(ctx); err != nil {
		t.Errorf("close without tags: %v", err)
	}
	if err := s.store.Purge(ctx, Tags{}); err != nil {
		t.Errorf("Purge without tags: %v", err)
	}
	s.wantMiss(t, "k", tags)
}

// contractParallel is for the race detector, and for the count of open writes.
func contractParallel(t *testing.T, s subject) {
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 40 {
				tags := s.tags("shared", fmt.Sprint("own", worker))
				key := s.key(fmt.Sprint("k", (worker+i)%3))
				switch (worker + i) % 4 {
				case 0:
					end, err := s.store.Open(t.Context(), tags)
					if err == nil {
						err = end(t.Context())
					}
					if err != nil {
						t.Errorf("write: %v", err)
					}
				case 1:
					if at, err := s.store.Snapshot(t.Context(), tags); err == nil {
						_ = s.store.Save(t.Context(), key, s.entry(key.Canonical), at)
					}
				default:
					e, ok, err := s.store.Load(t.Context(), key, tags)
					if err != nil || (ok && string(e.Body()) != key.Canonical) {
						t.Errorf("Load(%s) = %q, %v", key.Canonical, e.Body(), err)
					}
				}
			}
		})
	}
	all.Wait()
	tags := s.tags("shared")
	s.put(t, "after", "body", tags)
	s.wantHit(t, "after", "body", tags)
}
