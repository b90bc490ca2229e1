//go:build unix

package histories

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/suitetest"
)

// all are the programs that are tested: the gateway of $HISTORIES_GATEWAY, or one that
// TestMain builds from the sources beside this module, and the Redis that is found.
var all Programs

var cluster = suitetest.Suite{Name: "histories", Gateway: "HISTORIES_GATEWAY", Keep: "HISTORIES_KEEP", Parallel: 16}

func TestMain(m *testing.M) {
	cluster.Main(m, func(gateway, redis string) { all.Gateway, all.Redis = gateway, redis })
}

// programs are what a cluster runs. Without a Redis the test fails, unless
// REDIS_OPTIONAL is set: then it is skipped.
func programs(t *testing.T) *Programs {
	t.Helper()
	suitetest.RedisPath(t)
	return &all
}

// shortFolder is a temporary folder for a cluster. Of a test that fails it is kept,
// for the history and the logs.
func shortFolder(t *testing.T) string {
	t.Helper()
	return cluster.Folder(t, "the whole history and the logs")
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
