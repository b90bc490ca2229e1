package authz

import (
	"errors"
	"fmt"
	"testing"
	"time"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
)

func methodsForSharing(t *testing.T) *Methods {
	t.Helper()
	methods, err := NewMethods([]Method{
		{Procedure: "/p/S/Get", Permission: "projects.read", Request: (&adminv1.GetProjectRequest{}).ProtoReflect().Descriptor(), Projects: []string{"project_id"}},
		{Procedure: "/p/S/List", Permission: "users.read", Request: (&adminv1.ListUsersRequest{}).ProtoReflect().Descriptor()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return methods
}

// TestCallersShare: what callers have in common is compiled once, and nothing else is
// shared.
func TestCallersShare(t *testing.T) {
	t.Parallel()
	methods := methodsForSharing(t)
	c, err := NewCompiler(methods)
	if err != nil {
		t.Fatal(err)
	}
	read := Grant{Permissions: []string{"users.read"}}
	for i := range 1000 {
		own := Grant{Permissions: []string{"projects.*"}, Projects: []string{fmt.Sprintf("proj_%d", i)}, When: `request.project_id != ""`}
		c.Add(Caller{Name: fmt.Sprintf("own-%d", i), Labels: map[string]string{"team": "a", "tier": "b"}, Grants: []Grant{read, own}})
		c.Add(Caller{Name: fmt.Sprintf("same-%d", i), Grants: []Grant{read}, Denies: []Grant{read}})
		when := Grant{Permissions: []string{"*.read"}, When: `caller.name == "x"`}
		c.Add(Caller{Name: fmt.Sprintf("when-%d", i), Grants: []Grant{when}})
	}
	policy, err := c.Policy()
	if err != nil {
		t.Fatal(err)
	}
	// One condition for one request type, and one for two.
	if n := len(c.shared.conditions.compiled); n != 3 {
		t.Errorf("%d conditions were compiled", n)
	}
	if sets, conditions, indexes, tables, labels := len(c.shared.permissionSets), len(c.shared.conditionSets), len(c.shared.indexes), len(c.shared.tables), len(c.shared.callerLabels); sets != 3 || conditions != 2 || indexes != 3 || tables != 3 || labels != 1 {
		t.Errorf("%d sets of permissions, %d of conditions, %d indexes, %d tables, %d maps of labels", sets, conditions, indexes, tables, labels)
	}
	a, b := policy.caller("same-1"), policy.caller("same-2")
	if a.grants != b.grants || a.denies != b.denies || a.grants == a.denies {
		t.Error("equal callers share no tables, or grants are denies")
	}
	if a, b := policy.caller("own-1"), policy.caller("own-2"); a.grants == b.grants || a.grants.methodIndex != b.grants.methodIndex || !a.scoped {
		t.Error("callers with projects share their rules, or not their index")
	}
	list, _ := methods.Lookup("/p/S/List")
	for name, want := range map[string]Decision{
		"own-7":  {Allowed: true, Grant: "grants[0]", Reason: Granted, Permission: "users.read"},
		"same-7": {Grant: "denies[0]", Reason: Denied, Permission: "users.read"},
		"when-7": {Reason: ConditionFalse, Permission: "users.read"},
	} {
		if got := policy.Decide(name, list, (&adminv1.ListUsersRequest{}).ProtoReflect(), time.Unix(0, 0)); got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
}

// TestFaultsAreBounded: a policy in which everything is wrong has a hundred faults, and
// one that may be meant otherwise a hundred warnings.
func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	var bad, doubtful []Caller
	for i := range 3 * maxFaults {
		bad = append(bad, Caller{Name: fmt.Sprint(i), Grants: []Grant{{Permissions: []string{"users.reed"}}}})
		doubtful = append(doubtful, Caller{Name: fmt.Sprint(i), Grants: []Grant{{Permissions: []string{"users.read"}, When: `caller.labels.team == "a"`}}})
	}
	_, err := Compile(bad, methodsForSharing(t))
	joined, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err)
	if !ok || len(joined.Unwrap()) != maxFaults {
		t.Errorf("%v", err)
	}
	policy, err := Compile(doubtful, methodsForSharing(t))
	if err != nil || len(policy.Warnings()) != maxFaults {
		t.Errorf("%d warnings, %v", len(policy.Warnings()), err)
	}
}
