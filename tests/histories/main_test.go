//go:build unix

package histories

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// all are the programs that are tested: the gateway of $HISTORIES_GATEWAY, or one that
// TestMain builds from the sources beside this module, and the Redis that is found.
var all Programs

func TestMain(m *testing.M) {
	flag.Parse()
	// Scenarios wait most of the time: all run at once, on however few processors.
	if err := flag.Set("test.parallel", "16"); err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", "histories-")
	if err != nil {
		panic(err)
	}
	if all.Gateway = os.Getenv("HISTORIES_GATEWAY"); all.Gateway == "" {
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

// programs are what a cluster runs. Without a Redis the test fails, unless
// REDIS_OPTIONAL is set: then it is skipped.
func programs(t *testing.T) *Programs {
	t.Helper()
	switch {
	case all.Redis != "":
	case os.Getenv("REDIS_OPTIONAL") != "":
		t.Skip("there is no redis-server, and REDIS_OPTIONAL is set")
	default:
		t.Fatal("there is no redis-server: run tools/redis.sh, or set REDIS_OPTIONAL=1 to test without")
	}
	return &all
}

// shortFolder is a temporary folder for a cluster. Of a test that fails it is kept,
// for the history and the logs.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "histories-") //nolint:usetesting // It outlives a test that fails.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() || os.Getenv("HISTORIES_KEEP") != "" {
			t.Logf("the whole history and the logs: %s", folder)
			return
		}
		_ = os.RemoveAll(folder)
	})
	return folder
}

// report draws the history of a violation, below .cache.
func report(t *testing.T, v *ViolationError) {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "..", ".cache", "histories"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := v.Draw(filepath.Join(folder, filepath.Base(t.Name())+".html")); err != nil {
		t.Error(err)
	}
}
