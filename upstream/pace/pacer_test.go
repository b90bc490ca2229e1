package pace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/racing"
)

// result is the outcome of a Wait.
type result struct {
	name  string
	grant Grant
	err   error
}

// script runs calls in a bubble, where time passes when all wait.
type script struct {
	tb      testing.TB
	results chan result
	all     sync.WaitGroup
}

func newScript(tb testing.TB) *script {
	tb.Helper()
	s := &script{tb: tb, results: make(chan result, 10_000)}
	tb.Cleanup(s.all.Wait)
	return s
}

// wait starts a Wait and returns when it waits.
func (s *script) wait(ctx context.Context, p *Pacer, bucket, name string) {
	s.tb.Helper()
	s.all.Go(func() {
		grant, err := p.Wait(ctx, bucket)
		s.results <- result{name: name, grant: grant, err: err}
	})
	synctest.Wait()
}

// order waits for n grants and returns the calls in the order of their grants.
func (s *script) order(n int) string {
	s.tb.Helper()
	var names []string
	for range n {
		t := <-s.results
		if t.err != nil {
			s.tb.Fatalf("%s: %v", t.name, t.err)
		}
		names = append(names, t.name)
	}
	return strings.Join(names, ",")
}

func (s *script) want(order string) {
	s.tb.Helper()
	if got := s.order(len(strings.Split(order, ","))); got != order {
		s.tb.Errorf("went\n%s, want\n%s", got, order)
	}
}

// drain takes all tokens.
func drain(tb testing.TB, p *Pacer, bucket string) Grant {
	tb.Helper()
	grant, err := p.Wait(tb.Context(), bucket)
	if err != nil {
		tb.Fatal(err)
	}
	return grant
}

func exhausted(tb testing.TB, err error, reason Reason) Exhausted {
	tb.Helper()
	e, ok := errors.AsType[*Exhausted](err)
	if !ok || e.Reason != reason {
		tb.Fatalf("got %v, want an Exhausted that is %s", err, reason)
	}
	return *e
}

func TestBudgetHoldsAndIsUsed(t *testing.T) {
	for _, limit := range []Limit{{10, 1}, {10, 4}, {10, 10}, {7.5, 2}, {1, 1}, {600, 1}, {600, 50}} {
		t.Run(fmt.Sprintf("%g calls, burst %d", limit.Calls, limit.Burst), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(t, Options{Organization: roomy, Default: limit})
				m := newModel(0, time.Minute)
				calls := min(int(20*limit.Calls), racing.Of(3000, 1000))
				start := time.Now()
				var all sync.WaitGroup
				for i := range calls {
					ctx := as(t.Context(), fmt.Sprint(i%100), Interactive)
					all.Go(func() {
						if _, err := p.Wait(ctx, "b"); err != nil {
							t.Error(err)
							return
						}
						m.arrive("b")
					})
				}
				all.Wait()
				// Full windows, after a first one that may come at once.
				ideal := time.Minute * time.Duration(calls) / time.Duration(limit.Calls)
				sustained := float64(limit.Calls) / (limit.Calls - float64(limit.Burst) + 1)
				if took := time.Since(start); float64(took) > 1.05*sustained*float64(ideal) {
					t.Errorf("took %s, and ideal is %s", took, ideal)
				}
				m.check(t, int(limit.Calls+0.5))
				// A pause allows no more than a burst.
				time.Sleep(time.Hour) //nolint:forbidigo // the time of the bubble
				m.forget()
				for range limit.Burst + 1 {
					ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
					if _, err := p.Wait(ctx, "b"); err == nil {
						m.arrive("b")
					}
					cancel()
				}
				m.check(t, limit.Burst)
			})
		})
	}
}

func TestOrganizationCountsAllBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: Limit{12, 3}, Default: Limit{10, 1}})
		m := newModel(0, time.Minute)
		var all sync.WaitGroup
		for i := range 200 {
			all.Go(func() {
				if _, err := p.Wait(as(t.Context(), fmt.Sprint(i%7), FanOut), fmt.Sprint("b", i%5)); err != nil {
					t.Error(err)
				}
				m.arrive("organization")
			})
		}
		all.Wait()
		m.check(t, 12)
	})
}

func TestFlowsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}}), newScript(t)
		drain(t, p, "b")
		for range 1000 {
			s.wait(as(t.Context(), "A", FanOut), p, "b", "A")
		}
		for range 10 {
			s.wait(as(t.Context(), "B", FanOut), p, "b", "B")
		}
		s.want(strings.Repeat("A,B,", 10) + "A,A")
		p.Close()
	})
}

// Flows that wait for the organization's tokens take turns across buckets: a flow
// gets no more tokens by waiting in many.
func TestFlowsTakeTurnsBetweenBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{10, 1}, Default: Limit{1000, 100}}), newScript(t)
		drain(t, p, "b0")
		for i := range 40 {
			s.wait(as(t.Context(), "A", FanOut), p, fmt.Sprint("b", i%8), "A")
		}
		for range 5 {
			s.wait(as(t.Context(), "B", FanOut), p, "b9", "B")
		}
		s.want(strings.Repeat("A,B,", 5) + "A,A")
		p.Close()
	})
}

func TestClassesGoInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}}), newScript(t)
		drain(t, p, "b")
		for _, class := range []Class{FanOut, Interactive, 0, Revocation, FanOut, Revocation, 77} {
			name := class.String()
			s.wait(as(t.Context(), "f", class), p, "b", name)
		}
		s.wait(t.Context(), p, "b", "unnamed")
		// The second revocation takes no second turn of the other flow.
		s.want("revocation,unnamed,revocation,interactive,fan_out,fan_out,fan_out,fan_out")
	})
}

func TestLateRevocationGoesFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}}), newScript(t)
		drain(t, p, "b")
		for range 3 {
			s.wait(as(t.Context(), "f", FanOut), p, "b", "f")
		}
		s.want("f")
		time.Sleep(6 * time.Second) //nolint:forbidigo // the time of the bubble: just before the next
		s.wait(as(t.Context(), "r", Revocation), p, "b", "r")
		s.want("r,f,f")
	})
}

// A revocation in one bucket gets the organization's token before an earlier fan-out
// in another.
func TestClassesGoInOrderBetweenBuckets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{10, 1}, Default: Limit{1000, 100}}), newScript(t)
		drain(t, p, "b0")
		for i := range 5 {
			s.wait(as(t.Context(), "f", FanOut), p, fmt.Sprint("b", i), "f")
		}
		s.want("f")
		s.wait(as(t.Context(), "i", Interactive), p, "b7", "i")
		s.wait(as(t.Context(), "r", Revocation), p, "b8", "r")
		s.want("r,i,f,f,f,f")
	})
}

func TestDeadlineThatCannotBeMet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}})
		grant := drain(t, p, "b")
		p.Limited(t.Context(), grant, 30*time.Second)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		_, err := p.Wait(ctx, "b")
		e := exhausted(t, err, TooLate)
		if e.Bucket != "b" || e.RetryAfter != 30*time.Second || !time.Now().Equal(start) {
			t.Errorf("%+v after %s", e, time.Since(start))
		}
		if ctx.Err() != nil {
			t.Error("it waited")
		}
		if _, err := p.Wait(ctx, "other bucket"); err != nil {
			t.Error(err)
		}
		// No token was spent: a call without a deadline goes when the bucket opens.
		drain(t, p, "b")
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("opened after %s", took)
		}
	})
}

// When a bucket closes, waiting calls whose deadline comes before it opens fail at
// once.
func TestWaitersThatAreClosedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}}), newScript(t)
		grant := drain(t, p, "b")
		short, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		s.wait(short, p, "b", "short")
		s.wait(t.Context(), p, "b", "long")
		p.Limited(t.Context(), grant, 30*time.Second)
		synctest.Wait()
		first := <-s.results
		exhausted(t, first.err, TooLate)
		if first.name != "short" || short.Err() != nil {
			t.Error(first.name, short.Err())
		}
		s.want("long")
	})
}

func TestEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{60, 1}, Margin: 1e-9}), newScript(t)
		want := func(class Class, seconds int) {
			t.Helper()
			got := p.Estimate("b", Flow{Key: "f", Class: class})
			if got.Round(10*time.Millisecond) != time.Duration(seconds)*time.Second {
				t.Errorf("%s: got %s, want %d s", class, got, seconds)
			}
		}
		want(Interactive, 0)
		drain(t, p, "b")
		want(Interactive, 1)
		for range 10 {
			s.wait(as(t.Context(), "f", Interactive), p, "b", "f")
		}
		for range 20 {
			s.wait(as(t.Context(), "g", FanOut), p, "b", "g")
		}
		want(Revocation, 1)
		want(Interactive, 11)
		want(FanOut, 12) // After the ten and one of g's.
		deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := p.Wait(as(deadline, "f", Interactive), "b")
		exhausted(t, err, TooLate)
		s.wait(as(deadline, "h", Interactive), p, "b", "h") // Its turn is the second.
		s.want("f,h,f,f,f,f,f,g,f,f,f")                     // One of eight is a fan-out's.
		p.Close()
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(t, Options{
			Organization: roomy, Default: Limit{10, 1}, Buckets: map[string]Limit{"named": {10, 1}},
			Bounds: Bounds{Calls: 20, Flows: 3, Buckets: 3},
		})
		s := newScript(t)
		drain(t, p, "b")
		// One each of three flows, and the others in one queue, which leaves as much
		// room as it takes.
		const waiting = 3 + 9
		for i := range waiting {
			s.wait(as(t.Context(), fmt.Sprint(i), FanOut), p, "b", "f")
		}
		_, err := p.Wait(as(t.Context(), "another", FanOut), "b")
		exhausted(t, err, QueueFull)
		if n := len(p.buckets["b"].queue.lanes[patient]); n != 4 {
			t.Errorf("%d lanes, want 3 and one for others", n)
		}
		for i := range 100 {
			p.Estimate(fmt.Sprint("unknown", i), Flow{})
		}
		var names []string
		for _, b := range p.Snapshot(t.Context()) {
			names = append(names, b.Bucket)
		}
		if want := []string{"", "named", "b", "unknown0", OtherBucket}; !slices.Equal(names, want) {
			t.Errorf("buckets %q, want %q", names, want)
		}
		p.Close()
		for range waiting {
			if got := <-s.results; !errors.Is(got.err, ErrClosed) {
				t.Error(got.err)
			}
		}
		if _, err := p.Wait(t.Context(), "b"); !errors.Is(err, ErrClosed) {
			t.Error(err)
		}
	})
}

func TestCallThatLeavesSpendsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{60, 1}, Margin: 1e-9}), newScript(t)
		drain(t, p, "b")
		start := time.Now()
		leaving, leave := context.WithCancel(t.Context())
		for range 50 {
			s.wait(as(leaving, "a", Revocation), p, "b", "leaving")
		}
		s.wait(t.Context(), p, "b", "staying")
		leave()
		for range 50 {
			if got := <-s.results; !errors.Is(got.err, context.Canceled) {
				t.Error(got.err)
			}
		}
		s.want("staying")
		if took := time.Since(start); took > 1001*time.Millisecond {
			t.Errorf("the next went after %s", took)
		}
		if remembered(p) != 0 || p.waiting != 0 || p.buckets["b"].queue.size != 0 {
			t.Error("something of them is left")
		}
	})
}

func TestOptionsOutOfBounds(t *testing.T) {
	for _, options := range []Options{
		{Window: -1},
		{Margin: -0.1},
		{Margin: 2},
		{Share: 1.1},
		{Default: Limit{Calls: 3}},
		{Default: Limit{Calls: 3, Burst: 4}},
		{Organization: Limit{Calls: 0.5, Burst: 1}},
		{Buckets: map[string]Limit{"": {1, 1}}},
		{Buckets: map[string]Limit{"b": {}}},
		{Buckets: map[string]Limit{"a": {1, 1}, "b": {1, 1}}, Bounds: Bounds{Buckets: 1}},
		{Learning: Learning{Quiet: -1}},
		{Learning: Learning{Lower: 1}},
		{Bounds: Bounds{Calls: -1}},
	} {
		if p, err := New(options); err == nil {
			p.Close()
			t.Errorf("%+v is accepted", options)
		}
	}
}

// Names of reasons are labels of metrics, and the error has nothing of a caller.
func TestExhausted(t *testing.T) {
	for reason, want := range map[Reason]string{TooLate: "too_late", QueueFull: "queue_full", 0: "unknown"} {
		e := &Exhausted{Bucket: "b", Reason: reason, RetryAfter: 1500 * time.Millisecond}
		if got := e.Error(); got != "pace: no budget in b ("+want+"): retry after 1.5s" {
			t.Error(got)
		}
	}
}
