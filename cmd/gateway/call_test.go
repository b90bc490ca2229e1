//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/redistest"
)

// replicas are two gateways in front of one upstream, which share a Redis.
type replicas struct {
	*rotatable
	token string // the path of the token
	both  [2]*child
}

func startReplicas(t *testing.T) *replicas {
	t.Helper()
	r := newRotatable(t)
	r.writeToken(t)
	redis := redistest.Start(t)
	pair := &replicas{rotatable: r, token: filepath.Join(r.folder, "token")}
	for i, name := range []string{"a", "b"} {
		config, _ := r.config(t, name, "cache: {redis_url: redis://"+redis+"/0}")
		pair.both[i] = r.live(t, config)
	}
	return pair
}

// run runs a command of operators against one of them.
func (p *replicas) run(t *testing.T, at int, args ...string) (code int, out, err string) {
	t.Helper()
	return runAt(t, p.both[at].Listen, p.token, args...)
}

func runAt(t *testing.T, address, token string, args ...string) (code int, out, err string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append(args, "--address", "http://"+address, "--token-file", token), streams{&stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// TestCallAgainstReplicas: a call at each, lists to their ends, an inventory, errors with
// all that the gateway says of them, and a write that is made once.
func TestCallAgainstReplicas(t *testing.T) {
	t.Parallel()
	p := startReplicas(t)

	code, out, complaint := p.run(t, 0, "call", "ProjectService/ListProjects", "-f", "limit=1", "--format", "json")
	var page struct {
		Data    []struct{ ID string }
		HasMore bool `json:"has_more"`
	}
	if err := json.Unmarshal([]byte(out), &page); code != 0 || err != nil || len(page.Data) != 1 || !page.HasMore {
		t.Fatalf("a page: exit code %d, %v:\n%s%s", code, err, out, complaint)
	}
	project := page.Data[0].ID

	for at := range p.both {
		code, out, complaint = p.run(t, at, "call", "admingateway.admin.v1.ProjectService/ListProjects", `{"limit": 2}`, "--all", "--format", "json")
		if lines := strings.Split(strings.TrimSpace(out), "\n"); code != 0 || len(lines) < 5 || !strings.HasPrefix(lines[0], `{"id":"`) {
			t.Errorf("all pages at %d: exit code %d, %d lines:\n%s%s", at, code, len(lines), out, complaint)
		}
	}
	code, out, complaint = p.run(t, 0, "call", "ProjectService/ListProjects", "-f", "limit=1")
	holds(t, "a table", out, "ID ")
	if code != 0 || !strings.Contains(out, project) || !strings.Contains(complaint, "--all") {
		t.Errorf("a table: exit code %d:\n%s%s", code, out, complaint)
	}
	code, out, complaint = p.run(t, 1, "call", "ProjectService/GetProject", "-f", "project_id="+project, "--format", "yaml")
	if code != 0 || !strings.Contains(out, "id: "+project+"\n") {
		t.Errorf("YAML: exit code %d:\n%s%s", code, out, complaint)
	}
	code, out, complaint = p.run(t, 0, "call", "InventoryService/ListServiceAccounts")
	if code != 0 || !strings.HasPrefix(out, "PROJECT_ID ") || !strings.Contains(out, project) {
		t.Errorf("an inventory: exit code %d:\n%s%s", code, out, complaint)
	}

	for name, test := range map[string]struct {
		args []string
		code int
		says []string
	}{
		"no such RPC":         {[]string{"call", "ProjectService/GetProjekt"}, 2, []string{"GetProjekt"}},
		"no such field":       {[]string{"call", "ProjectService/GetProject", "-f", "project=x"}, 2, []string{`no field "project"`, "project_id"}},
		"no such JSON":        {[]string{"call", "ProjectService/GetProject", `{"project_id": 1}`}, 2, []string{"the request"}},
		"not a list":          {[]string{"call", "ProjectService/GetProject", "--all"}, 2, []string{"--all", "not a list"}},
		"a token in a header": {[]string{"call", "ProjectService/GetProject", "-H", "Authorization: Bearer x"}, 2, []string{"--token-file"}},
		"not valid":           {[]string{"call", "ProjectService/GetProject", "-f", "project_id=a/b"}, 1, []string{"invalid_argument", "field project_id"}},
		"not there":           {[]string{"call", "ProjectService/GetProject", "-f", "project_id=proj_none"}, exitNotFound, []string{"not_found", "request: ", "audit --request-id"}},
	} {
		code, out, complaint := p.run(t, 0, test.args...)
		if code != test.code || out != "" {
			t.Errorf("%s: exit code %d, want %d:\n%s%s", name, code, test.code, out, complaint)
		}
		for _, says := range test.says {
			holds(t, name, complaint, says)
		}
	}

	code, out, complaint = p.run(t, 0, "call", "ProjectService/CreateProject", "-f", "name=Smith, Jones", "--format", "json")
	if code != 0 || !strings.Contains(out, `"name": "Smith, Jones"`) {
		t.Errorf("a value with a comma: exit code %d:\n%s%s", code, out, complaint)
	}
	create := []string{"call", "ProjectService/CreateProject", "-f", "name=made \x1b[31monce", "--idempotency-key", "k1", "--format", "table"}
	_, first, _ := p.run(t, 0, create...)
	code, second, complaint := p.run(t, 1, create...)
	if code != 0 || first == "" || first != second {
		t.Errorf("a write twice with one key: exit code %d:\n%s\n%s%s", code, first, second, complaint)
	}
	if strings.Contains(first, "\x1b") || !strings.Contains(first, `made \x1b[31monce`) {
		t.Errorf("a name moves the terminal: %q", first)
	}
}

// TestARefusedCallSaysWhy: which permission is missing, and the exit code is of its own.
func TestARefusedCallSaysWhy(t *testing.T) {
	t.Parallel()
	r := newRotatable(t)
	r.policy = writeFile(t, "policy.yaml", strings.ReplaceAll(readAll(t, r.policy), `["*"]`, `[projects.read]`))
	r.writeToken(t)
	config, _ := r.config(t, "a", "")
	c := r.live(t, config)
	token := filepath.Join(r.folder, "token")
	code, _, complaint := runAt(t, c.Listen, token, "call", "ProjectService/CreateProject", "-f", "name=x")
	if code != exitRefused || !strings.Contains(complaint, "missing permission: projects.create") {
		t.Errorf("exit code %d:\n%s", code, complaint)
	}
	code, _, complaint = runAt(t, c.Listen, writeFile(t, "other", "agt_nonsense"), "call", "ProjectService/GetProject", "-f", "project_id=x")
	if code != exitRefused || strings.Contains(complaint, "agt_nonsense") {
		t.Errorf("a token that nobody has: exit code %d:\n%s", code, complaint)
	}
}

// TestAPurgeIsOfAllReplicas: what one stored, and another removed, no replica has.
func TestAPurgeIsOfAllReplicas(t *testing.T) {
	t.Parallel()
	p := startReplicas(t)
	read := []string{"call", "ProjectService/ListProjects", "-f", "limit=3", "--format", "json"}
	get := []string{"cache", "get", "ProjectService/ListProjects", "-f", "limit=3", "--once"}
	for at := range p.both {
		if code, out, complaint := p.run(t, at, get...); code != 0 || at == 0 && !strings.Contains(out, "not stored") {
			t.Errorf("before a read, at %d: exit code %d:\n%s%s", at, code, out, complaint)
		}
		if code, _, complaint := p.run(t, at, read...); code != 0 {
			t.Fatal(complaint)
		}
		code, out, complaint := p.run(t, at, get...)
		if code != 0 || !strings.Contains(out, "memory") || !strings.Contains(out, "shared") || !strings.Contains(out, "fresh") {
			t.Errorf("after a read, at %d: exit code %d:\n%s%s", at, code, out, complaint)
		}
	}
	code, out, complaint := p.run(t, 0, "cache", "purge", "--rpc", "ProjectService/ListProjects")
	if code != 0 || !strings.Contains(out, "from every replica") {
		t.Fatalf("exit code %d:\n%s%s", code, out, complaint)
	}
	for at := range p.both {
		// A message to the other may still be on its way, and the generation in Redis is
		// what counts: it is looked at with the next read.
		asked := p.asked()
		if code, _, complaint := p.run(t, at, read...); code != 0 {
			t.Fatal(complaint)
		}
		if at == 0 && p.asked() != asked+1 {
			t.Error("the answer that was removed was served")
		}
	}
	if code, _, complaint := p.run(t, 0, "cache", "purge"); code != 2 || !strings.Contains(complaint, "--all") {
		t.Errorf("a purge of nothing: exit code %d:\n%s", code, complaint)
	}
	if code, _, complaint := p.run(t, 0, "cache", "get", "AuditLogService/ListAuditLogs"); code != 0 && code != 2 {
		t.Errorf("a read that may not be stored: exit code %d:\n%s", code, complaint)
	}
}

// asked is how many lists of projects the upstream was asked for.
func (p *replicas) asked() int {
	return p.fake.Counts()[http.MethodGet+" /organization/projects"]
}
