package overrides

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/lease/redisledger"
)

// ledgers are the two that there are.
func ledgers(t *testing.T) map[string]lease.Ledger {
	t.Helper()
	file, err := fileledger.Open(fileledger.Options{Path: filepath.Join(t.TempDir(), "holds.db")})
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: redistest.Start(t)})
	shared, err := redisledger.Open(t.Context(), client, redisledger.Options{Organization: "org"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(file.Close(), shared.Close(), client.Close()); err != nil {
			t.Error(err)
		}
	})
	return map[string]lease.Ledger{"file": file, "redis": shared}
}

// hold is a kind of overrides.
type hold struct{ Override }

// replica makes a Store over a ledger, which counts how often it tells of changes.
func replica(t *testing.T, ledger Ledger) (*Store[hold], *atomic.Int32) {
	t.Helper()
	s, err := New[hold](Options{Ledger: ledger, Document: "test.holds"})
	if err != nil {
		t.Fatal(err)
	}
	looks := new(atomic.Int32)
	s.OnChange(func() { looks.Add(1) })
	return s, looks
}

// create holds a caller for a while; 0 until it is released.
func create(t *testing.T, s *Store[hold], caller string, life time.Duration) error {
	t.Helper()
	made := hold{Override{Caller: caller, By: "operator", At: time.Now()}}
	if life > 0 {
		made.Until = made.At.Add(life)
	}
	return s.Put(t.Context(), made)
}

func release(t *testing.T, s *Store[hold], caller string) error {
	t.Helper()
	_, err := s.Remove(t.Context(), caller)
	return err
}

func held(s *Store[hold], caller string) bool {
	_, ok := s.Of(caller)
	return ok
}

// TestReplicasLearn what another one has changed, and look at their calls; so does one that
// begins.
func TestReplicasLearn(t *testing.T) {
	t.Parallel()
	for name, ledger := range ledgers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one, oneLooks := replica(t, ledger)
			two, twoLooks := replica(t, ledger)
			two.Read(t.Context())
			if err := create(t, one, "ann", 0); err != nil {
				t.Fatal(err)
			}
			if !held(one, "ann") || held(one, "bob") || held(two, "ann") || oneLooks.Load() != 1 {
				t.Error("before the other replica reads")
			}
			two.Read(t.Context())
			if !held(two, "ann") || twoLooks.Load() != 1 {
				t.Error("after the other replica has read")
			}
			two.Read(t.Context())
			if twoLooks.Load() != 1 {
				t.Error("it looks at its calls though nothing has changed")
			}
			three, _ := replica(t, ledger)
			three.Read(t.Context())
			if !held(three, "ann") {
				t.Error("after a restart")
			}
			if err := errors.Join(create(t, three, "bob", 0), release(t, three, "ann")); err != nil {
				t.Fatal(err)
			}
			one.Read(t.Context())
			if held(one, "ann") || !held(one, "bob") {
				t.Error("after the release")
			}
		})
	}
}

// failing is a ledger that can fail.
type failing struct {
	Ledger

	err error
}

func (f *failing) Document(ctx context.Context, name string) (lease.Document, error) {
	if f.err != nil {
		return lease.Document{}, f.err
	}
	return f.Ledger.Document(ctx, name)
}

// TestTheLastKnownStay while the ledger does not answer, or says what nobody understands.
func TestTheLastKnownStay(t *testing.T) {
	t.Parallel()
	ledger := &failing{Ledger: new(paper)}
	h, _ := replica(t, ledger)
	if err := create(t, h, "ann", 0); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{lease.ErrUnavailable, lease.ErrLost, context.DeadlineExceeded} {
		ledger.err = err
		h.Read(t.Context())
		if !held(h, "ann") {
			t.Errorf("%v releases it", err)
		}
		if err := release(t, h, "ann"); err == nil || !held(h, "ann") {
			t.Errorf("released while the ledger fails: %v", err)
		}
	}
	ledger.err, ledger.Ledger = nil, &paper{document: lease.Document{Name: "test.holds", Version: 7, Data: []byte("{}")}}
	h.Read(t.Context())
	if !held(h, "ann") {
		t.Error("a document that cannot be read releases it")
	}
}

// TestWhatTheLedgerLostIsPutBack: a document that is older than what is known has lost a
// hold, as after a failover of Redis. A release that came later stays one.
func TestWhatTheLedgerLostIsPutBack(t *testing.T) {
	t.Parallel()
	ledger := new(paper)
	one, _ := replica(t, ledger)
	two, _ := replica(t, ledger)
	if err := create(t, one, "ann", 0); err != nil {
		t.Fatal(err)
	}
	older := ledger.document
	if err := create(t, one, "bob", 0); err != nil {
		t.Fatal(err)
	}
	two.Read(t.Context())
	ledger.document = older
	for range 2 {
		one.Read(t.Context())
		two.Read(t.Context())
	}
	three, _ := replica(t, ledger)
	three.Read(t.Context())
	for i, h := range []*Store[hold]{one, two, three} {
		if !held(h, "ann") || !held(h, "bob") {
			t.Errorf("replica %d: a hold is lost", i)
		}
	}
	if err := release(t, two, "bob"); err != nil {
		t.Fatal(err)
	}
	one.Read(t.Context())
	if held(one, "bob") || !held(one, "ann") {
		t.Error("the release is undone")
	}
	ledger.document = lease.Document{} // All is lost.
	one.Read(t.Context())
	if !held(one, "ann") || ledger.document.Version != 1 {
		t.Error("a hold is lost with the document")
	}
}

// TestHoldsEnd at their time, without a change.
func TestHoldsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, _ := replica(t, new(paper))
		if err := create(t, h, "ann", time.Hour); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Hour - time.Nanosecond)
		if !held(h, "ann") || len(h.All()) != 1 {
			t.Error("it ends too early")
		}
		<-time.After(time.Nanosecond)
		if held(h, "ann") || len(h.All()) != 0 {
			t.Error("it does not end")
		}
		if err := create(t, h, "bob", 0); err != nil {
			t.Fatal(err)
		}
		if names := slices.Collect(func(yield func(string) bool) {
			for name := range h.known().of {
				yield(name)
			}
		}); len(names) != 1 {
			t.Errorf("%q are kept", names)
		}
	})
}

// TestHoldsAreBounded in number and in bytes, and one that is held anew takes no other
// place.
func TestHoldsAreBounded(t *testing.T) {
	t.Parallel()
	h, _ := replica(t, new(paper))
	for i := range MaxEntries {
		if err := create(t, h, fmt.Sprintf("caller %d", i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := create(t, h, "another", 0); !errors.Is(err, ErrTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if err := create(t, h, "caller 7", time.Hour); err != nil {
		t.Errorf("held anew: %v", err)
	}
	wide, _ := replica(t, new(paper))
	var err error
	for i := 0; err == nil && i < MaxEntries; i++ {
		err = create(t, wide, fmt.Sprintf("%3d", i)+strings.Repeat("\x01", 253), 0)
	}
	if !errors.Is(err, ErrTooMany) {
		t.Errorf("bytes without a bound: %v", err)
	}
}

// TestChangesAtOnceAreAllMade: none overwrites another one.
func TestChangesAtOnceAreAllMade(t *testing.T) {
	t.Parallel()
	for name, ledger := range ledgers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			made := make(chan error)
			for i := range 4 {
				h, _ := replica(t, ledger)
				go func() { made <- create(t, h, fmt.Sprintf("caller %d", i), 0) }()
			}
			for range 4 {
				if err := <-made; err != nil {
					t.Error(err)
				}
			}
			h, _ := replica(t, ledger)
			h.Read(t.Context())
			if n := len(h.All()); n != 4 {
				t.Errorf("%d holds", n)
			}
		})
	}
}

// paper is a ledger of one document, for one goroutine.
type paper struct{ document lease.Document }

func (p *paper) Document(context.Context, string) (lease.Document, error) {
	if p.document.Version == 0 {
		return lease.Document{}, lease.ErrNotFound
	}
	return p.document, nil
}

func (p *paper) PutDocument(_ context.Context, d lease.Document) (lease.Document, error) {
	if d.Version != p.document.Version {
		return lease.Document{}, lease.ErrConflict
	}
	d.Version++
	p.document = d
	return d, nil
}

// BenchmarkOf is what every call pays.
func BenchmarkOf(b *testing.B) {
	for name, all := range map[string]*set[hold]{"nobody is held": nil, "others are held": {of: map[string]hold{"ann": {Override{Caller: "ann"}}}}} {
		b.Run(name, func(b *testing.B) {
			s := new(Store[hold])
			s.now.Store(all)
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := s.Of("bob"); ok {
					b.Fatal("held")
				}
			}
		})
	}
}
