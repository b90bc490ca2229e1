package cache

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// write is a write from its beginning to its end.
func write(t *testing.T, s Store, tags Tags) {
	t.Helper()
	closed, err := s.Open(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A Redis crashes, and starts with what it had saved before the last write: no
// replica takes an entry from then, whether it wrote, read, or is new.
func TestRedisComesBackOlder(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	writer, reader := newReplica(t, server.Addr, RedisOptions{}), newReplica(t, server.Addr, RedisOptions{})
	tiered := runTiered(t, TieredOptions{Memory: newRealMemory(t), Shared: reader, Bus: reader})
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	storeOne(t, writer, key, tags, "old")
	server.Save(t)
	write(t, writer, tags)
	storeAtLast(t, tiered, key, tags, "new")
	if got := loaded(t, writer, key, tags); got != "new" {
		t.Fatalf("the test has no effect: %q", got)
	}

	server.Kill()
	server.Start(t)
	stranger := newReplica(t, server.Addr, RedisOptions{})
	for _, replica := range []struct {
		name string
		Store
	}{{"that is new", stranger}, {"that read", tiered}, {"that wrote", writer}} { // From what it knows, only the last two could tell.
		timetest.Eventually(t, "Redis is used again", func() bool {
			e, ok, err := replica.Load(t.Context(), key, tags)
			if ok && string(e.Body()) == "old" {
				t.Fatalf("the replica %s loaded what was before the write", replica.name)
			}
			return err == nil
		})
	}
	storeAtLast(t, stranger, key, tags, "newest")
	if got := loaded(t, writer, key, tags); got != "newest" {
		t.Errorf("loaded %q, want newest", got)
	}
}

// storeAtLast is [storeOne] where an invalidation may come in between: the message of
// one that has ended, or the end of an epoch.
func storeAtLast(t *testing.T, s Store, key Key, tags Tags, content string) {
	t.Helper()
	timetest.Eventually(t, "the entry is stored", func() bool {
		at, err := s.Snapshot(t.Context(), tags)
		return err == nil && s.Save(t.Context(), key, redisTestEntry(content), at) == nil
	})
}

func newRealMemory(tb testing.TB) *Memory {
	tb.Helper()
	m, err := NewMemory(MemoryOptions{MaxBytes: MinMemory, Lease: testLease})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// The data of Redis go back while it runs, to the same epoch or to an earlier one. A
// replica that only read what was newer notices, and ends the epoch for all.
func TestRedisDataGoBack(t *testing.T) {
	t.Parallel()
	for name, between := range map[string]func(t *testing.T, s *redisServer){
		"same epoch": func(*testing.T, *redisServer) {},
		"earlier epoch": func(t *testing.T, s *redisServer) {
			t.Helper()
			if err := s.client.FlushAll(t.Context()).Err(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRedisServer(t)
			org := newRedisOrg("gw", redisTestOrg)
			writer, reader, other := newReplica(t, server.addr, RedisOptions{}), newReplica(t, server.addr, RedisOptions{}), newReplica(t, server.addr, RedisOptions{})
			memory := runTiered(t, TieredOptions{Memory: newRealMemory(t), Shared: other, Bus: other})
			keys := []Key{redisTestKey(1), redisTestKey(2)}
			tags := []Tags{NewTags(redisTestOrg, "/a"), NewTags(redisTestOrg, "/b")}
			var dumps []string
			names := []string{org.slotsKey, org.entryKey(keys[0]), org.entryKey(keys[1])}
			for i := range keys {
				storeOne(t, writer, keys[i], tags[i], "old")
			}
			for _, name := range names {
				dump, err := server.client.Dump(t.Context(), name).Result()
				if err != nil {
					t.Fatal(err)
				}
				dumps = append(dumps, dump)
			}
			between(t, server)
			for i := range keys {
				write(t, writer, tags[i])
			}
			storeOne(t, writer, keys[0], tags[0], "new")
			if got := loaded(t, reader, keys[0], tags[0]); got != "new" {
				t.Fatalf("loaded %q", got)
			}

			for i, name := range names {
				if err := server.client.RestoreReplace(t.Context(), name, 0, dumps[i]).Err(); err != nil {
					t.Fatal(err)
				}
			}
			if got := loaded(t, reader, keys[0], tags[0]); got != "" {
				t.Errorf("the replica that read what is newer loaded %q", got)
			}
			timetest.Eventually(t, "the epoch ends", func() bool { return reader.owing() == 0 })
			// Nobody saw the generation of the other tag but the writer.
			timetest.Eventually(t, "all replicas know", func() bool { return loaded(t, memory, keys[1], tags[1]) == "" })
			if got := loaded(t, other, keys[1], tags[1]); got != "" {
				t.Errorf("loaded %q after the end of the epoch", got)
			}
		})
	}
}

// members returns the field of the members.
func members(t *testing.T, s *redisServer) string {
	t.Helper()
	text, err := s.client.HGet(t.Context(), newRedisOrg("gw", redisTestOrg).slotsKey, "m").Result()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A replica that dies with invalidations that it owes is missed by the others, and
// the epoch ends.
func TestRedisMemberDies(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	proxy := faultproxy.New(t, server.addr)
	options := RedisOptions{Heartbeat: 10 * time.Millisecond, MemberLease: time.Second}
	dying := newHasty(t, proxy.Addr(), options)
	other := newReplica(t, server.addr, options)
	memory := runTiered(t, TieredOptions{Memory: newRealMemory(t), Shared: other, Bus: other})
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	timetest.Eventually(t, "it joins", func() bool { return dying.Join(t.Context(), redisTestOrg) == nil })
	storeAtLast(t, memory, key, tags, "old")
	proxy.Refuse()
	closed, _ := dying.Open(t.Context(), tags) // The error is that of Redis.
	if err := closed(t.Context()); err == nil {
		t.Fatal("the test has no effect")
	}
	dying.cancel()
	<-dying.ended
	dying.Close() // What a process does that was asked to end, and cannot pay.
	timetest.Eventually(t, "the epoch ends", func() bool { return loaded(t, memory, key, tags) == "" })
	timetest.Eventually(t, "it ends once", func() bool { return !strings.Contains(members(t, server), dying.sender) })
	storeAtLast(t, memory, key, tags, "new")
	if got := loaded(t, other, key, tags); got != "new" {
		t.Errorf("loaded %q, want new", got)
	}
}

// still returns a replica without heartbeats: the test makes them.
func still(t *testing.T, addr string) *Redis {
	t.Helper()
	r := newReplica(t, addr, RedisOptions{})
	r.cancel()
	<-r.ended
	return r
}

func TestRedisMembers(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	slots := newRedisOrg("gw", redisTestOrg).slotsKey
	lapse := func(all ...*Redis) {
		var lapsed []string
		for _, r := range all {
			lapsed = append(lapsed, r.sender+":1")
		}
		if err := server.client.HSet(t.Context(), slots, "m", strings.Join(lapsed, " ")).Err(); err != nil {
			t.Fatal(err)
		}
	}
	epoch := func() string {
		text, err := server.client.HGet(t.Context(), slots, "e").Result()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	beat := func(r *Redis) {
		t.Helper()
		if err := r.Join(t.Context(), redisTestOrg); err != nil {
			t.Fatal(err)
		}
	}
	a, b := still(t, server.addr), still(t, server.addr)
	beat(a)
	beat(b)
	began := epoch()

	// A clean end: nothing is owed, and nothing ends.
	b.signOff()
	if text := members(t, server); strings.Contains(text, b.sender) || !strings.Contains(text, a.sender) {
		t.Errorf("members %q after b signed off", text)
	}
	beat(b)

	// Redis was away from all: any of them may have written meanwhile. The first to come
	// back ends the epoch, and the others join the next one.
	lapse(a, b)
	beat(a)
	if epoch() <= began || strings.Contains(members(t, server), b.sender) {
		t.Errorf("epoch %s, was %s; members %q", epoch(), began, members(t, server))
	}
	began = epoch()
	beat(b)
	if epoch() != began {
		t.Error("one outage ended two epochs")
	}

	// All died, and one starts.
	lapse(a, b)
	c := still(t, server.addr)
	beat(c)
	if epoch() <= began || members(t, server) != c.sender+members(t, server)[len(c.sender):] {
		t.Errorf("epoch %s, was %s; members %q", epoch(), began, members(t, server))
	}
	began = epoch()
	beat(c)
	if epoch() != began {
		t.Error("one death ended two epochs")
	}

	// A sign-off is nobody's turn to find the dead.
	lapse(a)
	beat(b)
	began = epoch()
	lapse(a)
	b.signOff()
	if epoch() != began || !strings.Contains(members(t, server), a.sender) {
		t.Errorf("members %q", members(t, server))
	}
}

// At the end of a process, what is owed is paid while there is time.
func TestRedisSettle(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	proxy := faultproxy.New(t, server.addr)
	r := newReplica(t, proxy.Addr(), RedisOptions{RepairInterval: time.Millisecond, BreakerPause: time.Millisecond})
	other := newReplica(t, server.addr, RedisOptions{})
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a", "/b")
	storeOne(t, other, key, tags, "old")
	if err := r.Join(t.Context(), redisTestOrg); err != nil {
		t.Fatal(err)
	}
	proxy.Refuse()
	if err := r.Purge(t.Context(), tags); err == nil {
		t.Fatal("the test has no effect")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if owed := r.Settle(ended); owed != len(tags.slots) {
		t.Errorf("%d owed without time", owed)
	}
	proxy.Listen(t)
	if owed := r.Settle(t.Context()); owed != 0 {
		t.Errorf("%d owed with time", owed)
	}
	if got := loaded(t, other, key, tags); got != "" {
		t.Errorf("loaded %q", got)
	}
}

// A write of a process that dies stays open for its lease, which is that of a member
// and the grace of an unknown outcome, and is renewed while the process lives.
func TestRedisWriteLease(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r := newReplica(t, server.addr, RedisOptions{Lease: time.Hour, Heartbeat: 10 * time.Millisecond, MemberLease: 50 * time.Millisecond})
	tags := NewTags(redisTestOrg, "/a")
	closed, err := r.Open(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	left := func() (end string) {
		state, err := server.client.HGet(t.Context(), newRedisOrg("gw", redisTestOrg).slotsKey, slotName(tags.slots[0])).Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(state, ":") != 1 {
			t.Fatalf("state %q: want one write", state)
		}
		return state[strings.Index(state, ":")+1:]
	}
	first := left()
	if most := time.Now().Add(r.writeLease()).UnixMilli(); r.writeLease() != UnknownOutcomeGrace+50*time.Millisecond || first > redisNumber(most+1000) {
		t.Errorf("open until %s, want at most %d", first, most)
	}
	timetest.Eventually(t, "the lease is renewed", func() bool { return left() > first })
	if err := closed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Snapshot(t.Context(), tags); err != nil {
		t.Error(err)
	}
}

// Redis is asked without a reason: a replica without calls knows when it is lost and
// when it is back.
func TestRedisHeartbeat(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	changes := make(chan error, 100)
	r := newHasty(t, server.Addr, RedisOptions{
		Heartbeat: 10 * time.Millisecond, BreakerPause: time.Millisecond, Changed: func(err error) { changes <- err },
	})
	timetest.Eventually(t, "it joins", func() bool { return r.Join(t.Context(), redisTestOrg) == nil })
	for len(changes) > 0 {
		if err := <-changes; err != nil {
			t.Log(err) // A machine that stalls.
		}
	}
	change := func(lost bool) {
		t.Helper()
		timetest.Eventually(t, "the change is told", func() bool {
			select {
			case err := <-changes:
				return (err != nil) == lost
			default:
				return false
			}
		})
		timetest.Eventually(t, "the change is known", func() bool { return r.Available() != lost })
	}
	server.Kill()
	change(true)
	server.Start(t)
	change(false)
	resume := server.Pause(t)
	change(true)
	resume()
	change(false)
}

func TestRedisRefusesTheLogin(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t, "--requirepass", "right")
	for name, url := range map[string]string{"wrong": "redis://:wrong@" + server.addr, "none": "redis://" + server.addr} {
		r := newPatient(t, redisclient.Config{URL: url}, RedisOptions{})
		if err := r.Join(t.Context(), redisTestOrg); !redisclient.RefusedLogin(err) {
			t.Errorf("%s password: %v", name, err)
		}
		if r.Available() {
			t.Errorf("%s password: available", name)
		}
	}
	r := newReplica(t, "127.0.0.1:1", RedisOptions{})
	if err := r.Join(t.Context(), redisTestOrg); err == nil || redisclient.RefusedLogin(err) {
		t.Errorf("nobody there: %v", err)
	}
}

// A write whose outcome is unknown is open in Redis until its lease is over. Where its
// replica has ended, and Redis loses its data, those who heard of it open it again, so
// that nothing is stored that its late effect makes stale.
func TestRedisForgetsAWriteOfTheDead(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	options := RedisOptions{Heartbeat: 20 * time.Millisecond}
	writer, other := newReplica(t, server.addr, options), newReplica(t, server.addr, options)
	if err := other.Join(t.Context(), redisTestOrg); err != nil {
		t.Fatal(err)
	}
	newHearing(t, other)
	tags := NewTags(redisTestOrg, "/a")
	unknown, err := writer.Open(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	_ = unknown // Nobody closes it: the process ends.
	elsewhere := NewTags(redisTestOrg, "/b")
	timetest.Eventually(t, "the other one has heard of both", func() bool {
		write(t, writer, elsewhere)
		o, err := other.org(redisTestOrg)
		if err != nil {
			t.Fatal(err)
		}
		return o.heard[tags.slots[0]].Load() != 0 && o.era.Load().seen[elsewhere.slots[0]].Load() != 0 && o.heard[elsewhere.slots[0]].Load() == 0
	})
	writer.Close()
	for range 2 { // The second time it is a write that this replica knows.
		if err := server.client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		timetest.Eventually(t, "it is open again", func() bool {
			_, err := newReplica(t, server.addr, options).Snapshot(t.Context(), tags)
			return errors.Is(err, ErrWriting)
		})
		if _, err := other.Snapshot(t.Context(), tags); !errors.Is(err, ErrWriting) {
			t.Errorf("a snapshot during the write: %v", err)
		}
		if _, err := other.Snapshot(t.Context(), elsewhere); err != nil {
			t.Errorf("a write that is over is open again: %v", err)
		}
	}
}
