//go:build unix

package histories

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// binary is the gateway that is tested: that of $HISTORIES_GATEWAY, or one that
// TestMain builds from the sources beside this module.
var binary string //nolint:gochecknoglobals // set once, by TestMain

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	flag.Parse()
	// Scenarios wait most of the time: all run at once, on however few processors.
	if err := flag.Set("test.parallel", "16"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if binary = os.Getenv("HISTORIES_GATEWAY"); binary != "" {
		return m.Run()
	}
	folder, err := os.MkdirTemp("", "histories-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(folder) }()
	binary = filepath.Join(folder, "gateway")
	build := exec.CommandContext(context.Background(), "go", "build", "-C", filepath.Join("..", ".."), "-o", binary, "./cmd/gateway") //nolint:gosec // our own sources
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "the gateway cannot be built:", err)
		return 1
	}
	return m.Run()
}

// scenarioLimit is for a scenario that hangs.
const scenarioLimit = 5 * time.Minute

// TestScenarios plays every scenario. [KnownViolations] has to name exactly those that
// fail.
func TestScenarios(t *testing.T) {
	t.Parallel()
	known := KnownViolations()
	for _, s := range Scenarios() {
		reason, expected := known[s.Name]
		delete(known, s.Name)
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), scenarioLimit)
			defer cancel()
			err := s.Play(ctx, binary, shortFolder(t))
			violation, violated := errors.AsType[*ViolationError](err)
			switch {
			case err != nil && !violated:
				t.Fatal(err)
			case violated:
				report(t, violation)
				if !expected {
					t.Errorf("%s: %v", s.About, violation)
				} else {
					t.Logf("known violation (%s): %v", reason, violation)
				}
			case expected:
				t.Errorf("it holds now: remove it from KnownViolations, where it says %q", reason)
			}
		})
	}
	for name := range known {
		t.Errorf("KnownViolations names %s, which is no scenario", name)
	}
}

// shortFolder is a temporary folder for a cluster. Its name is short, because the
// path of a socket has to be; of a test that fails it is kept, for the logs.
func shortFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "hist-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() || os.Getenv("HISTORIES_KEEP") != "" {
			t.Logf("logs: %s", folder)
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
