package explain_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1" // the catalog has its RPCs then

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/explain"
)

const policy = `roles:
  - {name: search, project: proj_a, service_account: search, scopes: [api.model.request], ttl: 1h, max_ttl: 24h}
  - {name: batch, project: proj_b, kind: account, all: true, ttl: 1m, max_ttl: 1h}
callers:
  - name: team
    authenticate: [{dns_san: team.example}]
    grants:
      - {permissions: [leases.create, leases.renew, leases.revoke, leases.read], roles: [search]}
      - {permissions: [projects.read], projects: [proj_a]}
  - name: lead
    authenticate: [{dns_san: lead.example}]
    grants:
      - {permissions: ["leases.*"], roles: [search], projects: [proj_a]}
      - {permissions: [leases.create], roles: [batch], when: "has(request.ttl) && request.ttl <= role.ttl"}
    denies: [{permissions: [leases.delegate], roles: [search]}]
  - name: bare
    authenticate: [{dns_san: bare.example}]
    grants: [{permissions: ["*"]}]
  - name: keeper
    authenticate: [{dns_san: keeper.example}]
    grants: [{permissions: [leases.reconcile], projects: [proj_a]}]
`

// TestAnswers: the decision and why, as the gateway decides. Nobody here has a
// permission for service accounts.
func TestAnswers(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	set, err := callers.Parse("policy.yaml", []byte(policy), callers.Rules{Methods: methods.Access()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		q    explain.Question
		want string
	}{
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease"}, "allow: the permission leases.create is granted; projects"},
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "search"}`}, "allow: leases.create by grants[0]"},
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "batch"}`}, `deny: leases.create: role out of scope, role "batch"`},
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "none"}`}, `deny: leases.create: role out of scope, role "none"`},
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "search", "holder": "pod-1"}`}, "deny: leases.delegate: no permission"},
		{explain.Question{Caller: "lead", RPC: "LeaseService/CreateLease", Request: `{"role": "search", "holder": "pod-1"}`}, "deny: leases.delegate: denied, by denies[0]"},
		{explain.Question{Caller: "lead", RPC: "LeaseService/CreateLease", Request: `{"role": "batch", "ttl": "60s"}`}, "allow: leases.create by grants[1]"},
		{explain.Question{Caller: "lead", RPC: "LeaseService/CreateLease", Request: `{"role": "batch", "ttl": "61s"}`}, "deny: leases.create: condition false"},
		{explain.Question{Caller: "bare", RPC: "LeaseService/CreateLease"}, "deny: leases.create: role out of scope"},
		{explain.Question{Caller: "bare", RPC: "LeaseService/CreateLease", Request: `{"role": "search"}`}, `deny: leases.create: role out of scope, role "search"`},
		{explain.Question{Caller: "team", RPC: "LeaseService/RevokeLease", Request: `{"lease_id": "x"}`}, "allow: the permission leases.revoke is granted; each lease"},
		{explain.Question{Caller: "team", RPC: "LeaseService/RevokeLease", Request: `{"lease_id": "x"}`, LeaseRole: "search"}, "allow: leases.revoke by grants[0]"},
		{explain.Question{Caller: "team", RPC: "LeaseService/RevokeLease", Request: `{"lease_id": "x"}`, LeaseRole: "search", LeaseOf: "lead"}, "deny: leases.revoke_any: not owner"},
		{explain.Question{Caller: "lead", RPC: "LeaseService/RevokeLease", Request: `{"lease_id": "x"}`, LeaseRole: "search", LeaseOf: "team"}, "allow: leases.revoke_any by grants[0]"},
		{explain.Question{Caller: "lead", RPC: "LeaseService/RenewLease", Request: `{"lease_id": "x"}`, LeaseRole: "search", LeaseOf: "team"}, "deny: leases.renew: not owner"},
		{explain.Question{Caller: "team", RPC: "LeaseService/ListLeases", Request: `{}`}, "allow: the permission leases.read is granted; each lease"},
		{explain.Question{Caller: "team", RPC: "LeaseService/ListLeases", Request: `{"role": "batch"}`}, `deny: leases.read: role out of scope, role "batch"`},
		{explain.Question{Caller: "team", RPC: "LeaseService/Reconcile", Request: `{}`}, "deny: leases.reconcile: no permission"},
		{explain.Question{Caller: "keeper", RPC: "LeaseService/Reconcile", Request: `{}`}, "deny: leases.reconcile: project missing"},
		{explain.Question{Caller: "keeper", RPC: "LeaseService/Reconcile", Request: `{"project_ids": ["proj_a"]}`}, "allow: leases.reconcile by grants[0]"},
		{explain.Question{Caller: "team", RPC: "ProjectService/GetProject", Request: `{"project_id": "proj_b"}`}, `deny: projects.read: project out of scope, project "proj_b"`},
		{explain.Question{Caller: "team", RPC: "ProjectServiceAccountService/CreateProjectServiceAccount"}, "deny: projects.service_accounts.create: no permission"},
	} {
		verdict, err := explain.Answer(methods, set, test.q, time.Now())
		if got := verdict.String(); err != nil || !strings.HasPrefix(got, test.want) || verdict.Allowed != strings.HasPrefix(got, "allow: ") {
			t.Errorf("%+v: %q, %t, %v; want %q", test.q, got, verdict.Allowed, err, test.want)
		}
	}
	for _, test := range []struct {
		q    explain.Question
		want string
	}{
		{explain.Question{Caller: "none", RPC: "LeaseService/CreateLease"}, "flag --caller"},
		{explain.Question{Caller: "team", RPC: "LeaseService/Create"}, "flag --rpc"},
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "Search"}`}, "flag --request: role: must be a word"},
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"rolle": "search"}`}, "flag --request"},
		{explain.Question{Caller: "team", RPC: "LeaseService/GetLease", Request: `{}`, LeaseRole: "none"}, "flag --lease-role: the policy has no role"},
		{explain.Question{Caller: "team", RPC: "LeaseService/GetLease", LeaseRole: "search"}, "flag --lease-role: a lease is decided on with a request"},
		{explain.Question{Caller: "team", RPC: "LeaseService/GetLease", Request: `{}`, LeaseOf: "lead"}, "flag --lease-of: say the role"},
		{explain.Question{Caller: "team", RPC: "ProjectService/GetProject", Request: `{}`, LeaseRole: "search"}, "flag --lease-role: ProjectService/GetProject is not about leases"},
	} {
		if verdict, err := explain.Answer(methods, set, test.q, time.Now()); err == nil || verdict.Allowed || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %s", test.q, err, test.want)
		}
	}
}

// TestNear: the rules that decided against a call, and what each of them lacks.
func TestNear(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	set, err := callers.Parse("policy.yaml", []byte(policy), callers.Rules{Methods: methods.Access()})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		q    explain.Question
		want []string
	}{
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "search"}`}, nil},
		{explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "batch"}`}, []string{"grants[0]: the role is not one of its roles, or is of another project"}},
		{explain.Question{Caller: "lead", RPC: "LeaseService/CreateLease", Request: `{"role": "batch", "ttl": "61s"}`}, []string{
			"grants[0]: the role is not one of its roles, or is of another project", "grants[1]: its condition is not met: has(request.ttl) && request.ttl <= role.ttl",
		}},
		{explain.Question{Caller: "lead", RPC: "LeaseService/CreateLease", Request: `{"role": "search", "holder": "pod-1"}`}, []string{"denies[0]: it forbids the call, whatever the grants allow"}},
		{explain.Question{Caller: "bare", RPC: "LeaseService/CreateLease"}, []string{"grants[0]: it names no role of leases"}},
		{explain.Question{Caller: "team", RPC: "LeaseService/RevokeLease", Request: `{"lease_id": "x"}`, LeaseRole: "search", LeaseOf: "lead"}, []string{"grants[0]: it does not have leases.revoke_any"}},
		{explain.Question{Caller: "keeper", RPC: "LeaseService/Reconcile", Request: `{}`}, []string{"grants[0]: it is limited to projects, and the request names none"}},
		{explain.Question{Caller: "team", RPC: "ProjectService/GetProject", Request: `{"project_id": "proj_b"}`}, []string{`grants[1]: the project "proj_b" is not one of its projects`}},
		{explain.Question{Caller: "team", RPC: "ProjectService/ListProjects", Request: `{}`}, []string{"grants[1]: it is limited to projects, and the call concerns the whole organization"}},
		{explain.Question{Caller: "team", RPC: "ProjectService/UpdateProject", Request: `{"project_id": "proj_a"}`}, []string{"grants[1]: it does not have projects.update"}},
		{explain.Question{Caller: "team", RPC: "UserService/ListUsers"}, nil},
	} {
		verdict, err := explain.Answer(methods, set, test.q, time.Now())
		var got []string
		for _, n := range verdict.Near {
			got = append(got, n.Name+": "+explain.Why(n, verdict.Permission))
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q, %v; want %q", test.q, got, err, test.want)
		}
	}
}

// TestInvalid: a request that the gateway refuses is told apart from one that the policy
// refuses, and decided on as if it were mended.
func TestInvalid(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	set, err := callers.Parse("policy.yaml", []byte(policy), callers.Rules{Methods: methods.Access()})
	if err != nil {
		t.Fatal(err)
	}
	verdict, err := explain.Answer(methods, set, explain.Question{Caller: "team", RPC: "LeaseService/CreateLease", Request: `{"role": "search"}`}, time.Now())
	if err != nil || !verdict.Allowed || len(verdict.Invalid) != 1 || !strings.HasPrefix(verdict.Invalid[0], "request_id: ") ||
		!strings.HasPrefix(verdict.String(), verdict.Decided()+"; but the request is invalid: request_id: ") {
		t.Errorf("%q, %q, %v", verdict.Invalid, verdict, err)
	}
	if verdict, err = explain.Answer(methods, set, explain.Question{Caller: "team", RPC: "ProjectService/GetProject", Request: `{"project_id": "proj_a"}`}, time.Now()); err != nil || len(verdict.Invalid) > 0 {
		t.Errorf("%q, %v", verdict.Invalid, err)
	}
}
