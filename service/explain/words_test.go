package explain_test

import (
	"testing"

	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/explain"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
)

// TestWords: rules as they come out of a compiled policy, with their names.
func TestWords(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	set, err := callers.Parse("policy.yaml", []byte(policy), callers.Rules{Methods: methods.Access()})
	if err != nil {
		t.Fatal(err)
	}
	for caller, want := range map[string][]string{
		"team":   {"grants[0]: May create, renew, revoke and read leases, of the role search.", "grants[1]: May read projects, in the project proj_a."},
		"lead":   {"grants[0]: May do everything with leases, in the project proj_a, of the role search.", `grants[1]: May create leases, of the role batch, where has(request.ttl) && request.ttl <= role.ttl.`, "denies[0]: May never delegate leases, of the role search."},
		"bare":   {"grants[0]: May do everything."},
		"keeper": {"grants[0]: May reconcile leases, in the project proj_a."},
		"nobody": nil,
	} {
		grants, denies, granted, denied := set.Policy.Rules(caller, -1)
		var got []string
		for _, rule := range append(grants, denies...) {
			got = append(got, rule.Name+": "+explain.Words(rule))
		}
		if len(got) != len(want) || granted+denied != len(want) {
			t.Errorf("%s: %q", caller, got)
			continue
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: %q; want %q", caller, got[i], want[i])
			}
		}
	}
	for want, rule := range map[string]authz.Rule{
		"May read costs and usage, in the projects a, b, c, d, e and 2 more.": {Grant: authz.Grant{
			Permissions: []string{"costs.read", "usage.read"}, Projects: []string{"a", "b", "c", "d", "e", "f", "g"},
		}},
		"May read everything, update users of projects and delete api keys of projects, in the projects a and b.": {Grant: authz.Grant{
			Permissions: []string{"*.read", "projects.users.update", "projects.api_keys.delete"}, Projects: []string{"a", "b"},
		}},
		"May never do everything with users, of all roles of leases, where request.a == 1.": {Deny: true, Grant: authz.Grant{
			Permissions: []string{"users.*"}, Roles: []string{"*"}, When: "request.a\n  == 1",
		}},
	} {
		if got := explain.Words(rule); got != want {
			t.Errorf("%q; want %q", got, want)
		}
	}
}
