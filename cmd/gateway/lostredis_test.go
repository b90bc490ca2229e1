package main

import (
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
	"github.com/admin-gateway/admin-gateway/sandbox"
)

// TestServeNoticesALostRedis: a gateway without calls knows that Redis is lost, at the
// start and later, and that it is back.
func TestServeNoticesALostRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	server.Kill()
	s := startServed(t, "cache: {redis_url: redis://"+server.Addr+"}\n")
	ready := func(want string) {
		t.Helper()
		timetest.Eventually(t, "/readyz says "+want, func() bool {
			_, text := fetch(t, s.ops+"/readyz")
			return strings.HasPrefix(text, want)
		})
	}
	if _, text := fetch(t, s.ops+"/readyz"); !strings.HasPrefix(text, "ok, degraded: Redis") {
		t.Errorf("/readyz of a start without Redis: %q", text)
	}
	server.Start(t)
	ready("ok\n")
	server.Kill()
	ready("ok, degraded: Redis")
	server.Start(t)
	ready("ok\n")
	s.stop(t)
	log := s.err.String()
	for _, line := range []string{`"Redis is lost`, `"Redis is back"`} {
		if n := strings.Count(log, line); n < 2 || n > 6 { // A machine that stalls may lose it once more.
			t.Errorf("%d lines of %s:\n%s", n, line, log)
		}
	}
}

// TestServeRefusesAWrongRedisPassword: a refused login is an error at the start that
// names the key, and has no password.
func TestServeRefusesAWrongRedisPassword(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t, "--requirepass", "right")
	_, policy := readersPolicy(t)
	for name, test := range map[string]struct{ cache, key string }{
		"in a file":  {"{redis_url: redis://" + addr + ", redis_password: {file: " + writeFile(t, "password", "wr0ng") + "}}", "cache.redis_password"},
		"in the URL": {"{redis_url: redis://:wr0ng@" + addr + "}", "cache.redis_url"},
		"none":       {"{redis_url: redis://" + addr + "}", "cache.redis_url"},
	} {
		c := start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
policy: `+policy+`
upstream: {base_url: http://127.0.0.1:1/v1, admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}}
cache: `+test.cache+"\n"))
		select {
		case code := <-c.ended:
			if text := c.err.String(); code == 0 || !strings.Contains(text, "config key "+test.key) || strings.Contains(text, "wr0ng") {
				t.Errorf("%s: ended with %d: %s", name, code, text)
			}
		case <-time.After(patience):
			t.Fatalf("%s: it serves", name)
		}
	}
}
