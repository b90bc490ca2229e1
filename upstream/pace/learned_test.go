package pace

import (
	"context"
	"fmt"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// busy calls bucket b for a time, and reports refusals of m to p.
func busy(tb testing.TB, p *Pacer, m *model, callers int, d time.Duration) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for i := range callers {
		ctx := as(ctx, fmt.Sprint(i), FanOut)
		all.Go(func() {
			for {
				grant, err := p.Wait(ctx, "b")
				if err != nil {
					return // Its time is up, or will be before its turn.
				}
				if wait := m.arrive("b"); wait > 0 {
					p.Limited(ctx, grant, wait)
				}
			}
		})
	}
	all.Wait()
}

func stateOf(tb testing.TB, p *Pacer) BucketState {
	tb.Helper()
	for _, s := range p.Snapshot(tb.Context()) {
		if s.Bucket == "b" {
			return s
		}
	}
	tb.Fatal("no bucket b")
	return BucketState{}
}

func TestLearnsTheRealBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: roomy, Default: Limit{30, 1}})
		m := newModel(10, time.Minute)
		busy(t, p, m, 5, 10*time.Minute)
		refusals := m.forget()
		learned := stateOf(t, p)
		if refusals == 0 || refusals > 6 || learned.Rate > 10 || learned.Rate < 5 {
			t.Fatalf("%d refusals until %g", refusals, learned.Rate)
		}
		// While it remembers the refused rate there is no further refusal, and the
		// rate rises step by step.
		busy(t, p, m, 5, 49*time.Minute)
		if refusals := m.forget(); refusals != 0 {
			t.Errorf("%d more refusals", refusals)
		}
		later := stateOf(t, p)
		if later.Rate <= learned.Rate || later.Rate > 10 {
			t.Errorf("from %g to %g", learned.Rate, later.Rate)
		}
		// After that it tries the refused rate, and is seldom refused.
		busy(t, p, m, 5, 10*time.Hour)
		total, _ := m.count()
		if refusals := m.forget(); refusals > 20 {
			t.Errorf("%d refusals in ten hours", refusals)
		}
		if total < 9*10*60*7/10 {
			t.Errorf("only %d calls", total)
		}
	})
}

func TestFloorAndCeilingHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: roomy, Default: Limit{10, 3}, Learning: Learning{Floor: 2}})
		for range 20 {
			p.Limited(t.Context(), drain(t, p, "b"), time.Second)
		}
		if s := stateOf(t, p); s.Rate != 2 || s.Burst != 1 || s.LastLimited.IsZero() || s.ClosedUntil.IsZero() || s.Tokens != 0 {
			t.Errorf("%+v", s)
		}
		busy(t, p, newModel(0, time.Minute), 1, 12*time.Hour)
		if s := stateOf(t, p); s.Rate != 10 || s.Burst != 3 || s.Ceiling != 10 || !s.ClosedUntil.IsZero() {
			t.Errorf("%+v", s)
		}
	})
}

func TestRefusalsOfOneRateCountOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: roomy, Default: Limit{20, 5}})
		var grants []Grant
		for range 5 {
			grants = append(grants, drain(t, p, "b"))
		}
		for _, grant := range grants[:3] {
			p.Limited(t.Context(), grant, time.Second)
		}
		// A late refusal counts too, when the bucket has been open for long.
		next := drain(t, p, "b")
		p.Limited(t.Context(), grants[4], 0)
		if s := stateOf(t, p); s.Rate != 14 {
			t.Errorf("rate %g, want 14", s.Rate)
		}
		p.Limited(t.Context(), next, time.Second)
		if s := stateOf(t, p); math.Abs(s.Rate-9.8) > 1e-9 {
			t.Errorf("rate %g, want 9.8", s.Rate)
		}
	})
}

func TestOpensWithoutABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: roomy, Default: Limit{20, 5}, Learning: Learning{Closed: time.Minute, MaxClosed: time.Hour}})
		p.Limited(t.Context(), drain(t, p, "b"), 0)
		start := time.Now()
		drain(t, p, "b")
		if took := time.Since(start); took != time.Minute {
			t.Errorf("closed for %s", took)
		}
		if wait := p.Estimate("b", Flow{}); wait < 5*time.Second {
			t.Errorf("the second after %s", wait)
		}
		p.Limited(t.Context(), drain(t, p, "b"), 10000*time.Hour)
		if wait := p.Estimate("b", Flow{}); wait != time.Hour {
			t.Errorf("closed for %s", wait)
		}
		p.Limited(t.Context(), Grant{}, time.Minute) // Nobody's.
	})
}
