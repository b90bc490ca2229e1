package cache

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// newRedisSubject returns a store under a prefix of server.
func newRedisSubject(t *testing.T, server *redisServer, prefix string) (subject, *Redis, *timetest.Clock) {
	t.Helper()
	c := timetest.NewClock()
	r := newReplica(t, server.addr, RedisOptions{Prefix: prefix, Now: c.Now, Lease: time.Minute})
	return subject{
		store: r,
		now:   c.Now,
		advance: func(d time.Duration) {
			c.Advance(d)
			if d >= time.Minute {
				server.expireLeases(t, prefix, "org_1")
			}
		},
		short: time.Second,
		lease: 2 * time.Minute,
	}, r, c
}

func TestRedisContract(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	var stores atomic.Int64
	prefix := func() string { return fmt.Sprint("test", stores.Add(1)) }
	for name, wrap := range map[string]func(t *testing.T, r *Redis, c *timetest.Clock) Store{
		"itself": func(_ *testing.T, r *Redis, _ *timetest.Clock) Store { return r },
		"sealed": func(t *testing.T, r *Redis, _ *timetest.Clock) Store { t.Helper(); return newSealed(t, r, 1, 2) },
		"below memory": func(t *testing.T, r *Redis, c *timetest.Clock) Store {
			t.Helper()
			return runTiered(t, TieredOptions{Memory: newMemory(t, c), Shared: r, Bus: r})
		},
		"sealed below memory": func(t *testing.T, r *Redis, c *timetest.Clock) Store {
			t.Helper()
			return runTiered(t, TieredOptions{Memory: newMemory(t, c), Shared: newSealed(t, r, 1), Bus: r})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testStoreContract(t, func(t *testing.T) subject {
				t.Helper()
				s, r, c := newRedisSubject(t, server, prefix())
				s.store = wrap(t, r, c)
				return s
			})
		})
	}
}

// runTiered returns a Tiered that listens to its bus until the test ends.
func runTiered(tb testing.TB, o TieredOptions) *Tiered {
	tb.Helper()
	tiered, err := NewTiered(o)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tiered.Run(ctx)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	timetest.Eventually(tb, "the bus is heard", func() bool { return !tiered.isolated() })
	return tiered
}

// Redis expires an entry when its life is over.
func TestRedisExpiry(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	s, _, _ := newRedisSubject(t, server, "gw")
	tags := s.tags("a")
	e := s.entry("body")
	e.Life = Life{Fresh: time.Minute, Stale: 10 * time.Minute, StaleIfError: time.Hour}
	e.StoredAt = e.StoredAt.Add(-30 * time.Second)
	if err := s.store.Save(t.Context(), s.key("k"), e, s.snapshot(t, tags)); err != nil {
		t.Fatal(err)
	}
	left, err := server.client.PTTL(t.Context(), newRedisOrg("gw", "org_1").entryKey(s.key("k"))).Result()
	if err != nil || left > time.Hour+30*time.Second || left < time.Hour {
		t.Errorf("%v left, %v; want 1h0m30s at most, and not long ago", left, err)
	}
}
