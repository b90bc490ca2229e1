package pace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// jittery is a margin for windows of seconds. A machine that stands still for a
// tenth of a second delays a call by as much in a window of two as in one of a
// minute, where it is nothing.
const jittery = 0.12

func newClient(tb testing.TB, addr string, timeout time.Duration) redis.UniversalClient {
	tb.Helper()
	client, err := redisclient.New(redisclient.Config{URL: "redis://" + addr, Patience: timeout})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = client.Close() })
	return client
}

// newShared returns a budget in the Redis at addr, as another replica has it. It is
// patient: the machine that tests run on may stand still.
func newShared(tb testing.TB, addr string, options RedisOptions) *Redis {
	tb.Helper()
	const patience = 10 * time.Second
	if options.CallTimeout == 0 {
		options.CallTimeout = patience
	}
	options.Organization = "org"
	r, err := NewRedis(newClient(tb, addr, options.CallTimeout), options)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

func TestReplicasKeepOneBudget(t *testing.T) {
	t.Parallel()
	const budget, window, calls = 20, 2 * time.Second, 90
	addr := redistest.Start(t)
	m := newModel(budget, window)
	var all sync.WaitGroup
	var replicas []*Pacer
	for range 3 {
		replicas = append(replicas, newPacer(t, Options{
			Window: window, Margin: jittery, Organization: Limit{1000, 10}, Default: Limit{budget, 4},
			Shared: newShared(t, addr, RedisOptions{}),
		}))
	}
	for i := range calls {
		p, ctx := replicas[i%3], as(t.Context(), fmt.Sprint(i%100), Interactive)
		all.Go(func() {
			if _, err := p.Wait(ctx, "b"); err != nil {
				t.Error(err)
				return
			}
			m.arrive("b")
		})
	}
	all.Wait()
	m.check(t, budget)
	if total, refusals := m.count(); total != calls || refusals != 0 {
		t.Errorf("%d calls, %d refused", total, refusals)
	}
}

func TestReplicasKeepTheOrganizationsBudget(t *testing.T) {
	t.Parallel()
	const budget, window = 20, 2 * time.Second
	addr := redistest.Start(t)
	m := newModel(budget, window)
	var all sync.WaitGroup
	for replica := range 3 {
		p := newPacer(t, Options{
			Window: window, Margin: jittery, Organization: Limit{budget, 1}, Default: Limit{500, 5},
			Shared: newShared(t, addr, RedisOptions{}),
		})
		for i := range 20 {
			all.Go(func() {
				if _, err := p.Wait(t.Context(), fmt.Sprint("b", (i+replica)%4)); err != nil {
					t.Error(err)
					return
				}
				m.arrive("organization")
			})
		}
	}
	all.Wait()
	m.check(t, budget)
	if _, refusals := m.count(); refusals != 0 {
		t.Errorf("%d refused", refusals)
	}
}

// replicaOrder lets calls wait at two replicas and returns the order of their grants.
func replicaOrder(t *testing.T, addr string, count [2]int, class [2]Class) string {
	t.Helper()
	var replicas [2]*Pacer
	for i := range replicas {
		replicas[i] = newPacer(t, Options{
			Window: 4 * time.Second, Organization: Limit{1000, 10}, Default: Limit{20, 1},
			Shared: newShared(t, addr, RedisOptions{}),
		})
	}
	drain(t, replicas[0], "b")
	var (
		all  sync.WaitGroup
		mu   sync.Mutex
		went []string
	)
	looker := newShared(t, addr, RedisOptions{})
	for i, p := range replicas {
		for range count[i] {
			all.Go(func() {
				if _, err := p.Wait(as(t.Context(), "f", class[i]), "b"); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				went = append(went, string("AB"[i]))
			})
		}
		timetest.Eventually(t, "the replica is in turn", func() bool {
			states, err := looker.Look(t.Context(), p.rules, []Terms{termsOf(p, "b")})
			return err == nil && states[0].Waiting > i
		})
	}
	all.Wait()
	return strings.Join(went, "")
}

func TestReplicasTakeTurns(t *testing.T) {
	t.Parallel()
	order := replicaOrder(t, redistest.Start(t), [2]int{10, 10}, [2]Class{FanOut, FanOut})
	// A turn is lost where a replica stands still for longer than the grace.
	longest, run := 0, 0
	for i := range order {
		if i > 0 && order[i] == order[i-1] {
			run++
		} else {
			run = 1
		}
		if i < 16 {
			longest = max(longest, run)
		}
	}
	if longest > 3 {
		t.Errorf("went %s", order)
	}
}

func TestClassesGoInOrderBetweenReplicas(t *testing.T) {
	t.Parallel()
	order := replicaOrder(t, redistest.Start(t), [2]int{10, 3}, [2]Class{FanOut, Revocation})
	// A may have had a call under way.
	if strings.LastIndex(order, "B") > 4 {
		t.Errorf("went %s", order)
	}
}

func TestReplicasLearnTogether(t *testing.T) {
	addr := redistest.Start(t)
	options := Options{Organization: roomy, Default: Limit{20, 5}, Learning: Learning{Floor: 3}}
	options.Shared = newShared(t, addr, RedisOptions{})
	a := newPacer(t, options)
	options.Shared = newShared(t, addr, RedisOptions{})
	b := newPacer(t, options)
	first, second := drain(t, a, "b"), drain(t, b, "b")
	a.Limited(t.Context(), first, 30*time.Second)
	b.Limited(t.Context(), second, 20*time.Second)
	for _, p := range []*Pacer{a, b} {
		s := stateOf(t, p)
		if s.Rate != 14 || s.Burst != 3 || s.Tokens != 0 || !s.Shared || s.LastLimited.IsZero() ||
			time.Until(s.ClosedUntil) < 25*time.Second || time.Until(s.ClosedUntil) > 31*time.Second {
			t.Errorf("%+v", s)
		}
	}
	// A new replica learns the state with its first call, which fails without a
	// wait for its deadline.
	options.Shared = newShared(t, addr, RedisOptions{})
	c := newPacer(t, options)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	_, err := c.Wait(ctx, "b")
	if exhausted(t, err, TooLate); ctx.Err() != nil {
		t.Error("it waited")
	}
	// The floor applies in Redis too.
	for epoch := range uint64(20) {
		state, err := options.Shared.Refuse(ctx, Refusal{Rules: c.rules, Bucket: termsOf(c, "b"), Epoch: epoch + 1})
		if err != nil || state.Rate < 3 {
			t.Fatal(state, err)
		}
	}
	if s := stateOf(t, c); s.Rate != 3 {
		t.Errorf("%+v", s)
	}
}

// The scripts compute the same rates as a replica alone.
func TestRedisLearnsAsAReplicaDoes(t *testing.T) {
	const quiet = 50 * time.Millisecond
	r := newShared(t, redistest.Start(t), RedisOptions{})
	var options Options
	options.Learning = Learning{Quiet: quiet, Memory: time.Hour, Floor: 2}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	rules := options.rules()
	terms := Terms{Bucket: "b", Limit: Limit{1000, 10}, Floor: 2}
	organization := Terms{Limit: roomy}
	local := newBucket("b", terms.Limit, terms.Floor, &options)
	now := time.Now()
	for step := range 30 {
		var shared State
		if step < 3 {
			var err error
			if shared, err = r.Refuse(t.Context(), Refusal{Rules: rules, Bucket: terms, Epoch: uint64(step)}); err != nil {
				t.Fatal(err)
			}
			local.learned.refuse(now, 0, uint64(step), false, terms, rules.Learning)
		} else {
			now = now.Add(quiet)
			local.learned.raise(now, terms, rules.Learning)
			timetest.Eventually(t, "the rate is raised", func() bool {
				answer, err := r.Take(t.Context(), Ask{Rules: rules, Bucket: terms, Organization: organization, Class: FanOut})
				shared = answer.Bucket
				return err != nil || shared.Rate >= local.learned.rate
			})
		}
		if d := shared.Rate - local.learned.rate; d > 1e-9 || d < -1e-9 || shared.Epoch != local.learned.epoch {
			t.Fatalf("step %d: Redis %+v, local %+v", step, shared, local.learned)
		}
		if step >= 3 && local.learned.rate > 465 {
			return // The rate stays below the refused one.
		}
	}
	t.Error("it was never raised to what was refused")
}

func TestCancelStorm(t *testing.T) {
	addr := redistest.Start(t)
	client := newClient(t, addr, time.Second)
	p := newPacer(t, Options{
		Window: time.Second, Organization: Limit{10_000, 10}, Default: Limit{5000, 5},
		Shared: newShared(t, addr, RedisOptions{}),
	})
	m := newModel(0, time.Second)
	var all sync.WaitGroup
	for i := range 2000 {
		ctx, cancel := context.WithCancel(as(t.Context(), fmt.Sprint(i%50), Class(i%3+1)))
		all.Go(func() {
			grant, err := p.Wait(ctx, "b")
			switch {
			case err == nil && grant.Bucket == "b":
				m.arrive("b")
			case !errors.Is(err, context.Canceled):
				t.Error(err)
			}
		})
		all.Go(cancel)
	}
	all.Wait()
	m.check(t, 5000)
	if waitingIn(p) != 0 || remembered(p) != 0 {
		t.Error("calls are left")
	}
	// The pacer still works.
	drain(t, p, "b")
	// All keys are in one slot, and all expire.
	keys, err := client.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	for _, key := range keys {
		ttl, err := client.TTL(t.Context(), key).Result()
		if !strings.HasPrefix(key, "gw:{org}:p") || err != nil || ttl <= 0 || ttl > 24*time.Hour {
			t.Error(key, ttl, err)
		}
	}
}

func TestReturnGivesBackWhatNobodyTookAfter(t *testing.T) {
	r := newShared(t, redistest.Start(t), RedisOptions{})
	var options Options
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	ask := Ask{
		Rules: options.rules(), Class: FanOut,
		Bucket: Terms{Bucket: "b", Limit: Limit{10, 3}}, Organization: Terms{Limit: Limit{60, 5}},
	}
	take := func() Answer {
		t.Helper()
		answer, err := r.Take(t.Context(), ask)
		if err != nil || !answer.Granted {
			t.Fatal(answer, err)
		}
		return answer
	}
	first := take()
	if first.Bucket.Tokens != 2 || first.Organization.Tokens != 4 {
		t.Errorf("%+v", first)
	}
	second := take()
	// The first token cannot be returned after the second; the second can, once.
	for i, returned := range []Answer{first, second, second} {
		if err := r.Return(t.Context(), ask, returned); err != nil {
			t.Fatal(err)
		}
		states, err := r.Look(t.Context(), ask.Rules, []Terms{ask.Organization, ask.Bucket})
		want := float64(min(i, 1))
		if err != nil || states[0].Tokens != 3+want || states[1].Tokens != 1+want {
			t.Errorf("after %d: %+v %v", i, states, err)
		}
	}
}

// replicasOf lets replicas that share a Redis ask for tokens, each by its name. None
// loses its turn within a test.
func replicasOf(t *testing.T, terms func(name string) (bucket, organization Terms)) func(name string, class Class) Answer {
	t.Helper()
	addr := redistest.Start(t)
	options := Options{Window: 16 * time.Second}
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	replicas := make(map[string]*Redis)
	return func(name string, class Class) Answer {
		t.Helper()
		r := replicas[name]
		if r == nil {
			r = newShared(t, addr, RedisOptions{Grace: time.Hour})
			replicas[name] = r
		}
		ask := Ask{Rules: options.rules(), Class: class}
		ask.Bucket, ask.Organization = terms(name)
		answer, err := r.Take(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
}

// A token is for the replica whose turn it is: by class, then by arrival.
func TestTokenIsSpokenFor(t *testing.T) {
	t.Parallel()
	take := replicasOf(t, func(string) (bucket, organization Terms) {
		return Terms{Bucket: "b", Limit: Limit{4, 1}}, Terms{Limit: roomy}
	})
	if !take("first", FanOut).Granted {
		t.Fatal("no token at first")
	}
	take("second", FanOut)
	take("third", FanOut)
	take("urgent", Interactive)
	timetest.Eventually(t, "there is a token", func() bool { return take("watching", FanOut).Bucket.Tokens == 1 })
	for _, name := range []string{"first", "third", "second"} {
		if answer := take(name, FanOut); answer.Granted || answer.BucketWait <= 0 || answer.Bucket.Waiting == 0 {
			t.Errorf("%s: %+v", name, answer)
		}
	}
	if answer := take("urgent", Interactive); !answer.Granted || answer.Bucket.Waiting != 4 {
		t.Errorf("%+v", answer)
	}
	for _, name := range []string{"third", "second", "first"} {
		take(name, FanOut) // Each asks again when it is due.
	}
	timetest.Eventually(t, "there is a token", func() bool { return take("watching", FanOut).Bucket.Tokens == 1 })
	for _, name := range []string{"watching", "first", "third"} {
		if take(name, FanOut).Granted {
			t.Errorf("%s went before the second", name)
		}
	}
	if !take("second", FanOut).Granted {
		t.Error("the second has no token")
	}
}

func TestRedisOptions(t *testing.T) {
	for _, organization := range []string{"", "a{b", "a}b"} {
		if _, err := NewRedis(nil, RedisOptions{Organization: organization}); err == nil {
			t.Errorf("%q is accepted", organization)
		}
	}
}
