package holds

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

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
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

// replica makes Holds over a ledger, which count how often they look at calls.
func replica(t *testing.T, ledger Ledger) (*Holds, *atomic.Int32) {
	t.Helper()
	h, err := New(Options{Ledger: ledger, Callers: admissiontest.NewPolicy(t, catalogtest.Gateway(t), admissiontest.RootPolicy)})
	if err != nil {
		t.Fatal(err)
	}
	looks := new(atomic.Int32)
	h.Handlers(func() { looks.Add(1) })
	return h, looks
}

// create holds a caller for a while; 0 until it is released.
func create(t *testing.T, h *Holds, caller string, life time.Duration) error {
	t.Helper()
	made := Hold{Caller: caller, By: "operator", At: time.Now()}
	if life > 0 {
		made.Until = made.At.Add(life)
	}
	return h.change(t.Context(), func(s set) (set, error) { return s.with(made, made.At) })
}

func release(t *testing.T, h *Holds, caller string) error {
	t.Helper()
	return h.change(t.Context(), func(s set) (set, error) { return s.without(caller, time.Now()), nil })
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
			if !one.Held("ann") || one.Held("bob") || two.Held("ann") || oneLooks.Load() != 1 {
				t.Error("before the other replica reads")
			}
			two.Read(t.Context())
			if !two.Held("ann") || twoLooks.Load() != 1 {
				t.Error("after the other replica has read")
			}
			two.Read(t.Context())
			if twoLooks.Load() != 1 {
				t.Error("it looks at its calls though nothing has changed")
			}
			three, _ := replica(t, ledger)
			three.Read(t.Context())
			if !three.Held("ann") {
				t.Error("after a restart")
			}
			if err := errors.Join(create(t, three, "bob", 0), release(t, three, "ann")); err != nil {
				t.Fatal(err)
			}
			one.Read(t.Context())
			if one.Held("ann") || !one.Held("bob") {
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
		if !h.Held("ann") {
			t.Errorf("%v releases it", err)
		}
		if err := release(t, h, "ann"); err == nil || !h.Held("ann") {
			t.Errorf("released while the ledger fails: %v", err)
		}
	}
	ledger.err, ledger.Ledger = nil, &paper{document: lease.Document{Name: documentName, Version: 7, Data: []byte("{}")}}
	h.Read(t.Context())
	if !h.Held("ann") {
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
	for i, h := range []*Holds{one, two, three} {
		if !h.Held("ann") || !h.Held("bob") {
			t.Errorf("replica %d: a hold is lost", i)
		}
	}
	if err := release(t, two, "bob"); err != nil {
		t.Fatal(err)
	}
	one.Read(t.Context())
	if one.Held("bob") || !one.Held("ann") {
		t.Error("the release is undone")
	}
	ledger.document = lease.Document{} // All is lost.
	one.Read(t.Context())
	if !one.Held("ann") || ledger.document.Version != 1 {
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
		if !h.Held("ann") || len(h.all()) != 1 {
			t.Error("it ends too early")
		}
		<-time.After(time.Nanosecond)
		if h.Held("ann") || len(h.all()) != 0 {
			t.Error("it does not end")
		}
		if err := create(t, h, "bob", 0); err != nil {
			t.Fatal(err)
		}
		if names := slices.Collect(func(yield func(string) bool) {
			for name := range h.known() {
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
	for i := range MaxHolds {
		if err := create(t, h, fmt.Sprintf("caller %d", i), 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := create(t, h, "another", 0); !errors.Is(err, errTooMany) {
		t.Errorf("one too many: %v", err)
	}
	if err := create(t, h, "caller 7", time.Hour); err != nil {
		t.Errorf("held anew: %v", err)
	}
	wide, _ := replica(t, new(paper))
	var err error
	for i := 0; err == nil && i < MaxHolds; i++ {
		err = create(t, wide, fmt.Sprintf("%3d", i)+strings.Repeat("\x01", 253), 0)
	}
	if !errors.Is(err, errTooMany) {
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
			if n := len(h.all()); n != 4 {
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

// BenchmarkHeld is what every call pays.
func BenchmarkHeld(b *testing.B) {
	for name, held := range map[string]set{"nobody is held": nil, "others are held": {"ann": Hold{Caller: "ann"}}} {
		b.Run(name, func(b *testing.B) {
			h := new(Holds)
			if held != nil {
				h.now.Store(&held)
			}
			b.ReportAllocs()
			for b.Loop() {
				if h.Held("bob") {
					b.Fatal("held")
				}
			}
		})
	}
}
