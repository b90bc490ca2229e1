//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// rotatable is what gateways have that rotate their key: an upstream, and a caller.
type rotatable struct {
	fake     *sandbox.Sandbox
	upstream *httptest.Server
	folder   string
	token    string
	policy   string

	mu      sync.Mutex
	creates int
	// before and after are called around each call upstream, if they are set.
	before, after func(r *http.Request)
}

func newRotatable(t *testing.T) *rotatable {
	t.Helper()
	r := &rotatable{fake: sandbox.New(sandbox.Options{Seed: 1}), folder: t.TempDir()}
	r.upstream = httptest.NewServer(r)
	t.Cleanup(r.upstream.Close)
	var hash string
	var err error
	if r.token, hash, err = authn.NewToken(); err != nil {
		t.Fatal(err)
	}
	r.policy = writeFile(t, "policy.yaml", `
callers:
  - name: root
    authenticate: [{token_sha256: `+hash+`}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 1000, burst: 1000, concurrent: 100}
`)
	return r
}

// ServeHTTP is the upstream.
func (r *rotatable) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	before, after := r.before, r.after
	if q.Method == http.MethodPost && strings.HasSuffix(q.URL.Path, "/admin_api_keys") {
		r.creates++
	}
	r.mu.Unlock()
	if before != nil {
		before(q)
	}
	answer := httptest.NewRecorder()
	r.fake.ServeHTTP(answer, q)
	if after != nil {
		after(q)
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes())
}

// config writes the config of a replica with a key file of its own.
func (r *rotatable) config(t *testing.T, name, ledger string) (config, key string) {
	t.Helper()
	key = filepath.Join(r.folder, name+".key")
	if err := os.WriteFile(key, []byte(sandbox.DefaultAdminKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, name+".yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
limits: {longest_call: 1s}
policy: `+r.policy+`
audit: {path: `+filepath.Join(r.folder, name+".audit")+`, required: writes}
upstream:
  base_url: `+r.upstream.URL+`/v1
  admin_key: {file: `+key+`}
  budget: `+plenty+"\n"+ledger+"\n"), key
}

// live is one life of a replica.
func (r *rotatable) live(t *testing.T, config string) *child {
	t.Helper()
	c := &child{program: testProgram(t), token: r.token, err: newOutput(), ended: make(chan int, 1)}
	c.start(t, nil, "serve", "--config", config)
	if err := json.Unmarshal([]byte(c.err.line(t, c.ended, `"ops_listen"`)), c); err != nil {
		t.Fatal(err)
	}
	return c
}

// rotate runs the command of operators to its end, and returns what it has printed.
func (r *rotatable) rotate(ctx context.Context, c *child) (string, int) {
	var out, says bytes.Buffer
	code := run(ctx, []string{"admin-key", "rotate", "--request-id", "r1", "--format", "json",
		"--address", "http://" + c.Listen, "--token-file", filepath.Join(r.folder, "token")}, streams{&out, &says})
	return out.String() + says.String(), code
}

// sound is what holds after a rotation: the key in the file is alive, the one before is
// not, one was made, and no file has a key but its own.
func (r *rotatable) sound(t *testing.T, keys ...string) {
	t.Helper()
	if r.fake.KeyAlive(sandbox.DefaultAdminKey) {
		t.Error("the old key is alive")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.creates != 1 {
		t.Errorf("%d keys were asked for", r.creates)
	}
	for _, key := range keys {
		text, err := os.ReadFile(key)
		if err != nil || !r.fake.KeyAlive(strings.TrimSpace(string(text))) {
			t.Errorf("the key in %s is not alive: %v", key, err)
		}
		logs, err := filepath.Glob(filepath.Join(r.folder, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, log := range logs {
			content, err := os.ReadFile(log)
			if err != nil {
				t.Fatal(err)
			}
			if log != key && !strings.HasSuffix(log, ".key") && bytes.Contains(content, bytes.TrimSpace(text)) {
				t.Errorf("a key is in %s", log)
			}
		}
	}
}

// TestAdminKeyIsRotated: two replicas, each with a file of its own, and Redis: after the
// command, both have the new key, which calls are made with, and the old one is deleted.
// The records have the ids of both, and no key.
func TestAdminKeyIsRotated(t *testing.T) {
	t.Parallel()
	r := newRotatable(t)
	r.writeToken(t)
	encryption := writeFile(t, "encryption", "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n")
	addr := redistest.Start(t, "--dir", t.TempDir())
	ledger := "cache: {redis_url: \"redis://" + addr + "\", encryption_keys: [{file: " + encryption + "}]}\nleases: {organization: acme}"
	oneConfig, oneKey := r.config(t, "one", ledger)
	twoConfig, twoKey := r.config(t, "two", ledger)
	one, two := r.live(t, oneConfig), r.live(t, twoConfig)
	said, code := r.rotate(t.Context(), one)
	if code != 0 || !strings.Contains(said, `PHASE_DONE`) || strings.Contains(said, "sk-") {
		t.Fatalf("%d: %s\n%s\n%s", code, said, one.err, two.err)
	}
	r.sound(t, oneKey, twoKey)
	for _, c := range []*child{one, two} {
		if status, text := ask(t, http.MethodGet, "http://"+c.Listen+"/v1/organization/projects?limit=1", "", "Authorization", "Bearer "+r.token, "Cache-Control", "no-cache"); status != http.StatusOK {
			t.Errorf("with the new key: %d %s", status, text)
		}
	}
	records := readAll(t, filepath.Join(r.folder, "one.audit")) + readAll(t, filepath.Join(r.folder, "two.audit"))
	for _, want := range []string{"CreateAdminApiKey", "DeleteAdminApiKey", "admin_key_rotation", "RotateAdminKey"} {
		if !strings.Contains(records, want) {
			t.Errorf("no record has %s", want)
		}
	}
	if strings.Contains(one.err.String()+two.err.String(), "sk-") {
		t.Error("a key is in the log")
	}
}

// TestAdminKeyRotationIsKilled: a gateway is killed in the middle of a rotation, at calls
// that the upstream has got and not answered; the next life goes on with it. One key is
// ever asked for, and at the end one is alive, and in the file.
func TestAdminKeyRotationIsKilled(t *testing.T) {
	t.Parallel()
	is := func(verb, part string) func(*http.Request) bool {
		return func(q *http.Request) bool { return q.Method == verb && strings.Contains(q.URL.Path, part) }
	}
	for name, test := range map[string]struct {
		at     func(*http.Request) bool
		after  bool
		failed bool // the secret was lost, so the new key goes
	}{
		"the key is made without an answer":  {is(http.MethodPost, "/admin_api_keys"), true, true},
		"the two keys are compared":          {is(http.MethodGet, "/costs"), false, false},
		"the old key is looked at":           {is(http.MethodGet, "/admin_api_keys/"), false, false},
		"the old key is about to be deleted": {is(http.MethodDelete, "/admin_api_keys/"), false, false},
		"the old key is deleted unanswered":  {is(http.MethodDelete, "/admin_api_keys/"), true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRotatable(t)
			r.writeToken(t)
			config, key := r.config(t, "one", "leases: {path: "+filepath.Join(r.folder, "leases.db")+"}")
			first := r.live(t, config)
			var once sync.Once
			killed := make(chan struct{})
			kill := func(q *http.Request) {
				if test.at(q) {
					once.Do(func() { first.signal(t, syscall.SIGKILL); <-first.ended; close(killed) })
				}
			}
			r.mu.Lock()
			if test.after {
				r.after = kill
			} else {
				r.before = kill
			}
			r.mu.Unlock()
			ctx, cancel := context.WithCancel(t.Context())
			commanded := make(chan struct{})
			go func() { defer close(commanded); r.rotate(ctx, first) }()
			<-killed
			cancel()
			<-commanded
			second := r.live(t, config)
			said, code := r.rotate(t.Context(), second)
			if test.failed {
				text := readAll(t, key)
				if code != 1 || !strings.Contains(said, "FAILURE_ANSWER_LOST") || strings.TrimSpace(text) != sandbox.DefaultAdminKey || r.marked(t) != 0 {
					t.Errorf("%d: %s; %d keys are left", code, said, r.marked(t))
				}
				return
			}
			if code != 0 || !strings.Contains(said, "PHASE_DONE") {
				t.Fatalf("%d: %s\n%s", code, said, second.err)
			}
			r.sound(t, key)
		})
	}
}

// marked is how many admin keys have the name of a rotation.
func (r *rotatable) marked(t *testing.T) (n int) {
	t.Helper()
	status, text := ask(t, http.MethodGet, r.upstream.URL+"/v1/organization/admin_api_keys?limit=100", "", "Authorization", "Bearer "+sandbox.DefaultAdminKey)
	if status != http.StatusOK {
		t.Fatal(fmt.Errorf("%d %s", status, text))
	}
	return strings.Count(text, "agw.admin-key.")
}

func (r *rotatable) writeToken(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, "token"), []byte(r.token), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readAll(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
