package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(hangupVariable) != "" {
		os.Exit(runWithHangups(os.Args[1:])) //nolint:forbidigo // It is the main function of that process.
	}
	if api := os.Getenv(workerVariable); api != "" {
		os.Exit(report(streams{err: os.Stderr}, workAlone(os.Stdout, api))) //nolint:forbidigo // It is the main function of that process.
	}
	if os.Getenv(childVariable) != "" {
		main() // It does not return.
	}
	if name := os.Getenv(attackVariable); name != "" {
		os.Exit(attackAlone(name)) //nolint:forbidigo // It is the main function of that process.
	}
	goleak.VerifyTestMain(m)
}

// patience bounds waits for events that should come at once.
const patience = 30 * time.Second

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// transcript collects the output of a command, and wakes those who wait for a line.
type transcript struct {
	mu    sync.Mutex
	text  bytes.Buffer
	wrote chan struct{} // closed and replaced by every write
}

func newOutput() *transcript { return &transcript{wrote: make(chan struct{})} }

func (o *transcript) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.wrote)
	o.wrote = make(chan struct{})
	return o.text.Write(p)
}

func (o *transcript) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// line waits for a line that contains the text.
func (o *transcript) line(tb testing.TB, ended <-chan int, text string) string {
	tb.Helper()
	return o.times(tb, ended, text, 1)
}

// times waits for so many lines that contain the text, and returns the last of them.
func (o *transcript) times(tb testing.TB, ended <-chan int, text string, n int) string {
	tb.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		o.mu.Lock()
		content, wrote := o.text.String(), o.wrote
		o.mu.Unlock()
		found := 0
		for line := range strings.Lines(content) {
			if strings.HasSuffix(line, "\n") && strings.Contains(line, text) {
				found++
			}
			if found == n {
				return line
			}
		}
		select {
		case <-wrote:
		case code := <-ended:
			tb.Fatalf("the command ended with %d before it said %q:\n%s", code, text, o)
		case <-deadline.C:
			tb.Fatalf("the command did not say %q:\n%s", text, o)
		}
	}
}

// command is a command that serves until it is stopped.
type command struct {
	out, err *transcript
	ended    chan int
	cancel   context.CancelFunc
}

func start(t *testing.T, args ...string) command {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	c := command{out: newOutput(), err: newOutput(), ended: make(chan int, 1), cancel: cancel}
	go func() { c.ended <- run(ctx, args, streams{c.out, c.err}) }()
	t.Cleanup(cancel)
	return c
}

// stop ends the command as a signal does, and expects the exit code 0.
func (c command) stop(t *testing.T) {
	t.Helper()
	c.cancel()
	select {
	case code := <-c.ended:
		if code != 0 {
			t.Errorf("the command ended with %d:\n%s", code, c.err)
		}
	case <-time.After(patience):
		t.Fatal("the command did not end")
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		args     []string
		code     int
		out, err string // what the streams contain; "" is an empty one
	}{
		{"nothing", nil, 0, "Usage: gateway <command>", ""},
		{"help", []string{"--help"}, 0, "Usage: gateway <command>", ""},
		{"help of a command", []string{"serve", "--help"}, 0, "gateway.yaml", ""},
		{"version", []string{"--version"}, 0, "go1.", ""},
		{"unknown command", []string{"serv"}, 2, "", "serv"},
		{"unknown flag", []string{"demo", "--nonsense"}, 2, "", "--nonsense"},
		{"argument too many", []string{"catalog", "more"}, 2, "", "more"},
		{"unknown format", []string{"catalog", "--format", "yaml"}, 2, "", "--format"},
		{"number that is none", []string{"sandbox", "--users", "many"}, 2, "", "--users"},
		{"no such config", []string{"serve", "--config", "/nonexistent/gateway.yaml"}, 2, "", "/nonexistent/gateway.yaml"},
		{"catalog", []string{"catalog"}, 0, "ProjectService/GetProject", ""},
		{"catalog as table", []string{"catalog", "--format=table"}, 0, "ProjectService/GetProject  ", ""},
		{"catalog as tsv", []string{"catalog", "--format=tsv"}, 0, "ProjectService/GetProject\tGET\t/organization/projects/{project_id}\tprojects.read\t", ""},
		{"catalog as json", []string{"catalog", "--format=json"}, 0, `"procedure": "admingateway.admin.v1.ProjectService/GetProject"`, ""},
		{"config", []string{"config"}, 0, "| `upstream.base_url` | `GATEWAY_UPSTREAM_BASE_URL` |", ""},
		{"config as json", []string{"config", "--format=json"}, 0, `"variable": "GATEWAY_UPSTREAM_BASE_URL"`, ""},
		{"token", []string{"token", "new"}, 0, "policy: {token_sha256: ", ""},
		{"can without caller", []string{"can", "--rpc", "a/b"}, 2, "", "--caller"},
		{"demo for everybody", []string{"demo", "--once", "--listen", "0.0.0.0:0"}, 1, "", "not a loopback address"},
		{"sandbox for everybody", []string{"sandbox", "--listen", ":0"}, 1, "", "not a loopback address"},
		{"demo for no origin", []string{"demo", "--once", "--allow-origin", "localhost:3000"}, 1, "", "--allow-origin: \"localhost:3000\" is not an origin"},
		{"demo on no address", []string{"demo", "--once", "--listen", "localhost"}, 1, "", "not a host:port address"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out, err bytes.Buffer
			if code := run(t.Context(), test.args, streams{&out, &err}); code != test.code {
				t.Errorf("exit code %d, want %d; %s", code, test.code, &err)
			}
			holds(t, "standard output", out.String(), test.out)
			holds(t, "standard error", err.String(), test.err)
		})
	}
}

func holds(t *testing.T, stream, got, want string) {
	t.Helper()
	if want == "" && got != "" {
		t.Errorf("%s has %q", stream, got)
	}
	if !strings.Contains(got, want) {
		t.Errorf("%s lacks %q: %q", stream, want, got)
	}
}

func TestCatalogAsJSONIsWhole(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	if code := run(t.Context(), []string{"catalog", "--format=json"}, streams{&out, &errs}); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	var entries []map[string]any
	if err := json.Unmarshal(out.Bytes(), &entries); err != nil || len(entries) < 143 {
		t.Errorf("%d entries, error %v", len(entries), err)
	}
}
