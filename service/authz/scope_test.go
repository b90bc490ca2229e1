package authz_test

import (
	"slices"
	"testing"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

func TestProjectsOfGrants(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	policy := compilePolicy(t, methods,
		authz.Caller{Name: "all", Grants: grants{permissions("*")}},
		authz.Caller{Name: "some", Grants: grants{scoped("projects.*", "p3", "p1"), scoped("projects.users.read", "p2", "p1")}},
		authz.Caller{Name: "both", Grants: grants{scoped("projects.*", "p1"), permissions("projects.users.read")}},
		authz.Caller{Name: "none", Grants: grants{permissions("costs.read")}},
		authz.Caller{Name: "barred", Grants: grants{scoped("*", "p1", "p2")}, Denies: grants{scoped("*", "p1")}},
	)
	users, keys := handle(t, methods, "ProjectUserService/ListProjectUsers"), handle(t, methods, "ProjectApiKeyService/ListProjectApiKeys")
	for _, test := range []struct {
		caller  string
		method  *authz.Handle
		want    []string
		limited bool
	}{
		{"all", users, nil, false},
		{"some", users, []string{"p1", "p2", "p3"}, true},
		{"some", keys, []string{"p1", "p3"}, true},
		{"both", users, nil, false},
		{"both", keys, []string{"p1"}, true},
		{"none", users, nil, true},
		{"barred", users, []string{"p1", "p2"}, true},
		{"unknown", users, nil, true},
	} {
		if ids, limited := policy.Projects(test.caller, test.method); !slices.Equal(ids, test.want) || limited != test.limited {
			t.Errorf("%s for %s: %q, limited %t; want %q, %t", test.caller, test.method.Procedure(), ids, limited, test.want, test.limited)
		}
	}
	if ids, limited := (*authz.Policy)(nil).Projects("all", users); ids != nil || !limited {
		t.Errorf("no policy: %q, limited %t", ids, limited)
	}
}

// TestEachCall: the projects of grants and denies say nothing of an RPC that
// only makes calls; permissions, conditions and other denies do.
func TestEachCall(t *testing.T) {
	t.Parallel()
	request := &adminv1.ListCostsRequest{ProjectIds: []string{"elsewhere"}}
	methods, err := authz.NewMethods([]authz.Method{
		{Procedure: "/p.S/Fan", Permission: "fan.read", Request: descriptor(request), EachCall: true},
		{Procedure: "/p.S/Other", Permission: "other.read", Request: descriptor(request)},
	})
	if err != nil {
		t.Fatal(err)
	}
	fan, _ := methods.Lookup("/p.S/Fan")
	if fan.OrganizationWide() {
		t.Error("concerns the organization")
	}
	when := func(g authz.Grant, condition string) authz.Grant {
		g.When = condition
		return g
	}
	for _, test := range []struct {
		name           string
		grants, denies grants
		want           authz.Reason
	}{
		{"a grant in a project", grants{scoped("fan.read", "p1")}, nil, authz.Granted},
		{"another permission", grants{scoped("other.read", "p1")}, nil, authz.NoPermission},
		{"a condition that holds", grants{when(scoped("fan.read", "p1"), "size(request.project_ids) == 1")}, nil, authz.Granted},
		{"a condition that does not", grants{when(scoped("fan.read", "p1"), "size(request.project_ids) == 0")}, nil, authz.ConditionFalse},
		{"a deny in a project", grants{permissions("*")}, grants{scoped("*", "elsewhere")}, authz.Granted},
		{"a deny", grants{permissions("*")}, grants{permissions("fan.read")}, authz.Denied},
	} {
		policy := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: test.grants, Denies: test.denies})
		if d := policy.Decide("me", fan, request.ProtoReflect(), moment); d.Reason != test.want || d.Allowed != (test.want == authz.Granted) {
			t.Errorf("%s: %+v, want %s", test.name, d, test.want)
		}
	}
	if _, err := authz.NewMethods([]authz.Method{{Procedure: "/p.S/Fan", Permission: "fan.read", Request: descriptor(request), EachCall: true, Projects: []string{"project_ids"}}}); err == nil {
		t.Error("a method that is decided by each call and has projects compiles")
	}
}
