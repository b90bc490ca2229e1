//go:build unix

package main

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// Signals and attacks concern a whole process. The test starts its binary again,
// which is the gateway when this variable is set.
const childVariable = "GATEWAY_TEST_CHILD"

// child is a gateway in a separate process, in front of a fake upstream.
type child struct {
	// program is the path of what runs.
	program string
	cmd     *exec.Cmd
	fake    *sandbox.Sandbox
	token   string
	// other is another caller's token, with the limits that callers have.
	other string
	audit string // the path of its records
	err   *transcript
	ended chan int // its exit code; -1: a signal ended it

	Listen     string `json:"listen"`
	GRPCListen string `json:"grpc_listen"`
	OpsListen  string `json:"ops_listen"`
}

// plenty is a budget that no test exhausts.
const plenty = `{organization: {calls_per_minute: 1e6, burst: 100000}, default: {calls_per_minute: 1e6, burst: 100000}}`

// startChild starts it with one caller who may do everything. More is added to
// its config.
func startChild(tb testing.TB, more string, variables ...string) *child {
	tb.Helper()
	fake := sandbox.New(sandbox.Options{Seed: 1})
	upstream := httptest.NewServer(fake)
	tb.Cleanup(upstream.Close)
	c := startChildAt(tb, upstream.URL+"/v1", more, variables...)
	c.fake = fake
	return c
}

// startChildAt starts it in front of an upstream, with more variables.
func startChildAt(tb testing.TB, baseURL, more string, variables ...string) *child {
	tb.Helper()
	return startProgramAt(tb, testProgram(tb), baseURL, more, variables...)
}

// startProgramAt is startChildAt for another program than that of the tests.
func startProgramAt(tb testing.TB, program, baseURL, more string, variables ...string) *child {
	tb.Helper()
	token, hash, err := authn.NewToken()
	if err != nil {
		tb.Fatal(err)
	}
	other, otherHash, err := authn.NewToken()
	if err != nil {
		tb.Fatal(err)
	}
	folder := tb.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatal(err)
		}
		return path
	}
	c := &child{program: program, token: token, other: other, audit: filepath.Join(folder, "audit.jsonl"), err: newOutput(), ended: make(chan int, 1)}
	policy := write("policy.yaml", `
callers:
  - name: root
    authenticate: [{token_sha256: `+hash+`}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 1000000, burst: 1000000, concurrent: 100000}
  - name: other
    authenticate: [{token_sha256: `+otherHash+`}]
    grants: [{permissions: ["*"]}]
`)
	config := write("gateway.yaml", `
listen: 127.0.0.1:0
grpc_listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
policy: `+policy+`
audit: {path: `+c.audit+`, required: true}
upstream:
  base_url: `+baseURL+`
  admin_key: {file: `+write("key", sandbox.DefaultAdminKey)+`}
  budget: `+plenty+more)
	c.start(tb, variables, "serve", "--config", config)
	if err := json.Unmarshal([]byte(c.err.line(tb, c.ended, "ops_listen")), c); err != nil {
		tb.Fatal(err)
	}
	return c
}

// startCommand starts a command in a separate process.
func startCommand(tb testing.TB, args ...string) *child {
	tb.Helper()
	c := &child{program: testProgram(tb), err: newOutput(), ended: make(chan int, 1)}
	c.start(tb, nil, args...)
	return c
}

// testProgram is the program of the tests, which is the gateway in a child.
func testProgram(tb testing.TB) string {
	tb.Helper()
	program, err := os.Executable()
	if err != nil {
		tb.Fatal(err)
	}
	return program
}

func (c *child) start(tb testing.TB, variables []string, args ...string) {
	tb.Helper()
	c.cmd = exec.CommandContext(tb.Context(), c.program, args...)
	c.cmd.Env = append(append(os.Environ(), childVariable+"=1"), variables...)
	c.cmd.Stderr, c.cmd.Stdout = c.err, c.err
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := c.cmd.Wait()
		if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
			c.ended <- -2
			return
		}
		c.ended <- c.cmd.ProcessState.ExitCode()
	}()
	tb.Cleanup(func() {
		_ = c.cmd.Process.Kill() // It is gone where all went well.
		<-done
	})
}

// signal sends one to the process.
func (c *child) signal(tb testing.TB, s os.Signal) {
	tb.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		tb.Fatal(err)
	}
}

// exit waits for the end of the process, and returns the exit code.
func (c *child) exit(tb testing.TB) int {
	tb.Helper()
	select {
	case code := <-c.ended:
		return code
	case <-time.After(2 * patience):
		tb.Fatalf("the gateway did not end:\n%s", c.err)
		return 0
	}
}

// record is what a test reads of an audit record.
type record struct {
	Event     string `json:"event"`
	RequestID string `json:"request_id"`
	Method    string `json:"method"`
	Code      string `json:"code"`
}

// records reads the audit log.
func (c *child) records(tb testing.TB) []record {
	tb.Helper()
	content, err := os.ReadFile(c.audit)
	if err != nil {
		tb.Fatal(err)
	}
	var all []record
	for text := range strings.Lines(string(content)) {
		var r record
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			tb.Fatalf("record %q: %v", text, err)
		}
		all = append(all, r)
	}
	return all
}
