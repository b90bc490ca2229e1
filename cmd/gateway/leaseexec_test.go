//go:build unix

package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect/v2"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
)

// waits is what a script does until a signal comes.
const waits = "; while :; do sleep 0.05; done"

// startExec runs a script under `lease exec`, in a process of its own.
func startExec(t *testing.T, f *fakeLeases, script string, flags ...string) *child {
	t.Helper()
	c := &child{program: testProgram(t), err: newOutput(), ended: make(chan int, 1)}
	args := append(append([]string{"lease", "exec", "search", "--address", f.url}, flags...), "--", "sh", "-c", script)
	c.start(t, []string{"GATEWAY_TOKEN=" + fakeToken, "ADMIN_GATEWAY_TOKEN=" + fakeToken}, args...)
	return c
}

// TestExecRunsTheProgram with a key that is acknowledged, and without the token. Its exit
// code is the program's, and the lease is revoked.
func TestExecRunsTheProgram(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	c := startExec(t, f, `echo "$OPENAI_API_KEY of $OPENAI_PROJECT_ID, token $ADMIN_GATEWAY_TOKEN$GATEWAY_TOKEN."; exit 7`, "--ttl", "10m", "--holder", "pipeline", "--label", "run=a=b;c")
	if code := c.exit(t); code != 7 || !strings.Contains(c.err.String(), "sk-of-key_1 of proj_1, token .\n") {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
	if got := f.states(); !slices.Equal(got, []leasev1.LeaseState{revokingState}) {
		t.Errorf("leases %v", got)
	}
	if made := f.requests()[0]; made.GetRole() != "search" || made.GetTtl().GetSeconds() != 600 || made.GetHolder() != "pipeline" || made.GetLabels()["run"] != "a=b;c" {
		t.Errorf("asked for %v", made)
	}
	if !f.saw(&leasev1.AcknowledgeLeaseRequest{LeaseId: "lease-1"}) {
		t.Error("the secret was not acknowledged")
	}
}

// TestExecWithoutAProgram makes no lease, and its exit code is that of a shell.
func TestExecWithoutAProgram(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	c := &child{program: testProgram(t), err: newOutput(), ended: make(chan int, 1)}
	c.start(t, []string{"ADMIN_GATEWAY_TOKEN=" + fakeToken}, "lease", "exec", "search", "--address", f.url, "--", "no-such-program")
	if code := c.exit(t); code != 127 || len(f.requests()) != 0 || !strings.Contains(c.err.String(), "no-such-program") {
		t.Errorf("exit code %d, %d leases:\n%s", code, len(f.requests()), c.err)
	}
}

// TestExecPassesSignalsOn: the program decides what becomes of them, and of the SIGTERM
// too. The lease is revoked in the end.
func TestExecPassesSignalsOn(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	c := startExec(t, f, `trap 'echo got HUP' HUP; trap 'echo got INT' INT; trap 'echo got USR2' USR2; trap 'echo got TERM; exit 3' TERM; echo ready`+waits)
	c.err.line(t, c.ended, "ready")
	for signal, name := range map[syscall.Signal]string{syscall.SIGHUP: "HUP", syscall.SIGINT: "INT", syscall.SIGUSR2: "USR2"} {
		c.signal(t, signal)
		c.err.line(t, c.ended, "got "+name)
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 3 || !slices.Equal(f.states(), []leasev1.LeaseState{revokingState}) {
		t.Errorf("exit code %d, leases %v:\n%s", code, f.states(), c.err)
	}
}

// TestExecLeavesIgnoredSignals alone, as those of nohup: they reach nobody.
func TestExecLeavesIgnoredSignals(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	c := &child{program: "/bin/sh", err: newOutput(), ended: make(chan int, 1)}
	c.start(t, []string{"ADMIN_GATEWAY_TOKEN=" + fakeToken}, "-c", `trap '' HUP; exec "$0" "$@"`,
		testProgram(t), "lease", "exec", "search", "--address", f.url, "--", "sh", "-c", `trap 'echo got USR1' USR1; echo ready`+waits)
	c.err.line(t, c.ended, "ready")
	c.signal(t, syscall.SIGHUP)
	c.signal(t, syscall.SIGUSR1) // It comes after the other.
	c.err.line(t, c.ended, "got USR1")
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 143 {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
}

// TestExecKillsTheProgram that does not end in time. Two SIGTERMs do not end exec before
// it has revoked the lease.
func TestExecKillsTheProgram(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	c := startExec(t, f, `trap 'echo no' TERM; echo ready`+waits, "--kill-after", "1s")
	c.err.line(t, c.ended, "ready")
	c.signal(t, syscall.SIGTERM)
	c.err.line(t, c.ended, "no")
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 137 || !slices.Equal(f.states(), []leasev1.LeaseState{revokingState}) {
		t.Errorf("exit code %d, leases %v:\n%s", code, f.states(), c.err)
	}
}

// TestExecEndsWhileItWaitsForALease.
func TestExecEndsWhileItWaitsForALease(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, time.Hour, time.Hour)
	f.change(func() { f.refuse = connect.NewError(connect.CodeUnavailable, "no ledger") })
	c := startExec(t, f, "echo it ran")
	c.err.line(t, c.ended, "trying again")
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 143 || strings.Contains(c.err.String(), "it ran") {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
	f.change(func() { f.refuse = connect.NewError(connect.CodePermissionDenied, "not you") })
	c = startExec(t, f, "echo it ran")
	if code := c.exit(t); code != 1 || strings.Contains(c.err.String(), "it ran") || !strings.Contains(c.err.String(), "not you") {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
}

// TestExecRestartsWithAnotherKey when the lease has its latest end: the program ends and
// begins with the next key, while the one before still works.
func TestExecRestartsWithAnotherKey(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, 2*time.Second, 4*time.Second)
	c := startExec(t, f, `trap 'echo leaving; exit 0' TERM; echo "with $OPENAI_API_KEY."`+waits)
	for _, key := range []string{"key_1", "key_2", "key_3"} {
		c.err.line(t, c.ended, "with sk-of-"+key+".")
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 0 || !strings.Contains(c.err.String(), "leaving") {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
	// The last one is revoked; those before ended by themselves, or are about to.
	if states := f.states(); states[len(states)-1] != revokingState || states[0] == revokingState {
		t.Errorf("leases %v", states)
	}
}

// TestExecSignalsThatThereIsAnotherKey in the file, which is the program's user's alone,
// and goes with it.
func TestExecSignalsThatThereIsAnotherKey(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, 2*time.Second, 4*time.Second)
	file := filepath.Join(t.TempDir(), "key")
	c := startExec(t, f, `trap 'echo "now $(cat $FILE)."' HUP; trap 'exit 0' TERM; FILE=`+file+`; echo "with $(cat $FILE)."`+waits, "--key-file", file, "--on-rotate", "SIGHUP")
	c.err.line(t, c.ended, "with sk-of-key_1.")
	c.err.line(t, c.ended, "now sk-of-key_2.")
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	c = startExec(t, f, "echo it ran", "--on-rotate", "SIGHUP")
	if code := c.exit(t); code != 1 || strings.Contains(c.err.String(), "it ran") || !strings.Contains(c.err.String(), "--key-file") {
		t.Errorf("without a file: exit code %d:\n%s", code, c.err)
	}
}

// TestExecLosesTheLease: when the gateway refuses another one, the program is told to end,
// and exec fails.
func TestExecLosesTheLease(t *testing.T) {
	t.Parallel()
	f := startFakeLeases(t, 2*time.Second, 2*time.Second)
	c := startExec(t, f, `trap 'echo leaving; exit 0' TERM; echo ready`+waits)
	c.err.line(t, c.ended, "ready")
	f.change(func() { f.refuse = connect.NewError(connect.CodePermissionDenied, "not any more") })
	if code := c.exit(t); code != 1 || !strings.Contains(c.err.String(), "leaving") || !strings.Contains(c.err.String(), "not any more") {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
}
