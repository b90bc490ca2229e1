//go:build unix

package leases

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// all are the programs that are tested: the gateway of $LEASES_GATEWAY, or one that
// TestMain builds from the sources beside this module, and the Redis that is found.
var all Programs

func TestMain(m *testing.M) {
	flag.Parse()
	// Plays wait most of the time: all run at once, on however few processors.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "leases-")
	if err != nil {
		panic(err)
	}
	if all.Gateway = os.Getenv("LEASES_GATEWAY"); all.Gateway == "" {
		all.Gateway = filepath.Join(folder, "gateway")
		if err := processtest.BuildGateway(context.Background(), filepath.Join("..", ".."), all.Gateway); err != nil {
			panic(err)
		}
	}
	all.Redis = processtest.FindRedis()
	processtest.Hurry() // Behind the build, which has time.
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder)
		os.Exit(code) //nolint:forbidigo // goleak leaves it to us.
	}))
}

// needsRedis fails or skips a test where there is no Redis.
func needsRedis(t *testing.T) {
	t.Helper()
	switch {
	case all.Redis != "":
	case os.Getenv("REDIS_OPTIONAL") != "":
		t.Skip("there is no redis-server, and REDIS_OPTIONAL is set")
	default:
		t.Fatal("there is no redis-server: run tools/redis.sh, or set REDIS_OPTIONAL=1 to test without")
	}
}

// shortFolder is a temporary folder for a house. Of a test that fails it is kept.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "leases-") //nolint:usetesting // It outlives a test that fails.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() || os.Getenv("LEASES_KEEP") != "" {
			t.Logf("ledger, logs and configs: %s", folder)
			return
		}
		_ = os.RemoveAll(folder)
	})
	return folder
}
