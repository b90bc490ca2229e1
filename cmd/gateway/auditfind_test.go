package main

import (
	"bytes"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/audittest"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// auditedPolicy is that of both replicas, with the hashes of operator and reader.
const auditedPolicy = `
callers:
  - name: operator
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: [audit.*]}]
  - name: reader
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: [users.read]}]
`

// audited is one of two replicas at one Redis, with its audit log.
type audited struct {
	command
	url, ops, log string
}

// auditedPair are both, and the tokens of their callers, in files and as they are.
type auditedPair struct {
	one, other           audited
	tokenFile            string
	readerToken, unknown string
}

func newAuditedPair(t *testing.T) *auditedPair {
	t.Helper()
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	var tokens, hashes [3]string
	for i := range tokens {
		var err error
		if tokens[i], hashes[i], err = authn.NewToken(); err != nil {
			t.Fatal(err)
		}
	}
	p := &auditedPair{tokenFile: writeFile(t, "token", tokens[0]), readerToken: tokens[1], unknown: tokens[2]}
	redis, policy := redistest.Start(t), writeFile(t, "policy.yaml", fmt.Sprintf(auditedPolicy, hashes[0], hashes[1]))
	both := []*audited{&p.one, &p.other}
	for _, r := range both {
		r.log = filepath.Join(t.TempDir(), "audit")
		r.command = start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
log: {slow: 100ms}
audit: {path: `+r.log+`}
policy: `+policy+`
cache: {redis_url: redis://`+redis+`}
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
  budget: {organization: {calls_per_minute: 60000, burst: 1000}, default: {calls_per_minute: 60, burst: 1}}
`))
	}
	for _, r := range both {
		r.url, r.ops = r.urls(t)
	}
	knowEachOther(t, p.one.ops, p.other.ops)
	return p
}

// gateway runs a command against the other replica, as the operator.
func (p *auditedPair) gateway(t *testing.T, args ...string) (code int, out, notes string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"audit", "--once", "--address", p.other.url, "--token-file", p.tokenFile}, args...), streams{&stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// found runs one that prints JSON.
func (p *auditedPair) found(t *testing.T, args ...string) []*controlv1.AuditRecord {
	t.Helper()
	code, out, notes := p.gateway(t, append(args, "--output", "json")...)
	var answer controlv1.ListRecordsResponse
	if err := protojson.Unmarshal([]byte(out), &answer); err != nil || code != 0 && len(answer.GetRecords()) > 0 {
		t.Fatalf("%v: %d %q %s", args, code, out, notes)
	}
	if len(answer.GetReplicas()) != 2 {
		t.Errorf("%v: %v", args, answer.GetReplicas())
	}
	return answer.GetRecords()
}

// TestAuditFind: what one replica refused, or made to wait, or did not let in, the command
// says at the other: the missing permission, the budget, the address. The token that was
// presented is nowhere, neither in an output nor in a log. A replica that is gone is no
// reason to be silent, and the file has what the memory has.
func TestAuditFind(t *testing.T) {
	t.Parallel()
	p := newAuditedPair(t)
	get := func(token, path string, want int) {
		t.Helper()
		if status, text := ask(t, "GET", p.one.url+path, "", "Authorization", "Bearer "+token); status != want {
			t.Fatalf("%s: %d %s", path, status, text)
		}
	}
	get(p.readerToken, "/v1/organization/projects", 403)
	for i := range 2 { // The second waits for a second.
		get(p.readerToken, fmt.Sprint("/v1/organization/users?limit=", i+1), 200)
	}
	for range 3 {
		get(p.unknown, "/v1/organization/users", 401)
	}

	denied := p.found(t, "--caller", "reader", "--denied", "--since", "1h")
	if len(denied) != 1 || denied[0].GetPermission() != "projects.read" || denied[0].GetReason() != "no_permission" || denied[0].GetDoor() != "rest" {
		t.Fatalf("%v", denied)
	}
	code, out, notes := p.gateway(t, "--request-id", denied[0].GetRequestId())
	for _, want := range []string{denied[0].GetRequestId(), "no grant of the caller has the permission projects.read", "reader (token " + denied[0].GetCredential() + ") from 127.0.0.1:", "by rest"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d, without %q:\n%s%s", code, want, out, notes)
		}
	}

	// The newest is the one that waited; on a slow machine the first may be slow, too.
	slow := p.found(t, "--slower-than", "100ms", "--method", "ListUsers")
	if len(slow) == 0 || slow[0].GetBudget() != "list_users" || slow[0].GetWaited().AsDuration() < 100*time.Millisecond || slow[0].GetCache() != "miss" {
		t.Fatalf("%v", slow)
	}
	_, out, _ = p.gateway(t, "--request-id", slow[0].GetRequestId())
	if !strings.Contains(out, "for the budget list_users") || !strings.Contains(out, "allowed by grants[0]") || !strings.Contains(out, "the upstream was asked") {
		t.Errorf("%s", out)
	}
	if line := p.one.err.line(t, p.one.ended, slow[0].GetRequestId()); !strings.Contains(line, `"waited_seconds":`) || !strings.Contains(line, `"budget":"list_users"`) {
		t.Errorf("the line of a slow call: %s", line)
	}

	code, out, notes = p.gateway(t, "--strangers")
	for _, want := range []string{"127.0.0.1:", "no caller has this token", "ListUsers", "  3  "} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%d, without %q:\n%s%s", code, want, out, notes)
		}
	}
	_, asYAML, _ := p.gateway(t, "--strangers", "--output", "yaml")
	var tree struct {
		Strangers []struct{ Peer, Presented, Count string }
	}
	if err := yaml.Unmarshal([]byte(asYAML), &tree); err != nil || len(tree.Strangers) != 1 || tree.Strangers[0].Count != "3" || len(tree.Strangers[0].Presented) != 12 {
		t.Errorf("%v\n%s", err, asYAML)
	}

	if code, out, notes := p.gateway(t, "--request-id", "req_AAAAAAAAAAAAAAAAAAAAAAAAAA"); code != 1 || out != "" || !strings.Contains(notes, "nothing was found") || !strings.Contains(notes, "remembers all of it since") {
		t.Errorf("nothing: %d %q %q", code, out, notes)
	}
	var refused bytes.Buffer
	if code := run(t.Context(), []string{"audit", "--address", p.other.url, "--token-file", writeFile(t, "reader", p.readerToken)}, streams{&refused, &refused}); code != 1 || !strings.Contains(refused.String(), "audit.records.read") {
		t.Errorf("a caller without the permission: %d %s", code, &refused)
	}

	p.one.stop(t)
	lines, err := os.ReadFile(p.one.log)
	if err != nil {
		t.Fatal(err)
	}
	audittest.Lines(t, lines)
	var fromFile bytes.Buffer
	if code := run(t.Context(), []string{"audit", "--file", p.one.log, "--request-id", denied[0].GetRequestId()}, streams{&fromFile, &fromFile}); code != 0 || !strings.Contains(fromFile.String(), "no grant of the caller has the permission projects.read") {
		t.Errorf("the file: %d %s", code, &fromFile)
	}
	if code := run(t.Context(), []string{"audit", "--file", p.one.log, "--caller", "nobody"}, streams{&fromFile, &fromFile}); code != 1 {
		t.Errorf("nothing in the file: %d", code)
	}
	everything := string(lines) + p.one.err.String() + p.one.out.String() + out + notes + asYAML + fromFile.String()
	for size := 12; size <= len(p.unknown); size++ {
		if strings.Contains(everything, p.unknown[:size]) || strings.Contains(everything, p.unknown[len(p.unknown)-size:]) {
			t.Fatalf("%d bytes of the token are in what was printed", size)
		}
	}
}

// TestAuditFindUsage: what cannot be asked is refused before anybody is asked.
func TestAuditFindUsage(t *testing.T) {
	t.Parallel()
	file := writeFile(t, "log", "a line of something else\n")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"strangers of a file": {[]string{"--file", file, "--strangers"}, 1, "--code unauthenticated"},
		"no time":             {[]string{"--file", file, "--since", "yesterday"}, 2, "not a time such as"},
		"no limit":            {[]string{"--file", file, "--limit", "0"}, 1, "--limit"},
		"no log":              {[]string{"--file", file}, 1, "nothing was found"},
		"a time":              {[]string{"--file", file, "--since", "2026-03-09T06:00:00Z"}, 1, "nothing was found"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), append([]string{"audit"}, test.args...), streams{&out, &out}); code != test.code || !strings.Contains(out.String(), test.want) {
			t.Errorf("%s: %d %s", name, code, &out)
		}
	}
}
