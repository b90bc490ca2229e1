//go:build unix

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"testing"
)

// hangupVariable makes the gateway of a test send itself a SIGHUP with every line that
// it logs.
const hangupVariable = "GATEWAY_TEST_HANGUP"

// hangupLog sends the signal. The process has it before the line is written.
type hangupLog struct{}

func (hangupLog) Write(line []byte) (int, error) {
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		return 0, err
	}
	return os.Stderr.Write(line)
}

// runWithHangups is the main function of that process.
func runWithHangups(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	return run(ctx, args, streams{os.Stdout, hangupLog{}})
}

// TestHangupAtTheStart: SIGHUP opens files again, also before there are any. The first
// line that is logged is about a variable, just after the config was read.
func TestHangupAtTheStart(t *testing.T) {
	t.Parallel()
	for range 3 {
		c := startChildAt(t, "http://127.0.0.1:1/v1", "\nshutdown: {delay: 0s}\n", hangupVariable+"=1")
		c.signal(t, syscall.SIGTERM)
		if code := c.exit(t); code != 0 {
			t.Errorf("exit code %d:\n%s", code, c.err)
		}
	}
}

// TestHangupEndsOtherCommands, as when their terminal goes away.
func TestHangupEndsOtherCommands(t *testing.T) {
	t.Parallel()
	c := startCommand(t, "sandbox", "--listen", "127.0.0.1:0")
	c.err.line(t, c.ended, "http://")
	c.signal(t, syscall.SIGHUP)
	if signal.Ignored(syscall.SIGHUP) { // The tests run below nohup, and so does the command.
		c.signal(t, syscall.SIGKILL)
	}
	if code := c.exit(t); code != -1 {
		t.Errorf("exit code %d, and not the end by a signal:\n%s", code, c.err)
	}
}
