package build

import (
	"context"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/tlstest"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// TestRedisCertificateIsExchanged: Redis refuses a certificate. After its files are
// replaced, the next connection of the same client succeeds.
func TestRedisCertificateIsExchanged(t *testing.T) {
	t.Parallel()
	server, clients := tlstest.NewAuthority(t), tlstest.NewAuthority(t)
	locked := tlstest.StartRedis(t, server, clients)
	mine := server.Write(server.Issue("gateway.example")) // Redis does not know the authority.
	conf := config.Cache{
		RedisURL: locked.URL, RedisCAFile: filepath.Join(mine, "ca.crt"), RedisCertFile: filepath.Join(mine, "tls.crt"), RedisKeyFile: filepath.Join(mine, "tls.key"),
	}
	client, err := redisClient(t.Context(), conf, redisclient.Config{Patience: patience}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Fatal("Redis takes any certificate")
	}
	clients.WriteTo(mine, clients.Issue("gateway.example"), "tls.crt", "tls.key")
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
	conf := config.Cache{RedisURL: "rediss://127.0.0.1:1", RedisCAFile: filepath.Join(t.TempDir(), "none.crt")}
	_, err := redisClient(t.Context(), conf, redisclient.Config{}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "config key cache.redis_ca_file") || !strings.Contains(err.Error(), conf.RedisCAFile) {
		t.Errorf("error %v", err)
	}
}
