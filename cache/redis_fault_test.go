package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// redisEvents are Metrics that count by event.
type redisEvents [Events]atomic.Int64

func (c *redisEvents) Count(_ string, e Event) { c[e].Add(1) }

// Under each fault of Redis, a call ends within its timeout and the breaker opens.
// When Redis works again it is used again, without the entries that were invalidated
// meanwhile.
func TestRedisFaults(t *testing.T) {
	t.Parallel()
	faults := map[string]struct {
		begin, end func(*testing.T, *faultproxy.Proxy)
	}{
		"black hole": {
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.BlackHole) },
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.None) },
		},
		// Idle connections die too, and new ones are accepted and then silent.
		"black hole for new connections": {
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.BlackHole); p.Cut() },
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.None) },
		},
		"reset": {
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.Reset) },
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.None) },
		},
		"refused": {
			func(_ *testing.T, p *faultproxy.Proxy) { p.Refuse() },
			func(t *testing.T, p *faultproxy.Proxy) { t.Helper(); p.Listen(t) },
		},
		"answers held back": {
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.Hold) },
			func(_ *testing.T, p *faultproxy.Proxy) { p.Set(faultproxy.None) },
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRedisServer(t)
			proxy := faultproxy.New(t, server.addr)
			// The breaker stays open until the test has seen that it is.
			r := newHasty(t, proxy.Addr(), RedisOptions{BreakerPause: time.Hour})
			r.cancel() // The test repairs by hand.
			<-r.ended
			other := newReplica(t, server.addr, RedisOptions{})
			key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
			storeOne(t, other, key, tags, "before")
			timetest.Eventually(t, "it works to begin with", func() bool {
				r.guard = redisclient.NewGuard(redisclient.GuardOptions{BreakerPause: time.Hour}) // A slow machine may have opened it.
				_, ok, err := r.Load(t.Context(), key, tags)
				return err == nil && ok
			})

			fault.begin(t, proxy)
			var slowest time.Duration
			for i := range 20 {
				began := time.Now()
				_, ok, err := r.Load(t.Context(), redisTestKey(1), tags)
				slowest = max(slowest, time.Since(began))
				if ok || !errors.Is(err, ErrUnavailable) {
					t.Fatalf("load %d: %v, %v", i, ok, err)
				}
				if strings.Contains(err.Error(), "GET /") {
					t.Errorf("the error has the key: %v", err)
				}
			}
			t.Logf("slowest call: %v", slowest)
			// The timeout is 40 ms. A default of go-redis would be seconds.
			if slowest > time.Second {
				t.Errorf("a call took %v", slowest)
			}
			if r.guard.Available() {
				t.Error("still asked after 20 failures")
			}
			chunks, conns := proxy.Received(), proxy.Accepted()
			closed, err := r.Open(t.Context(), tags)
			if !errors.Is(err, ErrUnavailable) {
				t.Errorf("open: %v", err)
			}
			if err := closed(t.Context()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("close: %v", err)
			}
			if proxy.Received() != chunks || proxy.Accepted() != conns {
				t.Error("Redis was asked although the breaker is open")
			}
			if r.owing() != len(tags.slots) {
				t.Errorf("owing %d slots", r.owing())
			}

			fault.end(t, proxy)
			r.guard = redisclient.NewGuard(redisclient.GuardOptions{BreakerPause: time.Nanosecond}) // The hour is over.
			// This replica does not load entries that only it knows to be invalid.
			if got := loaded(t, r, key, tags); got != "" {
				t.Errorf("loaded %q, which was written since", got)
			}
			if _, err := r.Snapshot(t.Context(), tags); err == nil {
				t.Error("snapshot of what only this replica knows to be stale")
			}
			if err := r.Save(t.Context(), key, redisTestEntry("x"), Snapshot{tags: tags, epoch: 1, generations: []uint64{0}}); err == nil {
				t.Error("saved what only this replica knows to be stale")
			}
			timetest.Eventually(t, "the debt is paid", func() bool { r.repairAll(t.Context()); return r.owing() == 0 })
			if got := loaded(t, other, key, tags); got != "" {
				t.Errorf("another replica loaded %q after the repair", got)
			}
			storeOne(t, other, key, tags, "after")
			timetest.Eventually(t, "it is used again", func() bool {
				e, ok, err := r.Load(t.Context(), key, tags)
				return err == nil && ok && string(e.Body()) == "after" && r.guard.Available()
			})
		})
	}
}

// A write whose open did not reach Redis is opened there while it goes on.
func TestRedisReopens(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	proxy := faultproxy.New(t, server.addr)
	writer := newReplica(t, proxy.Addr(), RedisOptions{RepairInterval: time.Millisecond, BreakerPause: time.Millisecond})
	reader := newReplica(t, server.addr, RedisOptions{})
	tags := NewTags(redisTestOrg, "/a")
	proxy.Refuse()
	closed, err := writer.Open(t.Context(), tags)
	if !errors.Is(err, ErrUnavailable) {
		t.Fatal(err)
	}
	if _, err := reader.Snapshot(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	proxy.Listen(t)
	timetest.Eventually(t, "the write is known", func() bool {
		_, err := reader.Snapshot(t.Context(), tags)
		return errors.Is(err, ErrWriting)
	})
	timetest.Eventually(t, "the write ends", func() bool { return writer.owing() == 0 })
	if err := closed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := reader.Snapshot(t.Context(), tags); err != nil {
		t.Errorf("after the end: %v", err)
	}
}

// A write is closed in Redis although its caller has left.
func TestRedisCloseOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r, other := newReplica(t, server.addr, RedisOptions{}), newReplica(t, server.addr, RedisOptions{})
	tags := NewTags(redisTestOrg, "/a")
	ctx, cancel := context.WithCancel(t.Context())
	closed, err := r.Open(ctx, tags)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := closed(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Snapshot(t.Context(), tags); err != nil {
		t.Error(err)
	}
}

// Redis is full: no entry can be stored, and invalidated ones are not served.
func TestRedisOutOfMemory(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t, "--maxmemory-policy", "noeviction")
	events := new(redisEvents)
	r, other := newReplica(t, server.addr, RedisOptions{Metrics: events}), newReplica(t, server.addr, RedisOptions{})
	heard := newHearing(t, other)
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	storeOne(t, r, key, tags, "before")
	at, err := r.Snapshot(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	heard.drain()
	if err := server.client.ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, other, key, tags); got != "before" {
		t.Errorf("a full Redis does not give what it has: %q", got)
	}
	err = r.Save(t.Context(), redisTestKey(2), redisTestEntry("secret body"), at)
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "OOM") || strings.Contains(err.Error(), "secret") {
		t.Errorf("save: %v", err)
	}
	closed, err := r.Open(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, other, key, tags); got != "" {
		t.Errorf("loaded %q during a write", got)
	}
	if err := closed(t.Context()); err != nil {
		t.Fatal(err)
	}
	heard.wait("all")
	if got := loaded(t, other, key, tags); got != "" {
		t.Errorf("loaded %q after a write", got)
	}
	heard.drain()
	// There are no generations left to lose, and another replica may have an answer that
	// it could not confirm: it has to hear of each write all the same.
	for range 2 {
		if closed, err = r.Open(t.Context(), tags); err != nil {
			t.Fatal(err)
		}
		heard.wait("all")
		if err := closed(t.Context()); err != nil {
			t.Fatal(err)
		}
		heard.wait("all")
	}
	if err := server.client.ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Save(t.Context(), key, redisTestEntry("before"), at); !errors.Is(err, ErrInvalidated) {
		t.Errorf("saved with a snapshot from before the write: %v", err)
	}
	storeOne(t, r, key, tags, "after")
	if got := loaded(t, other, key, tags); got != "after" {
		t.Errorf("loaded %q, want after", got)
	}
}

// A former master is a replica now, and refuses writes.
func TestRedisReadOnly(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r := newReplica(t, server.addr, RedisOptions{RepairInterval: time.Millisecond, BreakerPause: time.Millisecond})
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	storeOne(t, r, key, tags, "before")
	if err := server.client.Do(t.Context(), "replicaof", "127.0.0.1", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.Purge(t.Context(), tags); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "READONLY") {
		t.Fatalf("purge: %v", err)
	}
	if got := loaded(t, r, key, tags); got != "" {
		t.Errorf("loaded %q after a purge", got)
	}
	if err := server.client.Do(t.Context(), "replicaof", "no", "one").Err(); err != nil {
		t.Fatal(err)
	}
	timetest.Eventually(t, "the purge reaches Redis", func() bool { return r.owing() == 0 })
	storeOne(t, r, key, tags, "after")
	if got := loaded(t, r, key, tags); got != "after" {
		t.Errorf("loaded %q, want after", got)
	}
}

// Calls are cancelled at any point and their replies come late, and no other call
// gets one of these replies.
func TestRedisCancelledCalls(t *testing.T) {
	t.Parallel()
	const calls, workers, keys = 10_000, 32, 200
	server := newRedisServer(t)
	proxy := faultproxy.New(t, server.addr)
	proxy.SetDelay(2 * time.Millisecond)
	events := new(redisEvents)
	r := newReplica(t, proxy.Addr(), RedisOptions{Metrics: events, BreakerPause: time.Millisecond})
	direct := newReplica(t, server.addr, RedisOptions{})
	tags := NewTags(redisTestOrg, "/a")
	for i := range keys {
		storeOne(t, direct, redisTestKey(i), tags, fmt.Sprint("body of ", i))
	}
	proxy.Set(faultproxy.Slow)

	var cancelled, answered, rejected, next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for cancelled.Load() < calls && next.Load() < 20*calls {
				i := int(next.Add(1))
				ctx, cancel := context.WithCancel(t.Context())
				timeout := time.Duration(rand.Int64N(int64(6 * time.Millisecond)))
				if i%2 == 0 {
					cancel()
					ctx, cancel = context.WithTimeout(t.Context(), timeout)
				} else {
					time.AfterFunc(timeout, cancel)
				}
				e, ok, err := r.Load(ctx, redisTestKey(i%keys), tags)
				left := ctx.Err() != nil
				cancel()
				switch {
				case err == nil && ok:
					answered.Add(1)
					if want := fmt.Sprint("body of ", i%keys); string(e.Body()) != want {
						t.Errorf("got %q, want %q", e.Body(), want)
					}
				case err == nil:
					t.Errorf("key %d is a miss", i%keys)
				}
				switch {
				case errors.Is(err, redisclient.ErrOpen):
					rejected.Add(1)
				case left:
					cancelled.Add(1)
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d calls: %d cut off, %d answered, %d not made; %d connections",
		next.Load(), cancelled.Load(), answered.Load(), rejected.Load(), proxy.Accepted())
	if cancelled.Load() < calls || answered.Load() < calls/100 {
		t.Error("too few of either to say anything")
	}
	if n := events[WrongKey].Load() + events[Malformed].Load(); n != 0 {
		t.Errorf("%d answers were another's", n)
	}
}

// A caller that leaves is no failure of Redis.
func TestRedisBreakerIgnoresCallersThatLeave(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r := newReplica(t, server.addr, RedisOptions{BreakerPause: time.Hour})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for range 100 {
		if _, _, err := r.Load(ended, redisTestKey(1), NewTags(redisTestOrg, "/a")); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if !r.guard.Available() {
		t.Error("callers that left opened the breaker")
	}
}
