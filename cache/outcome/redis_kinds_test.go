package outcome

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// Outcomes work with every kind of Redis that can be configured, and with the
// least rights that the documentation asks for.
func TestRedisOutcomesKinds(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) redisclient.Config{
		"user with few rights": func(t *testing.T) redisclient.Config {
			t.Helper()
			addr := redistest.Start(t)
			redistest.SetUser(t, addr, "gateway", "on >first "+redistest.ACL)
			return redisclient.Config{URL: "redis://gateway:first@" + addr}
		},
		"TLS": func(t *testing.T) redisclient.Config {
			t.Helper()
			dir, port := t.TempDir(), redistest.FreePort(t)
			roots := redistest.WriteCertificate(t, dir)
			redistest.Start(t, redistest.TLSArgs(dir, port, "no")...)
			return redisclient.Config{URL: "rediss://127.0.0.1:" + port, TLS: func(context.Context) *tls.Config {
				return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
			}}
		},
		"cluster": func(t *testing.T) redisclient.Config {
			t.Helper()
			nodes := redistest.StartCluster(t)
			return redisclient.Config{URL: "redis+cluster://" + nodes[0] + "?addr=" + nodes[1]}
		},
		"sentinel": func(t *testing.T) redisclient.Config {
			t.Helper()
			return redisclient.Config{URL: "redis+sentinel://" + redistest.StartSentinel(t, redistest.Start(t), "") + "?master_name=gw"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := start(t)
			r, other := newPatient(t, config, RedisOptions{}), newPatient(t, config, RedisOptions{})
			if err := begin(t, r, "a", 1).Claim.Abandon(t.Context()); err != nil {
				t.Fatal(err)
			}
			finish(t, begin(t, r, "a", 1), "one")
			wantState(t, begin(t, other, "a", 1), Completed, "one")
		})
	}
}
