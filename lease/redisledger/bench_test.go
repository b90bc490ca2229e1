package redisledger

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/lease/ledgertest"
)

func BenchmarkRedis(b *testing.B) {
	server := redistest.StartServer(b, "--appendonly", "yes", "--appendfsync", "everysec")
	b.Cleanup(server.Kill)
	options := testOptions(b)
	options.Events = DefaultEvents
	ledgertest.Bench(b, open(b, newClient(b, server.Addr), options))
}
