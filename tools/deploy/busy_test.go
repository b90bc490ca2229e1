package deploy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// busy is a gateway in front of a sandbox, and the calls that keep it busy.
type busy struct {
	client          *http.Client
	sandbox         string
	url, ops        string
	operator, hasty string // The tokens of its callers.
	project         string
	rounds          int
}

// process starts a gateway's command, which is ended at the end of the test, and returns
// what a line of its output has in the group of a pattern.
func process(t *testing.T, errs bool, pattern string, args ...string) []string {
	t.Helper()
	c := command(t, context.Background(), nil, args...) // Ended by its signal.
	pipe := c.StdoutPipe
	if errs {
		pipe = c.StderrPipe
	}
	out, err := pipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM)
		<-read
		_ = c.Wait()
	})
	found := make(chan []string, 1)
	var said strings.Builder // Up to the line that is looked for.
	go func() {
		defer close(read)
		defer close(found)
		line := regexp.MustCompile(pattern)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if m := line.FindStringSubmatch(lines.Text()); m != nil {
				found <- m[1:]
				break
			}
			said.WriteString(lines.Text() + "\n")
		}
		drain(out)
	}()
	m, ok := <-found
	if !ok {
		t.Fatalf("gateway %s says only %s", strings.Join(args, " "), &said)
	}
	return m
}

// startBusy starts both.
func startBusy(t *testing.T) *busy {
	t.Helper()
	b := &busy{client: &http.Client{Transport: &http.Transport{}, Timeout: patience}}
	t.Cleanup(b.client.CloseIdleConnections)
	b.sandbox = process(t, false, `(http://[0-9.:]+)/v1,`, "sandbox", "--listen", "127.0.0.1:0")[0]
	var hashes []string
	for _, token := range []*string{&b.operator, &b.hasty} {
		m := regexp.MustCompile(`token: (\S+)\npolicy: \{token_sha256: (\w+)\}`).FindStringSubmatch(output(t, nil, "token", "new"))
		*token, hashes = m[1], append(hashes, m[2])
	}
	var projects struct{ Data []struct{ ID string } }
	if err := json.Unmarshal([]byte(b.ask(t, "GET", b.sandbox+"/v1/organization/projects?limit=1", "", "sk-admin-sandbox")), &projects); err != nil {
		t.Fatal(err)
	}
	b.project = projects.Data[0].ID
	at := t.TempDir()
	policy := write(t, at, "policy.yaml", fmt.Sprintf(`
roles: [{name: demo, project: %s, service_account: demo, scopes: [api.model.request], ttl: 1h, max_ttl: 24h, grace: 2s}]
callers:
  - name: operator
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: ["*"], roles: ["*"]}]
  - name: hasty
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: [projects.read]}]
    limits: {requests_per_second: 1, burst: 2}
`, b.project, hashes[0], hashes[1]))
	config := write(t, at, "gateway.yaml", fmt.Sprintf(`
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
policy: %s
telemetry: {stages: true}
leases: {path: %s/leases.db}
audit: {path: %s/audit.jsonl}
upstream:
  base_url: %s/v1
  admin_key: {file: %s}
  budget:
    organization: {calls_per_minute: 60000, burst: 1000}
    default: {calls_per_minute: 60000, burst: 1000}
    buckets: [{name: list_users, calls_per_minute: 60, burst: 1}]
`, policy, at, at, b.sandbox, write(t, at, "key", "sk-admin-sandbox")))
	m := process(t, true, `"listen":"([^"]+)".*"ops_listen":"([^"]+)"`, "serve", "--config", config)
	b.url, b.ops = "http://"+m[0], m[1]
	return b
}

// ask makes a request and returns the answer, whatever its status.
func (b *busy) ask(t *testing.T, verb, url, body, token string, header ...string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), verb, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	for n := 0; n+1 < len(header); n += 2 {
		request.Header.Set(header[n], header[n+1])
	}
	reply, err := b.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reply.Body.Close() }()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// call makes a call of an RPC.
func (b *busy) call(t *testing.T, rpc, body, token string, header ...string) string {
	t.Helper()
	return b.ask(t, "POST", b.url+"/admingateway."+rpc, body, token, header...)
}

// round makes a few calls of each kind: hits and misses, writes and their repetitions,
// leases, refusals, and answers of the upstream that are none.
func (b *busy) round(t *testing.T) {
	t.Helper()
	b.rounds++
	n := strconv.Itoa(b.rounds)
	for range 3 {
		b.call(t, "admin.v1.ProjectService/GetProject", `{"project_id": "`+b.project+`"}`, b.operator)
	}
	// One miss in each round, a call for which there is no budget in time, and one that
	// waits for it.
	b.call(t, "admin.v1.ProjectService/ListProjects", `{"limit": `+n+`}`, b.operator)
	for _, milliseconds := range []string{"5000", "100", "5000"} {
		b.call(t, "admin.v1.UserService/ListUsers", `{"limit": `+n+`, "emails": ["`+milliseconds+n+`@example.com"]}`, b.operator, "Connect-Timeout-Ms", milliseconds)
	}
	b.ask(t, "GET", b.url+"/v1/organization/projects?limit=1", "", b.operator)
	for range 2 {
		b.call(t, "admin.v1.ProjectService/CreateProject", `{"name": "busy"}`, b.operator, "Idempotency-Key", "round-"+n)
	}
	// Refused: no credential, no permission, beyond the caller's limit, no such thing, no
	// such path.
	b.call(t, "admin.v1.ProjectService/ListProjects", `{}`, "nobody")
	for range 3 {
		b.call(t, "admin.v1.ProjectService/CreateProject", `{"name": "mine"}`, b.hasty)
	}
	b.call(t, "admin.v1.ProjectService/GetProject", `{"project_id": "proj_none`+n+`"}`, b.operator)
	b.ask(t, "GET", b.url+"/nothing", "", b.operator)
	b.ask(t, "POST", b.url+"/grpc.health.v1.Health/Check", `{}`, "")
	// Retries, and members that this build does not know.
	b.ask(t, "POST", b.sandbox+"/_sandbox/faults", `{"op": "GET /organization/groups", "kind": "drop", "times": 1}`, "")
	b.call(t, "admin.v1.GroupService/ListGroups", `{"limit": `+n+`}`, b.operator)
	if b.rounds == 1 {
		b.ask(t, "POST", b.sandbox+"/_sandbox/faults", `{"op": "GET /organization/invites", "kind": "drift", "variant": "fields"}`, "")
	}
	b.call(t, "admin.v1.InviteService/ListInvites", `{"limit": `+n+`}`, b.operator)
	var lease struct{ Lease struct{ ID string } }
	said := b.call(t, "lease.v1.LeaseService/CreateLease", `{"role": "demo", "request_id": "round-`+n+`"}`, b.operator)
	if err := json.Unmarshal([]byte(said), &lease); err == nil && b.rounds > 1 { // The first one stays.
		b.call(t, "lease.v1.LeaseService/RevokeLease", `{"lease_id": "`+lease.Lease.ID+`"}`, b.operator)
	}
}
