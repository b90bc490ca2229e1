package machine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/tools/bench/machine"
)

func shell(t *testing.T, script string) machine.Command {
	t.Helper()
	return machine.Command{Path: "sh", Args: []string{"-c", script}, Output: filepath.Join(t.TempDir(), "output"), Ready: regexp.MustCompile(`child (\d+)`)}
}

// running says whether a process exists and has not ended.
func running(id string) bool {
	text, err := os.ReadFile("/proc/" + id + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(rest, "Z")
}

func TestStopEndsWhatDescends(t *testing.T) {
	// A child that ignores the signal, and whose parent does not wait for it.
	p, err := machine.Start(t.Context(), shell(t, `sh -c 'trap "" TERM; echo child $$; while :; do sleep 1; done' & wait`))
	if err != nil {
		t.Fatal(err)
	}
	child := p.Match[1]
	if !running(child) {
		t.Fatal("the child does not run")
	}
	p.Stop()
	p.Stop()
	// The kernel takes a moment to end what was killed.
	for end := time.Now().Add(10 * time.Second); running(child); {
		if time.Now().After(end) {
			t.Fatal("the child runs on")
		}
	}
}

func TestAProcessThatDoesNotServeIsAnError(t *testing.T) {
	if _, err := machine.Start(t.Context(), shell(t, `echo no such address; exit 1`)); !errors.Is(err, machine.ErrEnded) || !strings.Contains(err.Error(), "no such address") {
		t.Errorf("of one that ends: %v", err)
	}
	silent := shell(t, `echo $$ >"$0"; exec sleep 60`)
	file := filepath.Join(t.TempDir(), "id")
	silent.Args, silent.Patience = append(silent.Args, file), 200*time.Millisecond
	if _, err := machine.Start(t.Context(), silent); !errors.Is(err, machine.ErrEnded) {
		t.Errorf("of one that is silent: %v", err)
	}
	id, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if running(strings.TrimSpace(string(id))) {
		t.Error("the silent one runs on")
	}
}

func TestTheEndOfTheContextEndsAStart(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := machine.Start(ctx, shell(t, `exec sleep 60`)); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// The processor time of a child is that of its process too.
func TestSpentCountsChildren(t *testing.T) {
	p, err := machine.Start(t.Context(), shell(t, `(i=0; while :; do i=$((i+1)); done) & echo child $!; wait`))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	for end := time.Now().Add(20 * time.Second); ; {
		spent, err := p.Spent()
		if err != nil {
			t.Fatal(err)
		}
		if spent >= 100*time.Millisecond {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it has spent %s", spent)
		}
	}
}
