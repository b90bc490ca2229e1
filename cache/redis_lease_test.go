package cache

import (
	"context"
	"errors"
	"testing"
	"time"
)

// leaseTest is two replicas and a fetch of both.
type leaseTest struct {
	t      *testing.T
	server *redisServer
	a, b   *Redis
	tags   Tags
}

func newLeaseTest(t *testing.T) leaseTest {
	t.Helper()
	server := newRedisServer(t)
	return leaseTest{
		t: t, server: server, tags: NewTags(redisTestOrg, "/a"),
		a: newReplica(t, server.addr, RedisOptions{}), b: newReplica(t, server.addr, RedisOptions{}),
	}
}

func (l leaseTest) acquire(r *Redis, class int, want bool) Lease {
	l.t.Helper()
	lease, ok, err := r.Acquire(l.t.Context(), Claim{Key: redisTestKey(1), Tags: l.tags, Class: class}, time.Hour)
	if err != nil || ok != want {
		l.t.Fatalf("acquired: %t, %v, want %t", ok, err, want)
	}
	return lease
}

func (l leaseTest) renew(lease Lease, class int, departed, want bool) {
	l.t.Helper()
	if held, err := lease.Renew(l.t.Context(), class, departed); err != nil || held != want {
		l.t.Fatalf("held: %t, %v, want %t", held, err, want)
	}
}

func TestRedisLease(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t)
	lease := l.acquire(l.a, 2, true)
	l.acquire(l.b, 2, false)
	l.acquire(l.b, 3, false)
	if _, ok, err := l.b.Acquire(t.Context(), Claim{Key: redisTestKey(2), Tags: l.tags, Class: 2}, time.Hour); err != nil || !ok {
		t.Fatalf("another key: %v, %v", ok, err)
	}
	// The lease expires, and another replica takes over.
	if err := l.server.client.Del(t.Context(), newRedisOrg("gw", redisTestOrg).leaseKey(redisTestKey(1))).Err(); err != nil {
		t.Fatal(err)
	}
	leaseB := l.acquire(l.b, 2, true)
	l.renew(lease, 2, false, false)
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.acquire(l.a, 2, false) // A late release gave nothing away.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := leaseB.Release(ended); err != nil {
		t.Fatal(err)
	}
	l.acquire(l.a, 2, true)
}

// A more urgent fetch takes over from one that has not departed.
func TestRedisLeaseOfAnUrgentFetch(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t)
	inventory := l.acquire(l.a, 3, true)
	interactive := l.acquire(l.b, 2, true)
	l.renew(inventory, 3, false, false)
	l.acquire(l.a, 3, false)
	// The class of a fetch rises.
	l.renew(interactive, 1, false, true)
	l.acquire(l.a, 1, false)
	// Nobody takes over from a fetch that has departed.
	l.renew(interactive, 3, true, true)
	l.acquire(l.a, 1, false)
	// A fetch that lost its lease and departs first has it again.
	if err := interactive.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	inventory = l.acquire(l.a, 3, true)
	interactive = l.acquire(l.b, 2, true)
	l.renew(inventory, 3, true, true)
	l.renew(interactive, 2, false, false)
}

// A fetch for later generations takes over, whatever its class, also after a departure;
// and while a write is open no replica waits for another.
func TestRedisLeaseOfANewerFetch(t *testing.T) {
	t.Parallel()
	l := newLeaseTest(t)
	before := l.acquire(l.a, 1, true)
	l.renew(before, 1, true, true)
	closed, err := l.b.Open(t.Context(), l.tags)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := l.b.Acquire(t.Context(), Claim{Key: redisTestKey(1), Tags: l.tags, Class: 1}, time.Hour); ok || !errors.Is(err, ErrWriting) {
		t.Errorf("during a write: %t, %v", ok, err)
	}
	if err := closed(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.acquire(l.b, 3, true)
	l.renew(before, 1, true, false)
}
