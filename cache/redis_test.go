package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

const redisTestOrg = "org"

func redisTestKey(i int) Key { return Key{Org: redisTestOrg, Canonical: fmt.Sprintf("GET /%d", i)} }

func redisTestEntry(s string) Entry {
	return Entry{Forms: NewForms([]byte(s)), StoredAt: time.Now(), Life: Life{Fresh: time.Hour}}
}

// storeOne saves an entry as a fetch does.
func storeOne(tb testing.TB, s Store, key Key, tags Tags, content string) {
	tb.Helper()
	at, err := s.Snapshot(tb.Context(), tags)
	if err != nil {
		tb.Fatal(err)
	}
	if err := s.Save(tb.Context(), key, redisTestEntry(content), at); err != nil {
		tb.Fatal(err)
	}
}

// loaded returns the body of an entry, or "" if it is a miss.
func loaded(tb testing.TB, s Store, key Key, tags Tags) string {
	tb.Helper()
	e, ok, err := s.Load(tb.Context(), key, tags)
	if err != nil {
		tb.Fatal(err)
	}
	if ok == (len(e.Body()) == 0) {
		tb.Fatalf("found %v with body %q", ok, e.Body())
	}
	return string(e.Body())
}

func TestRedisLosesItsMemory(t *testing.T) {
	t.Parallel()
	org := newRedisOrg("gw", redisTestOrg)
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a", "/b")
	for name, lose := range map[string]func(context.Context, redis.UniversalClient) error{
		"all of it":       func(ctx context.Context, c redis.UniversalClient) error { return c.FlushAll(ctx).Err() },
		"the generations": func(ctx context.Context, c redis.UniversalClient) error { return c.Del(ctx, org.slotsKey).Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRedisServer(t)
			r, other := newReplica(t, server.addr, RedisOptions{}), newReplica(t, server.addr, RedisOptions{})
			storeOne(t, r, key, tags, "old")
			at, err := r.Snapshot(t.Context(), tags)
			if err != nil {
				t.Fatal(err)
			}
			if err := lose(t.Context(), server.client); err != nil {
				t.Fatal(err)
			}
			if got := loaded(t, r, key, tags); got != "" {
				t.Errorf("loaded %q after the loss", got)
			}
			// A new epoch begins, in which every generation is 0 again, as it was
			// in the snapshot.
			if _, err := other.Snapshot(t.Context(), tags); err != nil {
				t.Fatal(err)
			}
			if err := r.Save(t.Context(), key, redisTestEntry("old"), at); !errors.Is(err, ErrInvalidated) {
				t.Errorf("saved with a snapshot from before the loss: %v", err)
			}
			if got := loaded(t, r, key, tags); got != "" {
				t.Errorf("loaded %q in the new epoch", got)
			}
			storeOne(t, r, key, tags, "new")
			if got := loaded(t, other, key, tags); got != "new" {
				t.Errorf("loaded %q, want new", got)
			}
		})
	}
}

// A failover to a server that lacks the last write and still has the entry from
// before it.
func TestRedisGoesBack(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	org := newRedisOrg("gw", redisTestOrg)
	writer, other := newReplica(t, server.addr, RedisOptions{}), newReplica(t, server.addr, RedisOptions{})
	storeOne(t, writer, key, tags, "before the write")
	dump, err := server.client.Dump(t.Context(), org.entryKey(key)).Result()
	if err != nil {
		t.Fatal(err)
	}
	closed, err := writer.Open(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed(t.Context()); err != nil {
		t.Fatal(err)
	}

	server.eachState(t, "gw", redisTestOrg, func(string) string { return "0" })
	if err := server.client.RestoreReplace(t.Context(), org.entryKey(key), 0, dump).Err(); err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, other, key, tags); got != "before the write" {
		t.Fatalf("the test has no effect: loaded %q", got)
	}
	if got := loaded(t, writer, key, tags); got != "" {
		t.Errorf("the replica that wrote loaded %q", got)
	}
	timetest.Eventually(t, "the write is made known again", func() bool { return writer.owing() == 0 })
	if got := loaded(t, other, key, tags); got != "" {
		t.Errorf("another replica loaded %q after the repair", got)
	}
	storeOne(t, other, key, tags, "after it")
	if got := loaded(t, writer, key, tags); got != "after it" {
		t.Errorf("loaded %q, want after it", got)
	}
}

func TestRedisDeadWriter(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	tags := NewTags(redisTestOrg, "/a")
	dead, alive := newReplica(t, server.addr, RedisOptions{}), newReplica(t, server.addr, RedisOptions{})
	mustOpen := func(r *Redis) func(context.Context) error {
		closed, err := r.Open(t.Context(), tags)
		if err != nil {
			t.Fatal(err)
		}
		return closed
	}
	snapshot := func() error { _, err := alive.Snapshot(t.Context(), tags); return err }

	late := mustOpen(dead)
	if err := snapshot(); !errors.Is(err, ErrWriting) {
		t.Fatalf("snapshot during a write: %v", err)
	}
	server.expireLeases(t, "gw", redisTestOrg)
	if err := snapshot(); err != nil {
		t.Fatalf("snapshot after the lease: %v", err)
	}
	// The next write counts from one, and the writer that seemed dead was slow.
	third := newReplica(t, server.addr, RedisOptions{})
	second := mustOpen(third)
	if err := late(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := snapshot(); !errors.Is(err, ErrWriting) {
		t.Errorf("a late end of one write ended another: %v", err)
	}
	if err := second(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := snapshot(); err != nil {
		t.Errorf("snapshot after all writes: %v", err)
	}
}

// The list of writes is bounded; beyond the bound no slot closes too early.
func TestRedisManyWriters(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	tags := NewTags(redisTestOrg, "/a")
	writer, reader := newReplica(t, server.addr, RedisOptions{}), newReplica(t, server.addr, RedisOptions{})
	var all []func(context.Context) error
	for range 100 {
		closed, err := writer.Open(t.Context(), tags)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, closed)
	}
	for i, closed := range all {
		if _, err := reader.Snapshot(t.Context(), tags); !errors.Is(err, ErrWriting) {
			t.Fatalf("snapshot with %d writes open: %v", len(all)-i, err)
		}
		if err := closed(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	state, err := server.client.HGet(t.Context(), newRedisOrg("gw", redisTestOrg).slotsKey, slotName(tags.slots[0])).Result()
	if err != nil || len(state) > 64*80 {
		t.Errorf("state of %d bytes: %v", len(state), err)
	}
	server.expireLeases(t, "gw", redisTestOrg)
	if _, err := reader.Snapshot(t.Context(), tags); err != nil {
		t.Errorf("after all leases: %v", err)
	}
}

func TestRedisKeepsTheLaterFetch(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r := newReplica(t, server.addr, RedisOptions{})
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	at, err := r.Snapshot(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	save := func(content string, at Snapshot, stored time.Time) {
		t.Helper()
		e := redisTestEntry(content)
		e.StoredAt = stored
		if err := r.Save(t.Context(), key, e, at); err != nil {
			t.Fatal(err)
		}
	}
	save("later", at, now)
	save("earlier", at, now.Add(-time.Second))
	if got := loaded(t, r, key, tags); got != "later" {
		t.Errorf("loaded %q, want later", got)
	}
	save("latest", at, now.Add(1))
	if got := loaded(t, r, key, tags); got != "latest" {
		t.Errorf("loaded %q, want latest", got)
	}
	// An invalid entry does not prevent a save, whatever the clocks of replicas say.
	if err := r.Purge(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	if at, err = r.Snapshot(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	save("valid", at, now.Add(-time.Minute))
	if got := loaded(t, r, key, tags); got != "valid" {
		t.Errorf("loaded %q, want valid", got)
	}
}

func TestEncodedOffsets(t *testing.T) {
	t.Parallel()
	tags := NewTags("o", "/a", "/b", "/c")
	at := Snapshot{tags: tags, epoch: 0x0102030405060708, generations: make([]uint64, len(tags.slots))}
	one := encodeEntry(Key{"o", "k"}, redisTestEntry("x"), at)
	two := encodeEntry(Key{"o", "k2"}, Entry{StoredAt: time.Unix(1, 0), Forms: NewForms([]byte("other")), Life: Life{1, 2, 3}}, at)
	end := encodedSnapshotEnd(at)
	if !bytes.Equal(one[encodedSnapshotOffset:end], two[encodedSnapshotOffset:end]) {
		t.Error("same snapshots are encoded differently")
	}
	if !bytes.HasPrefix(one[encodedSnapshotOffset:], []byte{1, 2, 3, 4, 5, 6, 7, 8, 0, byte(len(tags.slots))}) ||
		one[end] != 1 || one[end+1] != 'o' {
		t.Errorf("the snapshot is not from %d to %d of %x", encodedSnapshotOffset, end, one)
	}
}

func TestRedisOrganizationsAreBounded(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r := newReplica(t, server.addr, RedisOptions{})
	for i := range maxRedisOrgs {
		if err := r.Purge(t.Context(), NewTags(fmt.Sprint(i), "/a")); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Purge(t.Context(), NewTags("one more", "/a")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("one more: %v", err)
	}
}

// The number of organizations is bounded. One too many is refused without a call to
// Redis.
func TestRedisBoundsOrganizations(t *testing.T) {
	t.Parallel()
	r, err := NewRedis(connectTo(redisclient.Config{URL: "redis://127.0.0.1:1"}), RedisOptions{Lease: testLease, BreakerPause: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	for i := range maxRedisOrgs {
		if _, err := r.org(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	key, tags := Key{Org: "one too many", Canonical: "GET /"}, NewTags("one too many", "/a")
	at := Snapshot{tags: tags, epoch: 1, generations: []uint64{0}}
	for name, call := range map[string]func() error{
		"Load":     func() error { _, _, err := r.Load(t.Context(), key, tags); return err },
		"Snapshot": func() error { _, err := r.Snapshot(t.Context(), tags); return err },
		"Save":     func() error { return r.Save(t.Context(), key, redisTestEntry("x"), at) },
		"Purge":    func() error { return r.Purge(t.Context(), tags) },
		"Acquire": func() error {
			_, _, err := r.Acquire(t.Context(), Claim{Key: key, Tags: tags}, time.Minute)
			return err
		},
		"Open": func() error {
			closed, err := r.Open(t.Context(), tags)
			return errors.Join(err, closed(t.Context()))
		},
	} {
		if err := call(); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
