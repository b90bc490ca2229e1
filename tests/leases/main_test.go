//go:build unix

package leases

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/suitetest"
)

// all are the programs that are tested: the gateway of $LEASES_GATEWAY, or one that
// TestMain builds from the sources beside this module, and the Redis that is found.
var all Programs

var house = suitetest.Suite{Name: "leases", Gateway: "LEASES_GATEWAY", Keep: "LEASES_KEEP", Parallel: 8}

func TestMain(m *testing.M) {
	house.Main(m, func(gateway, redis string) { all.Gateway, all.Redis = gateway, redis })
}

// needsRedis fails or skips a test where there is no Redis.
func needsRedis(t *testing.T) {
	t.Helper()
	suitetest.RedisPath(t)
}

// shortFolder is a temporary folder for a house. Of a test that fails it is kept.
func shortFolder(t *testing.T) string {
	t.Helper()
	return house.Folder(t, "ledger, logs and configs")
}
