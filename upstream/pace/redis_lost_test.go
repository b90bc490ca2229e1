package pace

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// Three replicas lose Redis and find it again, in a network that holds packets back
// and delivers them late.
func TestRedisIsLostAndComesBack(t *testing.T) {
	t.Parallel()
	const budget, window = 18, 2 * time.Second
	addr := redistest.Start(t)
	m := newModel(0, window)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var all sync.WaitGroup
	replicas, proxies := make([]*Pacer, 3), make([]*faultproxy.Proxy, 3)
	for i := range replicas {
		proxies[i] = faultproxy.New(t, addr)
		replicas[i] = newPacer(t, Options{
			Window: window, Margin: jittery, Organization: Limit{1000, 10}, Default: Limit{budget, 3},
			Share: 1.0 / 3, Recheck: 20 * time.Millisecond,
			Shared: newShared(t, proxies[i].Addr(), RedisOptions{CallTimeout: 40 * time.Millisecond, BreakerPause: 50 * time.Millisecond}),
		})
		for flow := range 5 {
			all.Go(func() {
				for {
					if _, err := replicas[i].Wait(as(ctx, fmt.Sprint(flow), FanOut), "b"); err != nil {
						return
					}
					m.arrive("b")
				}
			})
		}
	}
	all3 := func(shared bool) func() bool {
		return func() bool {
			return !slices.ContainsFunc(replicas, func(p *Pacer) bool { return stateOf(t, p).Shared != shared })
		}
	}
	more := func(n int) {
		t.Helper()
		before, _ := m.count()
		timetest.Eventually(t, "calls go on", func() bool { now, _ := m.count(); return now >= before+n })
	}
	more(2 * budget)
	for _, p := range proxies {
		p.Set(faultproxy.BlackHole)
	}
	timetest.Eventually(t, "Redis is lost", all3(false))
	more(2 * budget)
	for _, p := range proxies {
		p.Set(faultproxy.None)
	}
	timetest.Eventually(t, "Redis is back", all3(true))
	more(2 * budget)
	stop()
	all.Wait()
	m.check(t, budget)
}

// What replicas have spent without Redis is added to what it knows, as time in which a
// bucket earns tokens. What a replica has spent with it is known, but for a Redis that
// has lost it.
func TestRedisSettlesDebts(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	r := newShared(t, addr, RedisOptions{})
	options := Options{}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	// A token in 10 s, and four at once.
	terms := Terms{Bucket: "b", Limit: Limit{Calls: 6*1.025 + 3, Burst: 4}}
	take := func(debt Debt) Answer {
		t.Helper()
		answer, err := r.Take(t.Context(), Ask{
			Rules: options.rules(), Class: Interactive, Bucket: terms, Organization: Terms{Limit: roomy}, BucketDebt: debt,
		})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	for _, step := range []struct {
		name    string
		debt    Debt
		granted bool
		tokens  float64 // after that
	}{
		{"a Redis that knows nothing is told what this replica has spent", Debt{Own: 15 * time.Second}, true, 1},
		{"what it knows is not told", Debt{Own: 25 * time.Second}, true, 0},
		{"what was spent without it is", Debt{Unsettled: 10 * time.Second, Own: 25 * time.Second}, false, 0},
	} {
		if answer := take(step.debt); answer.Granted != step.granted || answer.Bucket.Tokens != step.tokens {
			t.Errorf("%s: %+v", step.name, answer)
		}
	}
	// 15 s and two tokens and 10 s are spent, of 40 s.
	if wait := take(Debt{}).BucketWait; wait < 10*time.Second || wait > 15*time.Second {
		t.Errorf("waits for %s", wait)
	}
	if wait := take(Debt{Own: 2 * time.Minute}).BucketWait; wait < 85*time.Second || wait > 91*time.Second {
		t.Errorf("a Redis that has lost what it knew lets wait for %s", wait)
	}
}

// A refusal from which there is nothing to learn closes the bucket.
func TestRedisLearnsNothingFromALostMinute(t *testing.T) {
	t.Parallel()
	r := newShared(t, redistest.Start(t), RedisOptions{})
	options := Options{}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	terms := Terms{Bucket: "b", Limit: Limit{10, 1}, Floor: 1}
	for unlearned, rate := range map[bool]float64{true: 10, false: 7} {
		terms.Bucket = fmt.Sprint(unlearned)
		state, err := r.Refuse(t.Context(), Refusal{
			Rules: options.rules(), Bucket: terms, Closed: time.Minute, Unlearned: unlearned,
		})
		if err != nil {
			t.Fatal(err)
		}
		if state.Rate != rate || state.Lowered == unlearned || state.Closed < 50*time.Second {
			t.Errorf("unlearned %t: %+v", unlearned, state)
		}
	}
}

// After a loss of data in Redis there is no burst.
func TestRedisForgets(t *testing.T) {
	t.Parallel()
	const budget, window = 20, 2 * time.Second
	addr := redistest.Start(t)
	client := newClient(t, addr, time.Second)
	m := newModel(0, window)
	p := newPacer(t, Options{
		Window: window, Margin: jittery, Organization: Limit{1000, 10}, Default: Limit{budget, 5},
		Shared: newShared(t, addr, RedisOptions{}),
	})
	for i := range 60 {
		if i%15 == 14 {
			if err := client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		}
		drain(t, p, "b")
		m.arrive("b")
	}
	m.check(t, budget)
}

func TestRedisIsDeadFromTheStart(t *testing.T) {
	p := newPacer(t, Options{
		Window: 100 * time.Millisecond, Organization: Limit{1000, 10}, Default: Limit{20, 5}, Share: 0.5,
		Shared: newShared(t, "127.0.0.1:"+redistest.FreePort(t), RedisOptions{CallTimeout: 40 * time.Millisecond}),
	})
	for range 20 {
		drain(t, p, "b")
	}
	if s := stateOf(t, p); s.Shared || s.Rate != 10 {
		t.Errorf("%+v", s)
	}
}
