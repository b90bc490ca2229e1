package cache

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// redisACL is what docs tell the operator to allow, and no more.
const redisACL = "resetkeys resetchannels -@all ~gw:* &gw:{*}:bus +get +set +getrange +del +hset +hget +hmget +time " +
	"+eval +evalsha +publish +subscribe +psubscribe +ping"

// useAll does everything that a store does.
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
	release, ok, err := r.Acquire(t.Context(), key, time.Minute)
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if err := release(t.Context()); err != nil {
		t.Fatal(err)
	}
	outcomes := NewRedisOutcomes(r, outcomesLife)
	if err := begin(t, outcomes, "a", 1).Claim.Abandon(t.Context()); err != nil {
		t.Fatal(err)
	}
	finish(t, begin(t, outcomes, "a", 1), "one")
	wantState(t, begin(t, NewRedisOutcomes(other, outcomesLife), "a", 1), OutcomeKept, "one")
}

func TestRedisACL(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	set := func(rules string) {
		t.Helper()
		args := []any{"acl", "setuser", "gateway"}
		for rule := range strings.FieldsSeq(rules) {
			args = append(args, rule)
		}
		if err := server.client.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("on >first " + redisACL)
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
	// A password that is not right yet is asked for anew.
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
	roots := writeCertificate(t, dir)
	port := redistest.FreePort(t)
	newRedisServer(t, tlsArgs(dir, port, "no")...)
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

// The configuration is asked for at each new connection, also to a sentinel, to
// the master that it names, and to what is subscribed; who asks for a certificate
// gets it.
func TestRedisTLSIsAskedForEachConnection(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	roots := writeCertificate(t, dir)
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	port := redistest.FreePort(t)
	newRedisServer(t, tlsArgs(dir, port, "yes")...)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	monitor := "tls-replication yes\nsentinel monitor gw 127.0.0.1 " + port + " 1\n"
	if err := os.WriteFile(file, []byte(monitor), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinelPort := redistest.FreePort(t)
	newRedisServer(t, append([]string{file, "--sentinel"}, tlsArgs(dir, sentinelPort, "yes")...)...)
	for _, url := range []string{"rediss://127.0.0.1:" + port, "rediss+sentinel://127.0.0.1:" + sentinelPort + "/1?master_name=gw"} {
		var asked atomic.Int64
		config := redisclient.Config{URL: url, TLS: func(context.Context) *tls.Config {
			c := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			if asked.Add(1) > 1 { // The first has no certificate yet.
				c.Certificates = []tls.Certificate{pair}
			}
			return c
		}}
		r := newPatient(t, config, RedisOptions{})
		if _, _, err := r.Load(t.Context(), redisTestKey(1), NewTags(redisTestOrg, "/a")); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("%s: without a certificate: %v", url, err)
		}
		timetest.Eventually(t, "the certificate is used", func() bool {
			_, _, err := r.Load(t.Context(), redisTestKey(1), NewTags(redisTestOrg, "/a"))
			return err == nil
		})
		useAll(t, r, newPatient(t, config, RedisOptions{}))
	}
}

// staticTLS is a configuration that stays as it is.
func staticTLS(config *tls.Config) func(context.Context) *tls.Config {
	return func(context.Context) *tls.Config { return config }
}

// tlsArgs are those of a server that has TLS on a port of its own, with the
// certificate in dir.
func tlsArgs(dir, port, authClients string) []string {
	return []string{
		"--tls-port", port, "--tls-cert-file", filepath.Join(dir, "cert.pem"), "--tls-key-file", filepath.Join(dir, "key.pem"),
		"--tls-ca-cert-file", filepath.Join(dir, "cert.pem"), "--tls-auth-clients", authClients,
	}
}

func writeCertificate(t *testing.T, dir string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:        true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, content := range map[string][]byte{
		"cert.pem": certificate,
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(certificate)
	return roots
}

// Three nodes, each with a third of the slots: all keys of an organization are
// together, and organizations are spread.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	nodes := make([]*redisServer, 3)
	for i := range nodes {
		nodes[i] = newRedisServer(t, "--cluster-enabled", "yes", "--cluster-port", redistest.FreePort(t))
	}
	ranges := [][2]int{{0, 5460}, {5461, 10922}, {10923, 16383}}
	for i, node := range nodes {
		if err := node.client.ClusterAddSlotsRange(t.Context(), ranges[i][0], ranges[i][1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	meet(t, nodes)
	config := redisclient.Config{URL: "redis+cluster://" + nodes[0].addr + "?addr=" + nodes[1].addr}
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
		if n, err := node.client.DBSize(t.Context()).Result(); err != nil || n == 0 {
			t.Errorf("node %d holds %d keys: %v", i, n, err)
		}
	}
}

// meet makes a cluster of nodes.
func meet(t *testing.T, nodes []*redisServer) {
	t.Helper()
	for _, node := range nodes[1:] {
		host, port, err := net.SplitHostPort(node.addr)
		if err != nil {
			t.Fatal(err)
		}
		bus, err := node.client.ConfigGet(t.Context(), "cluster-port").Result()
		if err != nil {
			t.Fatal(err)
		}
		if err := nodes[0].client.Do(t.Context(), "cluster", "meet", host, port, bus["cluster-port"]).Err(); err != nil {
			t.Fatal(err)
		}
	}
	for _, node := range nodes {
		timetest.Eventually(t, "the cluster is complete", func() bool {
			info, err := node.client.ClusterInfo(t.Context()).Result()
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_size:3")
		})
	}
}

// When another becomes the master, it is used, and nothing is served that a write
// made stale before: not even what the new master still has.
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
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	monitor := "sentinel monitor gw " + host + " " + port + " 1\nsentinel down-after-milliseconds gw 1000\n"
	if err := os.WriteFile(file, []byte(monitor), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := newRedisServer(t, file, "--sentinel")
	r := newPatient(t, redisclient.Config{URL: "redis+sentinel://" + sentinel.addr + "?master_name=gw"}, RedisOptions{})
	key, tags := redisTestKey(1), NewTags(redisTestOrg, "/a")
	storeOne(t, r, key, tags, "before")
	timetest.Eventually(t, "the replica is in step, and the sentinel knows it", func() bool {
		in, err := nodes[0].client.Do(t.Context(), "wait", 1, 100).Int()
		known, sentinelErr := sentinel.client.Do(t.Context(), "sentinel", "replicas", "gw").Slice()
		return err == nil && in == 1 && sentinelErr == nil && len(known) == 1
	})
	if err := r.Purge(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	timetest.Eventually(t, "the sentinel begins", func() bool { return sentinel.client.Do(t.Context(), "sentinel", "failover", "gw").Err() == nil })
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

// loadedOrNot is the body that is loaded, "" where none is, whatever the reason.
func loadedOrNot(t *testing.T, r *Redis, key Key, tags Tags) string {
	t.Helper()
	e, _, _ := r.Load(t.Context(), key, tags) // A failure is a miss.
	return string(e.Body)
}

// A sentinel says who the master is.
func TestRedisSentinel(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	host, port, err := net.SplitHostPort(server.addr)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	if err := os.WriteFile(file, []byte("sentinel monitor gw "+host+" "+port+" 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel := newRedisServer(t, file, "--sentinel")
	config := redisclient.Config{URL: "redis+sentinel://" + sentinel.addr + "?master_name=gw"}
	useAll(t, newPatient(t, config, RedisOptions{}), newPatient(t, config, RedisOptions{}))
}
