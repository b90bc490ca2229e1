package tlstest

import (
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// Redis is a server that requires TLS with a client certificate.
type Redis struct {
	// URL is the address with TLS.
	URL string
	// Back is a client of a second port, without TLS.
	Back *redis.Client
}

// StartRedis starts a server whose certificate is from the authority server. It
// accepts client certificates from the authority clients.
func StartRedis(t *testing.T, server, clients *Authority) Redis {
	t.Helper()
	files, port := server.Write(server.Issue("redis.example")), redistest.FreePort(t)
	addr := redistest.Start(t, "--tls-port", port, "--tls-cert-file", filepath.Join(files, "tls.crt"), "--tls-key-file", filepath.Join(files, "tls.key"),
		"--tls-ca-cert-file", filepath.Join(clients.Write(clients.Issue("any")), "ca.crt"), "--tls-auth-clients", "yes")
	back := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = back.Close() })
	return Redis{"rediss://127.0.0.1:" + port + "/0", back}
}
