package main

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// replica is one of two gateways at one Redis, in front of one sandbox.
type replica struct {
	command
	url, ops, policy string
}

// replicaPair are two replicas, and the tokens of their callers: operator, who may see
// what concerns the gateway, and bob and alice, who may read projects and users, or nothing.
type replicaPair struct {
	a, b   *replica
	redis  string
	tokens map[string]string // file names of tokens, by caller
	bearer map[string]string
}

// pairPolicy is the policy of both, with the hashes of operator, bob and alice.
const pairPolicy = `
callers:
  - name: operator
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: [status.read, budget.read]}]
    limits: {requests_per_second: 1000, burst: 1000}
  - name: bob
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: [projects.read, users.read]}]
  - name: alice
    authenticate: [{token_sha256: %s}]
    grants: [{permissions: [invites.read]}]
`

func newReplicaPair(t *testing.T) *replicaPair {
	t.Helper()
	fake := httptest.NewServer(sandbox.New(sandbox.Options{Seed: 1}))
	t.Cleanup(fake.Close)
	p := &replicaPair{redis: redistest.Start(t), tokens: map[string]string{}, bearer: map[string]string{}}
	var hashes []any
	for _, name := range []string{"operator", "bob", "alice"} {
		token, hash, err := authn.NewToken()
		if err != nil {
			t.Fatal(err)
		}
		p.tokens[name], p.bearer[name] = writeFile(t, "token", token), "Bearer "+token
		hashes = append(hashes, hash)
	}
	policy := fmt.Sprintf(pairPolicy, hashes...)
	for _, is := range []**replica{&p.a, &p.b} {
		r := &replica{policy: writeFile(t, "policy.yaml", policy)}
		r.command = start(t, "serve", "--config", writeFile(t, "gateway.yaml", `
listen: 127.0.0.1:0
ops_listen: 127.0.0.1:0
shutdown: {delay: 0s}
policy: `+r.policy+`
cache: {redis_url: redis://`+p.redis+`}
upstream:
  base_url: `+fake.URL+`/v1
  admin_key: {file: `+writeFile(t, "key", sandbox.DefaultAdminKey)+`}
  budget: {organization: {calls_per_minute: 60000, burst: 1000}, default: {calls_per_minute: 3, burst: 1}}
`))
		*is = r
	}
	for _, r := range []*replica{p.a, p.b} {
		r.url, r.ops = r.urls(t)
	}
	knowEachOther(t, p.a.ops, p.b.ops)
	return p
}

// knowEachOther waits until each of two replicas knows the other, by what they tell
// operators.
func knowEachOther(t *testing.T, operators ...string) {
	t.Helper()
	timetest.Eventually(t, "each replica knows the other", func() bool {
		for _, url := range operators {
			if _, text := fetch(t, url+"/metrics"); !strings.Contains(text, "\ngateway_replicas 2\n") {
				return false
			}
		}
		return true
	})
}

// gateway runs a command as a caller against a replica, and returns what it printed.
func (p *replicaPair) gateway(t *testing.T, at *replica, caller string, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append(args, "--address", at.url, "--token-file", p.tokens[caller]), streams{&stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

// answer runs a command that prints JSON.
func (p *replicaPair) answer(t *testing.T, at *replica, into proto.Message, args ...string) int {
	t.Helper()
	code, out, errs := p.gateway(t, at, "operator", append(args, "--format", "json")...)
	if err := protojson.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("%v: %d, %q, %s", args, code, out, errs)
	}
	return code
}

// TestTopOfAllReplicas: gateway top at one replica has what callers did at the other: who
// spends which budget, who waits for it now, whose calls were cached and refused. So have
// the metrics of that replica. A caller without the permission sees that it lacks it.
func TestTopOfAllReplicas(t *testing.T) {
	t.Parallel()
	p := newReplicaPair(t)
	get := func(r *replica, caller, path string, want int) {
		t.Helper()
		if status, text := ask(t, http.MethodGet, r.url+path, "", "Authorization", p.bearer[caller]); status != want {
			t.Fatalf("%s asks for %s: %d %s", caller, path, status, text)
		}
	}
	get(p.b, "bob", "/v1/organization/users?limit=1", http.StatusOK)
	get(p.b, "bob", "/v1/organization/users?limit=1", http.StatusOK) // Stored by now.
	get(p.a, "bob", "/v1/organization/projects", http.StatusOK)
	get(p.b, "alice", "/v1/organization/users", http.StatusForbidden)
	// This one waits for the budget, until the test is over.
	waiting, giveUp := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(waiting, http.MethodGet, p.b.url+"/v1/organization/users?limit=2", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", p.bearer["bob"])
	transport, ended := new(http.Transport), make(chan struct{})
	go func() {
		defer close(ended)
		if reply, err := transport.RoundTrip(request); err == nil {
			_ = reply.Body.Close()
		}
	}()
	t.Cleanup(func() {
		giveUp()
		<-ended
		transport.CloseIdleConnections()
	})
	find := func(caller string) (*controlv1.CallerLoad, *controlv1.BudgetSpending) {
		var top controlv1.GetTopResponse
		if code := p.answer(t, p.a, &top, "top", "--once"); code != 0 || top.GetReplicas() != 2 || len(top.GetMissingReplicas()) != 0 || !top.GetShared() {
			t.Fatalf("%d %v", code, &top)
		}
		for _, l := range top.GetCallers() {
			for _, b := range l.GetBudgets() {
				if l.GetCaller() == caller && b.GetBudget() == "list_users" {
					return l, b
				}
			}
			if l.GetCaller() == caller {
				return l, nil
			}
		}
		return nil, nil
	}
	timetest.Eventually(t, "bob's call waits", func() bool {
		_, users := find("bob")
		return users.GetWaiting() == 1
	})
	bob, users := find("bob")
	if m := bob.GetMinute(); m.GetCalls() != 3 || m.GetCached() != 1 || m.GetRefused() != 0 || len(bob.GetBudgets()) != 2 || users.GetRequestsMinute() != 1 || users.GetRequestsTotal() != 1 {
		t.Errorf("bob: %v", bob)
	}
	if alice, _ := find("alice"); alice.GetMinute().GetRefused() != 1 || len(alice.GetBudgets()) != 0 {
		t.Errorf("alice: %v", alice)
	}
	for by, row := range map[string]string{
		"caller": `(?m)^bob +2 +1 +\S+ +3 +1 +0 +0 +list_projects 1, list_users 1$`,
		"budget": `(?m)^list_users +3 +0\S* +1 +1 +bob 2$`,
	} {
		code, out, errs := p.gateway(t, p.a, "operator", "top", "--once", "--by", by)
		if code != 0 || !regexp.MustCompile(row).MatchString(out) || !strings.Contains(out, "2 replicas") {
			t.Errorf("top by %s: %d, %s %s", by, code, out, errs)
		}
	}
	if code, out, errs := p.gateway(t, p.a, "operator", "budget"); code != 0 || !regexp.MustCompile(`(?m)^\(organization\) +60000 `).MatchString(out) || !regexp.MustCompile(`(?m)^list_projects +3 +3 +1 +0`).MatchString(out) {
		t.Errorf("budget: %d, %s %s", code, out, errs)
	}
	for _, command := range []string{"top", "budget", "status"} {
		if code, out, errs := p.gateway(t, p.a, "alice", append([]string{command}, map[string][]string{"top": {"--once"}}[command]...)...); code != 1 || out != "" || !strings.Contains(errs, "permission") {
			t.Errorf("%s of a caller that may not: %d, %q, %q", command, code, out, errs)
		}
	}
	_, text := fetch(t, p.b.ops+"/metrics")
	for _, line := range []string{
		`gateway_caller_calls_total{caller="bob",outcome="cached"} 1`, `gateway_caller_calls_total{caller="alice",outcome="refused"} 1`,
		`gateway_caller_waiting{budget="list_users",caller="bob"} 1`, `gateway_caller_upstream_requests_total{budget="list_users",caller="bob"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("the metrics lack %s", line)
		}
	}
}

// TestStatusOfAllReplicas: gateway status at one replica shows build, policy and
// readiness of both; it points out another policy, a policy file that cannot be used, and
// a replica that does not answer, and its exit code says so.
func TestStatusOfAllReplicas(t *testing.T) {
	t.Parallel()
	p := newReplicaPair(t)
	for range 4 {
		if code, _, errs := p.gateway(t, p.b, "bob", "call", "UserService/ListUsers"); code != 0 {
			t.Fatal(errs)
		}
	}
	var status controlv1.GetStatusResponse
	if code := p.answer(t, p.a, &status, "status"); code != 0 || len(status.GetReplicas()) != 2 || status.GetPoliciesDiffer() || status.GetVersionsDiffer() {
		t.Fatalf("%d %v", code, &status)
	}
	for _, r := range status.GetReplicas() {
		if !r.GetReady() || r.GetPolicy().GetCallers() != 3 || len(r.GetPolicy().GetSha256()) != 64 || r.GetGoVersion() == "" || r.GetStartedAt() == nil || len(r.GetConditions()) < 5 {
			t.Errorf("%v", r)
		}
		if c := r.GetCache(); r.GetAnswering() && c.GetReads() != 0 || !r.GetAnswering() && (c.GetReads() != 4 || c.GetStored() != 3) {
			t.Errorf("the cache of %s: %v", r.GetName(), c)
		}
	}
	good, err := os.ReadFile(p.b.policy)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range []string{"status", "budget"} {
		if code, out, errs := p.gateway(t, p.a, "operator", command, "--once"); code != 0 || out == "" {
			t.Errorf("%s --once: %d %s%s", command, code, out, errs)
		}
		if code, _, errs := p.gateway(t, p.a, "operator", command, "--once", "--interval", "1s"); code != 2 || !strings.Contains(errs, "--interval") {
			t.Errorf("%s once and again: %d %s", command, code, errs)
		}
	}
	says := func(want string, exit int) {
		t.Helper()
		timetest.Eventually(t, "status says "+want, func() bool {
			code, out, _ := p.gateway(t, p.a, "operator", "status")
			return strings.Contains(out, want) && code == exit
		})
	}
	replace := func(text string) {
		t.Helper()
		if err := os.WriteFile(p.b.policy, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	replace(string(good) + "\n# another one\n")
	says("! the replicas have different policies", 1)
	if _, text := fetch(t, p.b.ops+"/metrics"); strings.Count(text, "gateway_policy_info{") != 1 || !strings.Contains(text, "\ngateway_build_info{") || !strings.Contains(text, "\ngateway_policy_loaded_timestamp_seconds ") {
		t.Error("the metrics do not have the policy and the build")
	}
	replace(string(good) + "\nnonsense: [\n")
	says("the policy file cannot be used since", 1)
	replace(string(good))
	timetest.Eventually(t, "all is well again", func() bool {
		code, _, _ := p.gateway(t, p.a, "operator", "status")
		return code == 0
	})
	// A replica that has died is a member that does not answer.
	client := redistest.Client(t, p.redis)
	keys, err := client.Keys(t.Context(), "*:fleet:m").Result()
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if err := client.Append(t.Context(), keys[0], fmt.Sprintf("GHOST %d ghost\n", time.Now().Add(time.Hour).UnixMilli())).Err(); err != nil {
		t.Fatal(err)
	}
	says("! replica ghost is not in this: it does not answer", 1)
	p.b.stop(t)
	p.a.stop(t)
}
