package tlstest

import (
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// Redis is one that is spoken to over TLS at URL, by who has a certificate
// of clients. A client of the test's own sees it at its back door.
type Redis struct {
	URL string
	// Back is a client that needs no certificate.
	Back *redis.Client
}

// StartRedis starts one with a certificate of server, for clients with one of
// clients.
func StartRedis(t *testing.T, server, clients *Authority) Redis {
	t.Helper()
	files, port := server.Write(server.Issue("redis.example")), redistest.FreePort(t)
	addr := redistest.Start(t, "--tls-port", port, "--tls-cert-file", filepath.Join(files, "tls.crt"), "--tls-key-file", filepath.Join(files, "tls.key"),
		"--tls-ca-cert-file", filepath.Join(clients.Write(clients.Issue("any")), "ca.crt"), "--tls-auth-clients", "yes")
	back := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = back.Close() })
	return Redis{"rediss://127.0.0.1:" + port + "/0", back}
}
