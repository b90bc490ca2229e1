// Package suitetest is what tests with processes have in common: the beginning of a module of
// them, with the programs, and folders that stay where a test has failed. It imports
// package processtest.
package suitetest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/processtest"
)

// Suite is a module of tests two folders below the root of the tree.
type Suite struct {
	// Name begins the names of its folders.
	Name string
	// Gateway is the variable that names a gateway to test in the place of one that is
	// built, and with the variable Keep the folders stay.
	Gateway, Keep string
	// Parallel is how many tests run at once. They wait most of the time: all may, on
	// however few processors.
	Parallel int
}

// Main runs the tests of a module, after use got the gateway that is tested and the Redis
// that was found; "" where there is none.
func (s Suite) Main(m *testing.M, use func(gateway, redis string)) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(s.Parallel)); err != nil {
		panic(err)
	}
	folder, err := os.MkdirTemp("", s.Name+"-")
	if err != nil {
		panic(err)
	}
	gateway := os.Getenv(s.Gateway)
	if gateway == "" {
		gateway = filepath.Join(folder, "gateway")
		if err := processtest.BuildGateway(context.Background(), filepath.Join("..", ".."), gateway); err != nil {
			panic(err)
		}
	}
	use(gateway, processtest.FindRedis())
	processtest.Hurry() // Behind the build, which has time.
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		_ = os.RemoveAll(folder)
		os.Exit(code) //nolint:forbidigo // goleak leaves it to us.
	}))
}

// RedisPath is the path of a redis-server. The test fails where there is none, unless
// REDIS_OPTIONAL is set: then it is skipped.
func RedisPath(tb testing.TB) string {
	tb.Helper()
	path := processtest.FindRedis()
	switch {
	case path != "":
	case os.Getenv("REDIS_OPTIONAL") != "":
		tb.Skip("there is no redis-server, and REDIS_OPTIONAL is set")
	default:
		tb.Fatal("there is no redis-server: run tools/redis.sh, or set REDIS_OPTIONAL=1 to test without")
	}
	return path
}

// Folder is a temporary folder with a short path, because sockets have short ones. Of a
// test that fails it is kept, with what it has.
func (s Suite) Folder(tb testing.TB, has string) string {
	tb.Helper()
	folder, err := os.MkdirTemp("", s.Name+"-") //nolint:usetesting // It outlives a test that fails.
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() || os.Getenv(s.Keep) != "" {
			tb.Logf("%s: %s", has, folder)
			return
		}
		_ = os.RemoveAll(folder)
	})
	return folder
}
