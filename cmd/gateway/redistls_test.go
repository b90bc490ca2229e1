package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/tlstest"
)

// TestServeWithRedisTLS: the cache, its channel, keyed writes and the budget use a
// Redis with a private authority that requires a certificate.
func TestServeWithRedisTLS(t *testing.T) {
	t.Parallel()
	server, clients := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	locked := tlstest.StartRedis(t, server, clients)
	mine := clients.Write(clients.Issue("gateway.example"))
	s := startServed(t, `
cache:
  redis_url: `+locked.URL+`
  redis_ca_file: `+filepath.Join(server.Write(server.Issue("any")), "ca.crt")+`
  redis_cert_file: `+mine+`/tls.crt
  redis_key_file: `+mine+`/tls.key
`)
	authorization := []string{"Authorization", "Bearer " + s.who.operator, "Content-Type", "application/json"}
	for { // On a machine that stalls, the gateway refuses keyed writes for a moment.
		if status, text := ask(t, http.MethodPost, s.url+"/v1/organization/projects", `{"name": "one"}`, append(authorization, "Idempotency-Key", "k")...); status == http.StatusOK {
			break
		} else if status != http.StatusServiceUnavailable {
			t.Fatal(status, text)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	again := time.NewTicker(200 * time.Millisecond) // Callers have rate limits.
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
		if missing = missingIn(t, locked.Back); missing != "" {
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

// missingIn names the data that a gateway has not yet written to Redis. It returns ""
// when all is there.
func missingIn(t *testing.T, client *redis.Client) string {
	t.Helper()
	heard, err := client.PubSubNumPat(t.Context()).Result()
	if err != nil {
		t.Fatal(err)
	}
	channels, err := client.PubSubChannels(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := client.Keys(t.Context(), "*").Result()
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
