package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// lockedRedis is one that is spoken to over TLS at url, by who has a certificate
// of clients. A client of the test's own sees it at its back door.
type lockedRedis struct {
	url  string
	back *redis.Client
}

func newLockedRedis(t *testing.T, server, clients *authority) lockedRedis {
	t.Helper()
	files, port := server.write(server.issue("redis.example")), redistest.FreePort(t)
	addr := redistest.Start(t, "--tls-port", port, "--tls-cert-file", filepath.Join(files, "tls.crt"), "--tls-key-file", filepath.Join(files, "tls.key"),
		"--tls-ca-cert-file", filepath.Join(clients.write(clients.issue("any")), "ca.crt"), "--tls-auth-clients", "yes")
	back := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = back.Close() })
	return lockedRedis{"rediss://127.0.0.1:" + port + "/0", back}
}

// TestServeWithRedisTLS: cache, its channel, keyed writes and the budget are all
// shared through a Redis of a private authority that wants a certificate.
func TestServeWithRedisTLS(t *testing.T) {
	t.Parallel()
	server, clients := newAuthority(t), newAuthority(t)
	locked := newLockedRedis(t, server, clients)
	mine := clients.write(clients.issue("gateway.example"))
	s := startServed(t, `
cache:
  redis_url: `+locked.url+`
  redis_ca_file: `+filepath.Join(server.write(server.issue("any")), "ca.crt")+`
  redis_cert_file: `+mine+`/tls.crt
  redis_key_file: `+mine+`/tls.key
`)
	authorization := []string{"Authorization", "Bearer " + s.who.operator, "Content-Type", "application/json"}
	for { // A machine that stands still makes the gateway refuse keyed writes, and go on without the rest.
		if status, text := ask(t, http.MethodPost, s.url+"/v1/organization/projects", `{"name": "one"}`, append(authorization, "Idempotency-Key", "k")...); status == http.StatusOK {
			break
		} else if status != http.StatusServiceUnavailable {
			t.Fatal(status, text)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond) // Callers have limits of their own.
	defer again.Stop()
	for i, missing := 1, "everything"; missing != ""; i++ {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("Redis never had %s", missing)
		}
		// No answer to one of these is in the cache.
		if status, text := ask(t, http.MethodGet, fmt.Sprintf("%s/v1/organization/users?limit=%d", s.url, i%100+1), "", authorization...); status != http.StatusOK {
			t.Fatal(status, text)
		}
		if missing = locked.lacks(t); missing != "" {
			continue
		}
		if _, text := fetch(t, s.ops+"/metrics"); !strings.Contains(text, "gateway_budget_shared 1") {
			missing = "the budget for long"
		} else if _, text := fetch(t, s.ops+"/readyz"); strings.Contains(text, "degraded") {
			missing = "a gateway that says that it is there"
		}
	}
	s.stop(t)
}

// lacks names what a gateway has not left in Redis; "" is nothing.
func (l lockedRedis) lacks(t *testing.T) string {
	t.Helper()
	heard, err := l.back.PubSubNumPat(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	channels, err := l.back.PubSubChannels(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := l.back.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(keys, "\n")
	switch {
	case heard == 0 && len(channels) == 0:
		return "a subscriber"
	case !strings.Contains(all, "}:p:"):
		return "the budget, but " + all
	case !strings.Contains(all, "}:o:"):
		return "the outcome of a write, but " + all
	default:
		return ""
	}
}

// TestRedisCertificateIsExchanged: a certificate that Redis does not take is
// exchanged, and the same client gets through with its next connection.
func TestRedisCertificateIsExchanged(t *testing.T) {
	t.Parallel()
	server, clients := newAuthority(t), newAuthority(t)
	locked := newLockedRedis(t, server, clients)
	mine := server.write(server.issue("gateway.example")) // of an authority that Redis does not know
	config := cacheConfig{
		RedisURL: locked.url, RedisCAFile: filepath.Join(mine, "ca.crt"), RedisCertFile: filepath.Join(mine, "tls.crt"), RedisKeyFile: filepath.Join(mine, "tls.key"),
	}
	client, err := config.redisClient(t.Context(), redisclient.Config{Patience: patience}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Fatal("Redis takes any certificate")
	}
	clients.writeTo(mine, clients.issue("gateway.example"), "tls.crt", "tls.key")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for client.Ping(ctx).Err() != nil {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatal("the new certificate is never used")
		}
	}
}

func TestRedisTLSFilesAreReadAtTheStart(t *testing.T) {
	t.Parallel()
	config := cacheConfig{RedisURL: "rediss://127.0.0.1:1", RedisCAFile: filepath.Join(t.TempDir(), "none.crt")}
	_, err := config.redisClient(t.Context(), redisclient.Config{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "config keys cache.redis_ca_file") || !strings.Contains(err.Error(), config.RedisCAFile) {
		t.Errorf("error %v", err)
	}
}
