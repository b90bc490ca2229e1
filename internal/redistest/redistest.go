package redistest

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/suitetest"
)

// Start starts a redis-server with further arguments on a free port of the
// loopback interface, ends it with the test, and returns its address. The test
// fails where there is no redis-server, unless REDIS_OPTIONAL is set: then it is
// skipped.
func Start(tb testing.TB, args ...string) string {
	tb.Helper()
	path := suitetest.RedisPath(tb)
	for range 5 {
		// Somebody may take the port before the server does.
		port := FreePort(tb)
		if _, ok := runRedis(tb, path, port, append(slices.Clone(args), "--dir", tb.TempDir())); ok {
			return net.JoinHostPort("127.0.0.1", port)
		}
	}
	tb.Fatal("redis-server does not start")
	return ""
}

// FreePort is a port of the loopback interface that is free at this moment.
func FreePort(tb testing.TB) string {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		tb.Fatal(err)
	}
	return port
}

// runRedis tells whether the server is ready; if not, it has ended. stop kills it, and
// so does the end of the test.
func runRedis(tb testing.TB, path, port string, args []string) (stop func(), ok bool) {
	tb.Helper()
	// The shell ends the server when its input does: also when this process is
	// killed, and no cleanup runs.
	const script = `"$@" & server=$!; read -r _; kill -9 "$server"; wait "$server"`
	command := append([]string{"-c", script, "sh", path}, args...)
	command = append(command, "--port", port, "--bind", "127.0.0.1", "--daemonize", "no")
	if !slices.Contains(args, "--sentinel") {
		command = append(command, "--save", "", "--appendonly", "no")
	}
	cmd := exec.CommandContext(context.WithoutCancel(tb.Context()), "sh", command...) //nolint:gosec // what the test says
	input, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	ready, ended := make(chan bool, 1), make(chan struct{})
	go func() {
		defer close(ended)
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			switch line := lines.Text(); {
			case strings.Contains(line, "Ready to accept connections"), strings.Contains(line, "Sentinel ID is"):
				ready <- true
			case strings.Contains(line, "Failed listening"), strings.Contains(line, "FATAL"):
				tb.Log(line)
				select {
				case ready <- false:
				default:
				}
			}
		}
	}()
	stop = func() {
		_ = input.Close()
		<-ended
		_ = cmd.Wait()
	}
	select {
	case ok := <-ready:
		if !ok {
			stop()
			return nil, false
		}
	case <-time.After(20 * time.Second):
		stop()
		return nil, false
	}
	tb.Cleanup(stop)
	return stop, true
}
