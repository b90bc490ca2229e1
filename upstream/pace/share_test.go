package pace

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crowd is callers whose workers call in a loop, and the calls that each got.
type crowd struct {
	tb   testing.TB
	p    *Pacer
	all  sync.WaitGroup
	mu   sync.Mutex
	went map[string]int
	log  []string
}

func newCrowd(tb testing.TB, p *Pacer) *crowd {
	tb.Helper()
	return &crowd{tb: tb, p: p, went: make(map[string]int)}
}

// work lets workers of a caller call in buckets, each in one after the other, until
// ctx ends.
func (c *crowd) work(ctx context.Context, caller string, class Class, workers int, buckets ...string) {
	for worker := range workers {
		c.all.Go(func() {
			for i := worker; ; i++ {
				if _, err := c.p.Wait(as(ctx, caller, class), buckets[i%len(buckets)]); err != nil {
					return
				}
				c.mu.Lock()
				c.went[caller]++
				c.log = append(c.log, caller)
				c.mu.Unlock()
			}
		})
	}
}

func (c *crowd) count(caller string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.went[caller]
}

// during lets callers work for a time of the bubble, and returns the calls of one.
func during(t *testing.T, options Options, d time.Duration, caller string, work func(context.Context, *crowd)) int {
	t.Helper()
	n := 0
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		c := newCrowd(t, newPacer(t, options))
		work(ctx, c)
		c.all.Wait()
		n = c.count(caller)
	})
	return n
}

func buckets(prefix string, n int) []string {
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(prefix, i)
	}
	return names
}

// defaults are the limits that the gateway has unless others are configured.
var defaults = Options{Organization: Limit{60, 5}, Default: Limit{7, 2}}

// TestDeletingNothingStarvesNobody: a caller with 24 workers that revoke nothing leaves
// a neighbour's reads half of what they have alone, in its bucket and in the
// organization's, and a neighbour's own revocations more than that.
func TestDeletingNothingStarvesNobody(t *testing.T) {
	const long = 20 * time.Minute
	reads, deletes := buckets("get", 20), buckets("delete", 24)
	for _, test := range []struct {
		name           string
		reads, deletes []string
		class          Class
	}{
		{name: "the organization's budget", reads: reads, deletes: deletes, class: Interactive},
		{name: "a bucket's", reads: []string{"invites"}, deletes: []string{"invites"}, class: Interactive},
		{name: "revocations beside them", reads: deletes, deletes: deletes, class: Revocation},
	} {
		t.Run(test.name, func(t *testing.T) {
			neighbour := func(ctx context.Context, c *crowd) { c.work(ctx, "neighbour", test.class, 48, test.reads...) }
			alone := during(t, defaults, long, "neighbour", neighbour)
			beside := during(t, defaults, long, "neighbour", func(ctx context.Context, c *crowd) {
				c.work(ctx, "hostile", Revocation, 24, test.deletes...)
				neighbour(ctx, c)
			})
			t.Logf("%d alone, %d beside the hostile caller", alone, beside)
			// The first few revocations go before their turn.
			if 2*(beside+maxLead+1) < alone {
				t.Errorf("%d beside the hostile caller, and %d alone", beside, alone)
			}
		})
	}
}

// TestManyCallersDeletingNothing: the share of revocations holds for all callers that
// revoke together, and each of several readers has its turn.
func TestManyCallersDeletingNothing(t *testing.T) {
	readers := func(ctx context.Context, c *crowd) {
		for i := range 3 {
			c.work(ctx, fmt.Sprint("reader", i), Interactive, 20, buckets(fmt.Sprint("get", i, "-"), 12)...)
		}
	}
	const long = 20 * time.Minute
	alone := during(t, defaults, long, "reader0", readers)
	beside := during(t, defaults, long, "reader0", func(ctx context.Context, c *crowd) {
		for i := range 3 {
			c.work(ctx, fmt.Sprint("hostile", i), Revocation, 24, buckets("delete", 24)...)
		}
		readers(ctx, c)
	})
	if 2*(beside+maxLead+1) < alone {
		t.Errorf("%d beside three hostile callers, and %d alone", beside, alone)
	}
}

// TestARevocationOfAnotherGoesFirst: however many revocations of one caller wait, and
// however many reads, the first revocation of another goes next. One of the hostile
// caller goes before it where that has its turn.
func TestARevocationOfAnotherGoesFirst(t *testing.T) {
	plenty := Limit{1000, 100}
	for name, test := range map[string]struct {
		options Options
		deletes []string
		most    int
	}{
		"a bucket":             {Options{Organization: roomy, Default: Limit{7, 2}}, []string{"delete0"}, 0},
		"the organization":     {Options{Organization: Limit{60, 1}, Default: plenty}, buckets("delete", 24), 1},
		"a bucket of its own":  {Options{Organization: Limit{60, 1}, Default: plenty}, buckets("archive", 24), 1},
		"one bucket with each": {Options{Organization: Limit{60, 1}, Default: plenty}, []string{"delete0"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			for after := range 20 {
				synctest.Test(t, func(t *testing.T) {
					p := newPacer(t, test.options)
					c, s := newCrowd(t, p), newScript(t)
					ctx, cancel := context.WithCancel(t.Context())
					c.work(ctx, "hostile", Revocation, 24, test.deletes...)
					if name != "a bucket" {
						c.work(ctx, "reader", Interactive, 20, buckets("get", 20)...)
					}
					time.Sleep(5*time.Minute + time.Duration(after)*777*time.Millisecond) //nolint:forbidigo // the time of the bubble
					hostile, reader := c.count("hostile"), c.count("reader")
					s.wait(as(t.Context(), "neighbour", Revocation), p, "delete0", "neighbour")
					s.want("neighbour")
					if h, r := c.count("hostile")-hostile, c.count("reader")-reader; h > test.most || r > 0 {
						t.Errorf("%d calls of the hostile caller and %d reads went before it", h, r)
					}
					cancel()
					c.all.Wait()
				})
			}
		})
	}
}

// TestAFewRevocationsGoFirst: a caller that revokes some keys at once does not wait for
// others' reads, but for every second one.
func TestAFewRevocationsGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{60, 1}, Default: Limit{1000, 100}}), newScript(t)
		drain(t, p, "b")
		for i := range 30 {
			s.wait(as(t.Context(), fmt.Sprint("reader", i%5), Interactive), p, "list", "r")
		}
		for range maxLead + 3 {
			s.wait(as(t.Context(), "admin", Revocation), p, "delete", "D")
		}
		// When it is eight ahead, it has its turn as each of the readers has.
		s.want(strings.Repeat("D,r,", maxLead) + "D,r,r,r,D,r,r,r,r,r,D")
		p.Close()
	})
}

// TestManyBucketsAreOneTurn: a flow that waits in a hundred buckets has one turn at the
// organization's, also where it stands before another flow in all of them.
func TestManyBucketsAreOneTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{10, 1}, Default: Limit{1000, 100}}), newScript(t)
		drain(t, p, "b0")
		for i := range 300 {
			s.wait(as(t.Context(), "A", Interactive), p, fmt.Sprint("b", i%100), "A")
		}
		for _, bucket := range []string{"b98", "b99", "b99"} {
			s.wait(as(t.Context(), "B", Interactive), p, bucket, "B")
		}
		// A stands before B there once more, and goes in the turn of B.
		s.want("A,B,A,B,A,A,B")
		p.Close()
	})
}

// TestNoTurnsAreSaved: a flow that waited for a closed bucket has no claim to the turns
// that passed meanwhile.
func TestNoTurnsAreSaved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{60, 1}, Default: Limit{1000, 100}}), newScript(t)
		grant := drain(t, p, "closed")
		p.Limited(t.Context(), grant, time.Hour)
		s.wait(as(t.Context(), "A", Interactive), p, "closed", "A")
		for range 100 {
			s.wait(as(t.Context(), "B", Interactive), p, "b", "B")
		}
		s.want(strings.TrimSuffix(strings.Repeat("B,", 50), ","))
		for i := range 50 {
			s.wait(as(t.Context(), "A", Interactive), p, fmt.Sprint("b", i%5), "A")
		}
		s.want("A,B,A,B,A,B,A,B")
		p.Close()
	})
}

// TestLeavingPaysForNothing: a flow that leaves with each of its calls and comes back
// has no more than one that stays.
func TestLeavingPaysForNothing(t *testing.T) {
	const long = 20 * time.Minute
	for _, class := range []Class{Revocation, Interactive} {
		n := during(t, defaults, long, "hostile", func(ctx context.Context, c *crowd) {
			c.work(ctx, "hostile", class, 1, buckets("b", 24)...)
			for i := range 3 {
				c.work(ctx, fmt.Sprint("reader", i), Interactive, 20, buckets(fmt.Sprint("get", i, "-"), 20)...)
			}
		})
		if most := int(60*long.Minutes()/4) + maxLead + 5; n > most {
			t.Errorf("%s: one worker has %d calls, and its turns are %d", class, n, most)
		}
	}
}

// TestFanOutIsNotStarved: one call of eight is a fan-out's, in a bucket and of the
// organization's tokens, however many interactive calls and revocations wait.
func TestFanOutIsNotStarved(t *testing.T) {
	for name, inventory := range map[string][]string{"bucket": {"b0"}, "organization": buckets("list", 20)} {
		t.Run(name, func(t *testing.T) {
			const long = 30 * time.Minute
			// After the bursts, and with the margin.
			options, busy, all := defaults, buckets("b", 20), 56/1.025
			if name == "bucket" {
				options.Organization, busy, all = roomy, []string{"b0"}, 6/1.025
			}
			n := during(t, options, long, "inventory", func(ctx context.Context, c *crowd) {
				c.work(ctx, "hostile", Interactive, 24, busy...)
				c.work(ctx, "revoking", Revocation, 24, busy...)
				c.work(ctx, "inventory", FanOut, 24, inventory...)
			})
			share := float64(n) / (all * long.Minutes())
			if t.Logf("%.3f of all calls", share); share < 1./(patientEvery+2) || share > 1.1/patientEvery {
				t.Errorf("a fan-out has %.3f of the calls", share)
			}
		})
	}
}

// TestAllClassesLeaveAShare: a caller with calls of all classes leaves another half.
// It is a half but for a tenth, as below: of the organization's turns, a call takes one
// only while its bucket has one too, and in which order buckets are ready is chance.
func TestAllClassesLeaveAShare(t *testing.T) {
	const long = 20 * time.Minute
	for name, budget := range map[string][]string{"bucket": {"b"}, "organization": buckets("b", 24)} {
		neighbour := func(ctx context.Context, c *crowd) { c.work(ctx, "neighbour", Interactive, 48, budget...) }
		alone := during(t, defaults, long, "neighbour", neighbour)
		beside := during(t, defaults, long, "neighbour", func(ctx context.Context, c *crowd) {
			for class := Revocation; class <= FanOut; class++ {
				c.work(ctx, "hostile", class, 24, budget...)
			}
			neighbour(ctx, c)
		})
		t.Logf("%s: %d alone, %d beside", name, alone, beside)
		if 2*(beside+maxLead+1) < alone*9/10 {
			t.Errorf("%s: %d beside a caller with all classes, %d alone", name, beside, alone)
		}
	}
}

// Fan-outs take turns with each other: a small one has half beside a large one, but for
// a tenth, because the large one also waits in buckets in which the small one does not.
func TestFanOutsTakeTurns(t *testing.T) {
	const long = 20 * time.Minute
	small := func(ctx context.Context, c *crowd) { c.work(ctx, "small", FanOut, 20, buckets("list", 20)...) }
	alone := during(t, defaults, long, "small", small)
	beside := during(t, defaults, long, "small", func(ctx context.Context, c *crowd) {
		c.work(ctx, "large", FanOut, 200, buckets("list", 100)...)
		small(ctx, c)
	})
	if 2*beside < alone*9/10 {
		t.Errorf("%d beside another, %d alone", beside, alone)
	}
}

// TestAFlowLeavesRoom: one flow takes half of a bucket's room, and others still find
// some.
func TestAFlowLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{1, 1}, Bounds: Bounds{Calls: 100}}), newScript(t)
		drain(t, p, "b")
		fill := func(key string, class Class) (n int) {
			for {
				ctx, cancel := context.WithCancel(as(t.Context(), key, class))
				t.Cleanup(cancel)
				before := waitingIn(p)
				s.wait(ctx, p, "b", key)
				if waitingIn(p) == before {
					exhausted(t, (<-s.results).err, QueueFull)
					return n
				}
				n++
			}
		}
		for i, want := range []int{50, 25, 13, 6, 3, 2, 1} {
			if n := fill(fmt.Sprint("hostile", i), Interactive); n != want {
				t.Errorf("the flow %d has %d calls in the queue", i, n)
			}
		}
		// A flow has no more room by calling in another class.
		if n := fill("hostile0", FanOut) + fill("hostile0", Revocation); n != 0 {
			t.Errorf("%d more calls in other classes", n)
		}
		p.Close()
	})
}

// TestRetryAfterCountsTheQueue: a call that is refused for its deadline, on arrival or
// later, is told the time after which it would have been made.
func TestRetryAfterCountsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: Limit{60, 1}, Default: Limit{30, 1}, Margin: 1e-9}), newScript(t)
		drain(t, p, "list")
		for i := range 40 {
			s.wait(as(t.Context(), fmt.Sprint("reader", i%4), Interactive), p, "list", "r")
		}
		for range 6 {
			s.wait(as(t.Context(), "hostile", Revocation), p, "list", "D")
		}
		short, cancel := context.WithTimeout(as(t.Context(), "reader0", Interactive), time.Second)
		defer cancel()
		_, err := p.Wait(short, "list")
		retryAfter := exhausted(t, err, TooLate).RetryAfter
		start := time.Now()
		s.wait(as(t.Context(), "reader0", Interactive), p, "list", "me")
		for got := range s.results {
			if got.name == "me" {
				break
			}
		}
		if took := time.Since(start); retryAfter < took*8/10 || retryAfter > took*12/10 {
			t.Errorf("retry after %s, and it went after %s", retryAfter, took)
		}
		p.Close()
	})
}

// A refusal when the bucket closes counts those who wait too.
func TestRetryAfterWhenABucketCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{60, 1}}), newScript(t)
		grant := drain(t, p, "b")
		for range 20 {
			s.wait(as(t.Context(), "f", Interactive), p, "b", "f")
		}
		short, cancel := context.WithTimeout(as(t.Context(), "f", Interactive), 25*time.Second)
		defer cancel()
		s.wait(short, p, "b", "short")
		p.Limited(t.Context(), grant, time.Minute)
		synctest.Wait()
		got := <-s.results
		if e := exhausted(t, got.err, TooLate); got.name != "short" || e.RetryAfter < 80*time.Second {
			t.Errorf("%s is to come again after %s", got.name, e.RetryAfter)
		}
		p.Close()
	})
}

// TestDemotedRevocationsAreCounted: those that were beyond the share, and no others.
func TestDemotedRevocationsAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var recorded notes
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{60, 1}, Metrics: &recorded}), newScript(t)
		drain(t, p, "b")
		for i := range 60 {
			s.wait(as(t.Context(), fmt.Sprint("reader", i%6), Interactive), p, "b", "r")
		}
		for range 12 {
			s.wait(as(t.Context(), "hostile", Revocation), p, "b", "D")
		}
		s.order(72)
		p.Close()
		demoted := 0
		for _, call := range recorded.calls {
			if call == "demoted b" {
				demoted++
			}
		}
		if demoted == 0 || demoted > 12-maxLead {
			t.Errorf("%d of 12 revocations were beyond the share", demoted)
		}
	})
}
