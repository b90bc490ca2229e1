package spending

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// TestMinute: a count is in the window for a minute, and no longer than a slot more,
// whatever was in the slot before.
func TestMinute(t *testing.T) {
	t.Parallel()
	clock, w := timetest.NewClock(), new(window)
	w.add(clock.Now(), 7)
	for range 60 {
		if got := w.sum(clock.Now()); got != 7 {
			t.Fatalf("%d within the minute", got)
		}
		clock.Advance(time.Second)
	}
	clock.Advance(slotSeconds * time.Second)
	if got := w.sum(clock.Now()); got != 0 {
		t.Errorf("%d after it", got)
	}
	for range 500 {
		w.add(clock.Now(), 1)
		clock.Advance(time.Second)
	}
	if got := w.sum(clock.Now()); got < 60 || got > 65 {
		t.Errorf("%d of one a second", got)
	}
}

// TestNothingIsLost: counts of many goroutines are all there, while slots change.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	clock := timetest.NewClock()
	a := New(Options{Now: clock.Now})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 1000 {
				a.of("c").called(clock.Now(), answered)
				a.Waits("c", "b")
				a.Spent("c", "b", time.Millisecond, true)
				if i%100 == 0 {
					clock.Advance(500 * time.Millisecond)
				}
			}
		})
	}
	all.Wait()
	want := []Load{{
		Caller: "c", Minute: Counts{Answered: 8000}, Total: Counts{Answered: 8000},
		Budgets: []BudgetLoad{{Budget: "b", RequestsMinute: 8000, Requests: 8000, WaitedMinute: 8 * time.Second, Waited: 8 * time.Second}},
	}}
	if diff := cmp.Diff(want, a.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

// TestEnds: a call counts for its caller by its end, and that of a stranger for nobody.
func TestEnds(t *testing.T) {
	t.Parallel()
	a := New(Options{})
	for _, test := range []struct {
		caller, verdict string
		cache           accounting.CacheOutcome
		err             error
	}{
		{"c", audit.DecisionAllowed, accounting.CacheHit, nil},
		{"c", audit.DecisionAllowed, accounting.CacheStale, nil},
		{"c", audit.DecisionAllowed, accounting.CacheMiss, nil},
		{"c", audit.DecisionDenied, 0, errors.New("no")},
		{"c", audit.DecisionLimited, 0, errors.New("no")},
		{"c", audit.DecisionInvalid, 0, errors.New("no")},
		{"c", audit.DecisionAllowed, accounting.CacheError, errors.New("no")},
		{"", audit.DecisionUnauthenticated, 0, errors.New("no")},
	} {
		ctx, call := accounting.Part(t.Context())
		_ = a.WithCalls(func(context.Context, connect.Spec, connect.ServerStream) error {
			call.Admission.Identity.Caller, call.Admission.Verdict, call.Cache.Outcome = test.caller, test.verdict, test.cache
			return test.err
		})(ctx, connect.Spec{}, nil)
	}
	want := []Load{{Caller: "c", Minute: Counts{1, 2, 3, 1}, Total: Counts{1, 2, 3, 1}}}
	if diff := cmp.Diff(want, a.Snapshot()); diff != "" {
		t.Error(diff)
	}
}

// TestBounds: callers beyond the bound count together; one that left the policy is
// forgotten, but for one whose call waits; and who has done nothing for long gives its
// place to another.
func TestBounds(t *testing.T) {
	t.Parallel()
	clock, gone := timetest.NewClock(), map[string]bool{}
	a := New(Options{MaxCallers: 10, Now: clock.Now, Known: func(name string) bool { return !gone[name] }})
	for i := range 100 {
		a.of(fmt.Sprint("c", i)).called(clock.Now(), answered)
		a.Waits(fmt.Sprint("c", i), "b")
		if i != 3 {
			a.Spent(fmt.Sprint("c", i), "b", 0, false)
		}
	}
	all := a.Snapshot()
	if len(all) != 11 || all[0].Caller != Others || all[0].Total.All() != 90 || all[0].Waiting() != 0 {
		t.Errorf("%+v", all)
	}
	gone["c1"], gone["c3"] = true, true
	if all = a.Snapshot(); len(all) != 10 || all[1].Caller != "c0" || all[2].Caller != "c2" || all[3].Caller != "c3" {
		t.Errorf("after two have gone: %+v", all)
	}
	a.Spent("c3", "b", 0, true)
	clock.Advance(idle)
	a.of("c0").called(clock.Now(), answered)
	a.of("new").called(clock.Now(), answered)
	if all = a.Snapshot(); len(all) != 3 || all[1].Caller != "c0" || all[2].Caller != "new" {
		t.Errorf("those that are not idle: %+v", all)
	}
	a.of("newer").called(clock.Now(), answered)
	if all = a.Snapshot(); len(all) != 4 || all[3].Caller != "newer" {
		t.Errorf("with another one: %+v", all)
	}
}

// TestNamesOfTheGateway: a caller whose name is one of the gateway's own makes no second
// series, which would make all metrics unreadable.
func TestNamesOfTheGateway(t *testing.T) {
	t.Parallel()
	a := New(Options{})
	for _, name := range []string{"", Gateway, Others, "c"} {
		a.of(name).called(time.Now(), answered)
		a.Waits(name, "b")
		a.Spent(name, "b", time.Second, true)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(a.Collector())
	families, err := registry.Gather()
	if err != nil || len(families) != 4 {
		t.Error(families, err)
	}
}

// BenchmarkCalled is what the account adds to a call.
func BenchmarkCalled(b *testing.B) {
	a := New(Options{})
	ctx, call := accounting.Part(b.Context())
	call.Admission.Identity.Caller, call.Admission.Verdict, call.Cache.Outcome = "caller", audit.DecisionAllowed, accounting.CacheHit
	f := a.WithCalls(func(context.Context, connect.Spec, connect.ServerStream) error { return nil })
	b.ReportAllocs()
	for b.Loop() {
		_ = f(ctx, connect.Spec{}, nil)
	}
}
