//go:build unix

package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// leasing is a gateway in a process of its own that leases keys of an upstream.
type leasing struct {
	*child
	box *sandbox.Sandbox
	// api is the upstream: its data plane takes leased keys.
	api string
}

// startLeasing starts it with a role whose keys live for three seconds after each
// renewal, and no longer than for eleven.
func startLeasing(t *testing.T) *leasing {
	t.Helper()
	box := sandbox.New(sandbox.Options{Seed: 1})
	upstream := httptest.NewServer(box)
	t.Cleanup(upstream.Close)
	keys, err := box.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	c := startChildAt(t, upstream.URL+"/v1", "\nleases: {path: "+filepath.Join(t.TempDir(), "leases.db")+"}\n")
	policy := filepath.Join(filepath.Dir(c.audit), "policy.yaml")
	text, err := os.ReadFile(policy)
	if err != nil {
		t.Fatal(err)
	}
	role := fmt.Sprintf("roles: [{name: search, project: %s, service_account: search, scopes: [api.model.request], ttl: 3s, max_ttl: 9s, grace: 2s}]", keys[0].ProjectID)
	changed := role + strings.Replace(string(text), `[{permissions: ["*"]}]`, `[{permissions: ["*"], roles: ["*"]}]`, 1)
	if err := os.WriteFile(policy, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	c.err.line(t, c.ended, `"msg":"policy reloaded"`)
	return &leasing{c, box, upstream.URL}
}

// exec runs a script with a leased key. $API is the upstream.
func (l *leasing) exec(t *testing.T, script string, flags ...string) *child {
	t.Helper()
	c := &child{program: testProgram(t), err: newOutput(), ended: make(chan int, 1)}
	args := append(append([]string{"lease", "exec", "search", "--address", "http://" + l.Listen}, flags...), "--", "sh", "-c", script)
	c.start(t, []string{"ADMIN_GATEWAY_TOKEN=" + l.token, "API=" + l.api}, args...)
	return c
}

// leased are the keys that the gateway has made and that work.
func (l *leasing) leased(t *testing.T) (ids []string) {
	t.Helper()
	keys, err := l.box.ProjectKeys("")
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if key.Alive && strings.HasPrefix(key.Name, "agw.") {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

// untilNone waits until no leased key works.
func (l *leasing) untilNone(t *testing.T) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	late := time.NewTimer(patience)
	defer late.Stop()
	for len(l.leased(t)) > 0 {
		select {
		case <-look.C:
		case <-late.C:
			t.Fatalf("keys %v work", l.leased(t))
		}
	}
}

// workerVariable has the upstream for a process that is a worker and no gateway.
const workerVariable = "GATEWAY_TEST_WORKER"

// workAlone calls the API with its key, and writes how far it is, until a call fails.
func workAlone(w io.Writer, api string) error {
	client := &http.Client{Timeout: patience}
	if _, err := fmt.Fprintln(w, "begin"); err != nil {
		return err
	}
	for n := 1; ; n++ {
		request, err := http.NewRequest(http.MethodPost, api+"/v1/chat/completions", strings.NewReader(demoChat)) //nolint:noctx // The client has a timeout.
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+os.Getenv(keyVariable))
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("failed: %d", response.StatusCode)
		}
		if n%100 == 0 {
			if _, err := fmt.Fprintln(w, "answers:", n); err != nil {
				return err
			}
		}
		time.Sleep(10 * time.Millisecond) //nolint:forbidigo // So many calls are enough.
	}
}

// worker is the script of a worker.
func (l *leasing) worker(t *testing.T) string {
	t.Helper()
	return "exec env " + workerVariable + "=" + l.api + " '" + testProgram(t) + "'"
}

// TestExecKeepsAProgramAtWork, at a gateway and an upstream, for longer than its keys
// live: no call fails, also where the key is another one.
func TestExecKeepsAProgramAtWork(t *testing.T) {
	t.Parallel()
	l := startLeasing(t)
	c := l.exec(t, l.worker(t))
	c.err.times(t, c.ended, "begin\n", 3) // Each but the last has lived for longer than a key without a renewal.
	c.err.times(t, c.ended, "answers: 100\n", 3)
	if strings.Contains(c.err.String(), "failed") {
		t.Errorf("a call failed:\n%s", c.err)
	}
	c.signal(t, syscall.SIGTERM)
	if code := c.exit(t); code != 143 {
		t.Errorf("exit code %d:\n%s", code, c.err)
	}
	l.untilNone(t)
}

// TestExecKilled: nobody is there to renew or to revoke, and the program's key ends.
func TestExecKilled(t *testing.T) {
	t.Parallel()
	l := startLeasing(t)
	c := l.exec(t, l.worker(t))
	c.err.line(t, c.ended, "answers: 100")
	if len(l.leased(t)) != 1 {
		t.Errorf("keys %v work", l.leased(t))
	}
	c.signal(t, syscall.SIGKILL)
	c.err.line(t, nil, "failed: 401")
	l.untilNone(t)
}
