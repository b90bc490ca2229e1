package console

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// demo is a running demo.
type demo struct {
	url   string
	token string
}

var (
	address  = regexp.MustCompile(`The console is on (http://\S+):`)
	operator = regexp.MustCompile(`^\s+(agw_\S+)$`)
)

// startDemo runs the gateway that GATEWAY names.
func startDemo(t *testing.T) demo {
	t.Helper()
	binary := os.Getenv("GATEWAY")
	if binary == "" {
		t.Skip("GATEWAY names no gateway: run make console")
	}
	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, binary, "demo", "--listen", "127.0.0.1:0")
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 30 * time.Second
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_, _ = io.Copy(io.Discard, out)
		if err := command.Wait(); err != nil && !errors.Is(err, context.Canceled) {
			t.Logf("the demo has ended: %v", err)
		}
	})
	var d demo
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if found := address.FindStringSubmatch(lines.Text()); found != nil {
			d.url = found[1]
		}
		if found := operator.FindStringSubmatch(lines.Text()); d.url != "" && found != nil {
			d.token = found[1]
			return d
		}
	}
	t.Fatal("the demo does not say where its console is")
	return d
}

// axe is the source of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join(os.Getenv("AXE"), "axe.min.js"))
	if err != nil {
		t.Skipf("axe-core cannot be read: %v", err)
	}
	return string(source)
}

// screenshots is the folder that they go to.
func screenshots(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	return folder
}

// fileName is a path as the name of a file.
func fileName(path string) string {
	if path = strings.Trim(path, "/"); path == "" {
		return "overview"
	}
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("/?&=", r) {
			return '-'
		}
		return r
	}, path)
}
