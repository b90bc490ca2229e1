package rows

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/admin-gateway/admin-gateway/tools/bench/gateway"
	"github.com/admin-gateway/admin-gateway/tools/bench/report"
)

// programs are built once for all tests.
type programs struct{ gateway, bench string }

var built programs

// TestMain builds the gateway and the benchmark, which the tests start as processes.
func TestMain(m *testing.M) {
	if err := withPrograms(m); err != nil {
		panic(err)
	}
}

func withPrograms(m *testing.M) (err error) {
	folder, err := os.MkdirTemp("", "bench-test")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	built = programs{filepath.Join(folder, "gateway"), filepath.Join(folder, "bench")}
	for _, b := range []struct{ module, pkg, program string }{{"../../..", "./cmd/gateway", built.gateway}, {"..", ".", built.bench}} {
		build := exec.CommandContext(context.Background(), "go", "build", "-ldflags", "-s -w", "-o", b.program, b.pkg)
		build.Dir, build.Env = b.module, append(os.Environ(), "CGO_ENABLED=0")
		if output, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, output)
		}
	}
	m.Run()
	return nil
}

// testSuite is a suite whose results are the test's.
func testSuite(t *testing.T) *suite {
	t.Helper()
	token, err := gateway.NewToken(t.Context(), built.gateway)
	if err != nil {
		t.Fatal(err)
	}
	return &suite{
		Options: Options{Gateway: built.gateway, Self: built.bench, Rounds: 1, Trial: 100, Progress: t.Output()},
		token:   token, result: new(report.Result),
	}
}
