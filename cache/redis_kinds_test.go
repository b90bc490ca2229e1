package cache

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// useAll uses all operations of a store.
func useAll(t *testing.T, r, other *Redis) {
	t.Helper()
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a", "/b")
	heard := newHearing(t, other)
	storeOne(t, r, key, tags, "one")
	if got := loaded(t, other, key, tags); got != "one" {
		t.Errorf("loaded %q, want one", got)
	}
	closed, err := r.Open(t.Context(), tags)
	if err != nil {
		t.Fatal(err)
	}
	heard.wait("invalidated")
	if _, err := other.Snapshot(t.Context(), tags); !errors.Is(err, ErrWriting) {
		t.Errorf("snapshot during a write: %v", err)
	}
	if err := closed(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := loaded(t, other, key, tags); got != "" {
		t.Errorf("loaded %q after a write", got)
	}
	lease, ok, err := r.Acquire(t.Context(), Claim{Key: key, Tags: tags}, time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if held, err := lease.Renew(t.Context(), 1, true); err != nil || !held {
		t.Fatal(held, err)
	}
	if err := lease.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestRedisACL(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	redistest.SetUser(t, server.addr, "gateway", "on >first "+redistest.ACL)
	var asked atomic.Int64
	config := redisclient.Config{
		URL: "redis://" + server.addr,
		Credentials: func() (string, string) {
			if asked.Add(1) == 1 {
				return "gateway", "wrong"
			}
			return "gateway", "first"
		},
	}
	r := newPatient(t, config, RedisOptions{})
	// The password is asked for again after a wrong one.
	if _, _, err := r.Load(t.Context(), redisTestKey(1), NewTags(redisTestOrg, "/a")); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("with a wrong password: %v", err)
	}
	useAll(t, r, newPatient(t, redisclient.Config{URL: "redis://gateway:first@" + server.addr}, RedisOptions{}))
	if got, err := server.client.Keys(t.Context(), "*").Result(); err != nil || len(got) == 0 {
		t.Error(got, err)
	}
}

func TestRedisTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	roots := redistest.WriteCertificate(t, dir)
	port := redistest.FreePort(t)
	newRedisServer(t, redistest.TLSArgs(dir, port, "no")...)
	config := redisclient.Config{URL: "rediss://127.0.0.1:" + port, TLS: staticTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})}
	useAll(t, newPatient(t, config, RedisOptions{}), newPatient(t, config, RedisOptions{}))

	config.TLS = nil // The system does not know who signed it.
	r := newPatient(t, config, RedisOptions{})
	_, _, err := r.Load(t.Context(), redisTestKey(1), NewTags(redisTestOrg, "/a"))
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) {
		t.Errorf("with an unknown authority: %v", err)
	}
}

// The configuration is asked for at each new connection: to a sentinel, to its
// master, and of a subscription. The client presents its certificate.
func TestRedisTLSIsAskedForEachConnection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	roots := redistest.WriteCertificate(t, dir)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	port := redistest.FreePort(t)
	newRedisServer(t, redistest.TLSArgs(dir, port, "yes")...)
	sentinelPort := redistest.FreePort(t)
	redistest.StartSentinel(t, "127.0.0.1:"+port, "tls-replication yes", redistest.TLSArgs(dir, sentinelPort, "yes")...)
	for i, url := range []string{"rediss://127.0.0.1:" + port, "rediss+sentinel://127.0.0.1:" + sentinelPort + "/1?master_name=gw"} {
		// Messages go to all databases.
		options := RedisOptions{Prefix: fmt.Sprint("gw", i)}
		var asked atomic.Int64
		config := redisclient.Config{URL: url, TLS: func(context.Context) *tls.Config {
			c := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			if asked.Add(1) > 1 { // The first has no certificate yet.
				c.Certificates = []tls.Certificate{pair}
			}
			return c
		}}
		r := newPatient(t, config, options)
		if _, _, err := r.Load(t.Context(), redisTestKey(1), NewTags(redisTestOrg, "/a")); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%s: without a certificate: %v", url, err)
		}
		timetest.Eventually(t, "the certificate is used", func() bool {
			_, _, err := r.Load(t.Context(), redisTestKey(1), NewTags(redisTestOrg, "/a"))
			return err == nil
		})
		useAll(t, r, newPatient(t, config, options))
	}
}

// staticTLS always returns config.
func staticTLS(config *tls.Config) func(context.Context) *tls.Config {
	return func(context.Context) *tls.Config { return config }
}

// In a cluster, the keys of an organization are on one node, and organizations are
// spread over the nodes.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	nodes := redistest.StartCluster(t)
	config := redisclient.Config{URL: "redis+cluster://" + nodes[0] + "?addr=" + nodes[1]}
	useAll(t, newPatient(t, config, RedisOptions{Org: redisTestOrg}), newPatient(t, config, RedisOptions{Org: redisTestOrg}))
	r := newPatient(t, config, RedisOptions{})
	for _, org := range []string{"org_1", "org_2", "org_3", "org_4", "org_5", "org_6"} {
		key, tags := Key{Org: org, Canonical: "k"}, NewTags(org, "/a")
		storeOne(t, r, key, tags, org)
		if got := loaded(t, r, key, tags); got != org {
			t.Errorf("loaded %q, want %q", got, org)
		}
	}
	for i, node := range nodes {
		if n, err := redistest.Client(t, node).DBSize(t.Context()).Result(); err != nil || n == 0 {
			t.Errorf("node %d holds %d keys: %v", i, n, err)
		}
	}
}

// A new master is used, and entries that were invalidated before the failover are not
// served, even if the new master still has them.
func TestRedisFailover(t *testing.T) {
	t.Parallel()
	nodes := []*redisServer{newRedisServer(t), newRedisServer(t)}
	host, port, err := net.SplitHostPort(nodes[0].addr)
	if err != nil {
		t.Fatal(err)
	}
	if err := nodes[1].client.Do(t.Context(), "replicaof", host, port).Err(); err != nil {
		t.Fatal(err)
	}
	sentinelAddr := redistest.StartSentinel(t, nodes[0].addr, "sentinel down-after-milliseconds gw 1000")
	sentinel := redistest.Client(t, sentinelAddr)
	r := newPatient(t, redisclient.Config{URL: "redis+sentinel://" + sentinelAddr + "?master_name=gw"}, RedisOptions{})
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	storeOne(t, r, key, tags, "before")
	timetest.Eventually(t, "the replica is in step, and the sentinel knows it", func() bool {
		in, err := nodes[0].client.Do(t.Context(), "wait", 1, 100).Int()
		known, sentinelErr := sentinel.Do(t.Context(), "sentinel", "replicas", "gw").Slice()
		return err == nil && in == 1 && sentinelErr == nil && len(known) == 1
	})
	if err := r.Purge(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	timetest.Eventually(t, "the sentinel begins", func() bool { return sentinel.Do(t.Context(), "sentinel", "failover", "gw").Err() == nil })
	timetest.Eventually(t, "the replica is the master", func() bool {
		role, err := nodes[1].client.Do(t.Context(), "role").Slice()
		return err == nil && len(role) > 0 && role[0] == "master"
	})
	if _, err := nodes[0].client.Shutdown(t.Context()).Result(); err == nil {
		t.Error("the old master did not end")
	}
	timetest.Eventually(t, "the new master is used", func() bool {
		if got := loadedOrNot(t, r, key, tags); got == "before" {
			t.Fatal("what was purged before the failover is served after it")
		}
		at, err := r.Snapshot(t.Context(), tags)
		return err == nil && r.Save(t.Context(), key, redisTestEntry("after"), at) == nil
	})
	if got := loaded(t, r, key, tags); got != "after" {
		t.Errorf("loaded %q, want after", got)
	}
}

// loadedOrNot returns the loaded body, or "" after a miss or an error.
func loadedOrNot(t *testing.T, r *Redis, key Key, tags Tags) string {
	t.Helper()
	e, _, _ := r.Load(t.Context(), key, tags) // A failure is a miss.
	return string(e.Body())
}

// A sentinel names the master.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	sentinel := redistest.StartSentinel(t, redistest.Start(t), "")
	config := redisclient.Config{URL: "redis+sentinel://" + sentinel + "?master_name=gw"}
	useAll(t, newPatient(t, config, RedisOptions{}), newPatient(t, config, RedisOptions{}))
}
