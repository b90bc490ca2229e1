package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/audittest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// leasingServed is a gateway with a role, in front of a sandbox, that keeps leases in a
// file and records in another.
type leasingServed struct {
	fake                *sandbox.Sandbox
	upstream            string
	config, audit, file string
	tokens              map[string]string
}

func newLeasingServed(t *testing.T) *leasingServed {
	t.Helper()
	folder := t.TempDir()
	s := &leasingServed{fake: sandbox.New(sandbox.Options{Seed: 1}), audit: filepath.Join(folder, "audit.jsonl"), file: filepath.Join(folder, "leases.db"), tokens: map[string]string{}}
	fake := httptest.NewServer(s.fake)
	t.Cleanup(fake.Close)
	s.upstream = fake.URL
	keys, err := s.fake.ProjectKeys("")
	if err != nil || len(keys) == 0 {
		t.Fatal(err, len(keys))
	}
	project, hashes := keys[0].ProjectID, map[string]string{}
	for _, name := range []string{"team", "admin"} {
		var err error
		if s.tokens[name], hashes[name], err = authn.NewToken(); err != nil {
			t.Fatal(err)
		}
	}
	policy := writeFile(t, "policy.yaml", fmt.Sprintf(`
roles:
  - {name: search, project: %s, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
callers:
  - name: team
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: [leases.create, leases.renew, leases.revoke, leases.read], roles: [search]}]
    limits: {requests_per_second: 100, burst: 100, concurrent: 10, streams: 10}
    leases: {max_live: 10, mints_per_hour: 100}
  - name: admin
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: ["*"]}]
    limits: {requests_per_second: 100, burst: 100, concurrent: 10, streams: 10}
`, project, hashes["team"], hashes["admin"]))
	s.config = writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
policy: `+policy+`
audit: {path: `+s.audit+`, required: writes}
leases: {path: `+s.file+`}
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
  budget: {organization: {calls_per_minute: 60000, burst: 1000}, default: {calls_per_minute: 60000, burst: 1000}}
`)
	return s
}

// leasingRun is one life of it.
type leasingRun struct {
	command
	of       *leasingServed
	url, ops string
}

func (s *leasingServed) serve(t *testing.T) leasingRun {
	t.Helper()
	r := leasingRun{command: start(t, "serve", "--config", s.config), of: s}
	r.url, r.ops = r.urls(t)
	return r
}

// lease calls an RPC of LeaseService, and returns its answer.
func (r leasingRun) lease(t *testing.T, rpc, request string) (answer struct {
	Lease struct {
		ID       string `json:"id"`
		State    string `json:"state"`
		APIKeyID string `json:"api_key_id"`
		Project  string `json:"project_id"`
	} `json:"lease"`
	Secret string `json:"secret"`
}) {
	t.Helper()
	status, text := ask(t, http.MethodPost, r.url+"/admingateway.lease.v1.LeaseService/"+rpc, request, "Authorization", "Bearer "+r.of.tokens["team"], "Content-Type", "application/json")
	if err := json.Unmarshal([]byte(text), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d %s, %v", rpc, status, text, err)
	}
	return answer
}

// TestServeGivesLeases: the gateway as it is configured gives a lease, protects its key,
// knows it after a restart and ends it. Its own calls are recorded, with whom and what
// they are for and what was made, and no record has the secret.
func TestServeGivesLeases(t *testing.T) {
	t.Parallel()
	s := newLeasingServed(t)
	first := s.serve(t)
	made := first.lease(t, "CreateLease", `{"role": "search", "request_id": "1"}`)
	if made.Secret == "" || made.Lease.APIKeyID == "" {
		t.Fatalf("%+v", made.Lease)
	}
	key := first.url + "/v1/organization/projects/" + made.Lease.Project + "/api_keys/" + made.Lease.APIKeyID
	if status, text := ask(t, http.MethodDelete, key, "", "Authorization", "Bearer "+s.tokens["admin"]); status != http.StatusForbidden || !strings.Contains(text, "leased") {
		t.Errorf("an administrator deletes the key: %d %s", status, text)
	}
	if status, text := ask(t, http.MethodGet, key, "", "Authorization", "Bearer "+s.tokens["admin"]); status != http.StatusOK {
		t.Errorf("an administrator looks at it: %d %s", status, text)
	}
	if status, text := fetch(t, first.ops+"/readyz?verbose"); status != http.StatusOK || !strings.Contains(text, `{"name":"leases","ok":true}`) {
		t.Errorf("%d %s", status, text)
	}
	if _, text := fetch(t, first.ops+"/metrics"); !strings.Contains(text, `gateway_lease_mints_total{outcome="done",role="search"} 1`) ||
		!strings.Contains(text, `gateway_own_calls_total{agent="leases",code="ok",rpc="admingateway.admin.v1.ProjectServiceAccountService/CreateProjectServiceAccountApiKey"} 1`) {
		t.Error("the metrics do not have the mint")
	}
	first.stop(t)

	second := s.serve(t)
	if known := second.lease(t, "GetLease", `{"lease_id": "`+made.Lease.ID+`"}`); known.Lease.APIKeyID != made.Lease.APIKeyID {
		t.Errorf("after a restart: %+v", known.Lease)
	}
	if over := second.lease(t, "RevokeLease", `{"lease_id": "`+made.Lease.ID+`", "wait": true}`); over.Lease.State != "LEASE_STATE_REVOKED" {
		t.Errorf("revoked: %+v", over.Lease)
	}
	if left, ok := s.fake.Key(made.Secret); ok && left.Alive {
		t.Error("the key works on")
	}
	second.stop(t)

	lines, err := os.ReadFile(s.audit)
	if err != nil {
		t.Fatal(err)
	}
	audittest.Lines(t, lines)
	if bytes.Contains(lines, []byte(made.Secret)) {
		t.Error("a record has the secret")
	}
	for _, rpc := range []string{"CreateProjectServiceAccountApiKey", "DeleteProjectApiKey"} {
		events := ownRecords(t, lines, rpc, made.Lease.ID)
		if strings.Join(events, " ") != "intent call" {
			t.Errorf("%s left the records %q", rpc, events)
		}
	}
	if !bytes.Contains(lines, []byte(`"answer":{"service_account_api_key.id":"`+made.Lease.APIKeyID+`"`)) {
		t.Error("no record has the id of the key")
	}
	var out bytes.Buffer
	if code := run(t.Context(), []string{"lease", "ledger", "check", "--config", s.config}, streams{&out, &out}); code != 0 || !strings.Contains(out.String(), "problems: 0") {
		t.Errorf("the ledger: %d %s", code, &out)
	}
}

// ownRecords are the events of the records of the gateway's own calls of an RPC for team
// and a lease, or its key.
func ownRecords(t *testing.T, lines []byte, rpc, lease string) (events []string) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		var r struct {
			Event, Agent, Caller, Method, Lease, Decision, Peer string
			Role                                                string `json:"lease_role"`
		}
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(r.Method, "/"+rpc) || r.Decision != "own" {
			continue
		}
		if r.Agent != "leases" || r.Caller != "team" || r.Lease != lease || r.Role != "search" || r.Peer != "" {
			t.Errorf("%s", line)
		}
		events = append(events, r.Event)
	}
	return events
}
