package authz_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/admin-gateway/admin-gateway/service/authz"
)

func TestCompileFaults(t *testing.T) {
	t.Parallel()
	one := func(g authz.Grant) []authz.Caller { return []authz.Caller{{Name: "me", Grants: grants{g}}} }
	at := func(field string, item int) authz.Fault {
		return authz.Fault{Caller: "me", List: "grants", Field: field, Item: item}
	}
	cases := []struct {
		name    string
		callers []authz.Caller
		want    []authz.Fault
		reason  string // in the first fault's reason
	}{
		{"no name", []authz.Caller{{Grants: grants{permissions("*")}}}, []authz.Fault{{Grant: -1, Field: "name", Item: -1}}, "is empty"},
		{
			"a name twice",
			[]authz.Caller{{Name: "me"}, {Name: "Me"}, {Name: "me", Denies: grants{permissions("*")}}, {Name: "me"}},
			[]authz.Fault{{Caller: "me", Index: 2, Grant: -1, Field: "name", Item: -1}, {Caller: "me", Index: 3, Grant: -1, Field: "name", Item: -1}},
			"callers[0] has the same name",
		},
		{"no permissions", one(authz.Grant{}), []authz.Fault{at("permissions", -1)}, "is empty"},
		{"unknown", one(permissions("users.read", "users.reed")), []authz.Fault{at("permissions", 1)}, `"users.reed": no RPC needs`},
		{"unknown resource", one(permissions("user.*")), []authz.Fault{at("permissions", 0)}, `"user.*": no RPC needs`},
		{"a permission with nothing below", one(permissions("users.read.*")), []authz.Fault{at("permissions", 0)}, "no RPC needs"},
		{"a verb as a resource", one(permissions("read.*")), []authz.Fault{at("permissions", 0)}, "no RPC needs"},
		{"unknown verb", one(permissions("*.reads")), []authz.Fault{at("permissions", 0)}, "no RPC needs"},
		{"a resource as a verb", one(permissions("*.users")), []authz.Fault{at("permissions", 0)}, "no RPC needs"},
		{"no projects", one(authz.Grant{Permissions: words{"*"}, Projects: words{}}), []authz.Fault{at("projects", -1)}, "is empty"},
		{"an empty project", one(scoped("*", "p1", "")), []authz.Fault{at("projects", 1)}, "is empty"},
		{"a project twice", one(scoped("*", "p1", "p2", "p1")), []authz.Fault{at("projects", 2)}, `"p1" is already projects[0]`},
		{"no CEL", one(authz.Grant{Permissions: words{"projects.archive"}, When: "request."}), []authz.Fault{at("when", -1)}, "does not compile for ProjectService/ArchiveProject: line 1, column 9: "},
		{"blank", one(authz.Grant{Permissions: words{"projects.archive"}, When: " "}), []authz.Fault{at("when", -1)}, "does not compile"},
		{"no bool", one(authz.Grant{Permissions: words{"projects.archive"}, When: "request.project_id"}), []authz.Fault{at("when", -1)}, "is a string, not a bool"},
		{"unknown field", one(authz.Grant{Permissions: words{"projects.archive"}, When: "true ||\n request.projectId == ''"}), []authz.Fault{at("when", -1)}, "ArchiveProject: line 2, column 9: undefined field 'projectId'"},
		{"unknown variable", one(authz.Grant{Permissions: words{"projects.archive"}, When: "caller == 'me'"}), []authz.Fault{at("when", -1)}, "undeclared reference to 'caller'"},
		{
			"a field of some requests", one(authz.Grant{Permissions: words{"projects.read"}, When: "request.project_id != ''"}),
			[]authz.Fault{at("when", -1)}, "does not compile for ProjectService/ListProjects: line 1, column 8: undefined field 'project_id'",
		},
		{
			"a field of few requests", one(authz.Grant{Permissions: words{"*"}, When: "request.email != ''"}),
			[]authz.Fault{at("when", -1)}, "for AdminApiKeyService/CreateAdminApiKey (nor for ",
		},
		{
			"all of them",
			[]authz.Caller{
				{Name: "me", Grants: grants{{Permissions: words{"a.b", "A.b", "users.read"}, Projects: words{}, When: "1"}}, Denies: grants{permissions("*"), {When: "x"}}},
				{Name: "you", Denies: grants{permissions("p.*.q"), scoped("*", "")}},
			},
			[]authz.Fault{
				at("permissions", 0), at("permissions", 1), at("projects", -1), at("when", -1),
				{Caller: "me", List: "denies", Grant: 1, Field: "permissions", Item: -1},
				{Caller: "you", Index: 1, List: "denies", Field: "permissions", Item: 0},
				{Caller: "you", Index: 1, List: "denies", Grant: 1, Field: "projects", Item: 0},
			},
			`"a.b"`,
		},
	}
	methods := compileDeclarations(t)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			policy, err := authz.Compile(tc.callers, methods)
			if err == nil || policy != nil {
				t.Fatalf("got %v, %v; want an error", policy, err)
			}
			var got []authz.Fault
			for _, fault := range authz.Faults(fmt.Errorf("policy.yaml: %w", err)) {
				got = append(got, *fault)
			}
			if diff := cmp.Diff(tc.want, got, cmpopts.IgnoreFields(authz.Fault{}, "Reason")); diff != "" {
				t.Fatalf("(-want +got)\n%s\n%v", diff, err)
			}
			if !strings.Contains(got[0].Reason, tc.reason) {
				t.Errorf("reason %q does not say %q", got[0].Reason, tc.reason)
			}
		})
	}
}

func TestCompileWithoutMethods(t *testing.T) {
	t.Parallel()
	if policy, err := authz.Compile(nil, nil); err == nil || policy != nil {
		t.Errorf("got %v, %v", policy, err)
	}
}

// TestPatternForms has the patterns that must not be taken for one of the legal
// forms; each would match something if it were.
func TestPatternForms(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	for _, pattern := range []string{
		"", " ", ".", "*.", ".*", "**", "*.*", "*.*.*", "**.read", "projects.**", "pro*", "projects.us*", "projects.*.read", "*.users.read",
		"*read", "projects*", "projects.users.*.*", "users..read", ".users.read", "users.read.", "Users.read", "users.Read", "USERS.*", "*.READ",
		" users.read", "users.read ", "users.read\n", "users.\x00read", "users.read,users.update", "úsers.read", "users．read", "*．read", "users.re?d", "users.[r]ead", "^users.read$", "users/read", "users.*\n",
		"1users.read", "users.1read", "_users.read", "*._read", "*.1read", "1.*",
	} {
		_, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{permissions(pattern)}}}, methods)
		faults := authz.Faults(err)
		if len(faults) != 1 || !strings.Contains(faults[0].Reason, "a permission is exact") {
			t.Errorf("%q: got %v, want a fault of form", pattern, err)
		}
	}
}

func TestFaultText(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	_, err := authz.Compile([]authz.Caller{{Name: "you"}, {Name: "me", Denies: grants{permissions("*", "nope.read")}}}, methods)
	const want = `callers[1] "me": denies[0].permissions[1]: "nope.read": no RPC needs such a permission`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = authz.Compile([]authz.Caller{{Name: "me", Grants: grants{permissions("project.*")}}, {Name: "you", Grants: grants{permissions("projects.raed")}}}, methods)
	for _, hint := range []string{`"project.*": no RPC needs such a permission; did you mean "projects.*"?`, `"projects.raed": no RPC needs such a permission; did you mean "projects.read"?`} {
		if err == nil || !strings.Contains(err.Error(), hint) {
			t.Errorf("got %v, want %s", err, hint)
		}
	}
	_, err = authz.Compile([]authz.Caller{{}}, methods)
	if err == nil || err.Error() != `callers[0]: name: is empty` {
		t.Errorf("got %v", err)
	}

	// What a policy says comes back short and in one line.
	const users, long = "users.read", 2000
	hostile := strings.Repeat("\n\x1b[31m\"é世\u202e\xff", 5000)
	_, err = authz.Compile([]authz.Caller{{Name: hostile, Grants: grants{
		{Permissions: words{hostile}, Projects: words{hostile, hostile}},
		{Permissions: words{users}, When: hostile},
		{Permissions: words{users}, When: "request." + strings.Repeat("a", long)},
		{Permissions: words{users}, When: `true "` + strings.Repeat("世", long)},
		{Permissions: words{users}, When: `true "` + strings.Repeat("世", long) + `"`},
		{Permissions: words{users}, When: `true "a` + strings.Repeat("世", long) + `"`},
		{Permissions: words{users}, When: `true "aa` + strings.Repeat("世", long) + `"`},
	}}}, methods)
	faults := authz.Faults(err)
	if len(faults) != 8 {
		t.Fatalf("got %d faults: %.2000v", len(faults), err)
	}
	for _, fault := range faults {
		text := fault.Error()
		if len(fault.Reason) > 512 || len(text) > 2048 || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || strings.ToValidUTF8(text, "") != text {
			t.Errorf("%d bytes of reason: %q", len(fault.Reason), text)
		}
	}
}

func TestFaultsOfOtherErrors(t *testing.T) {
	t.Parallel()
	fault := &authz.Fault{Field: "name"}
	for _, tc := range []struct {
		err  error
		want int
	}{{nil, 0}, {errors.New("x"), 0}, {fault, 1}, {fmt.Errorf("x: %w", fault), 1}, {errors.Join(fault, errors.New("x"), errors.Join(fault)), 2}} {
		if got := authz.Faults(tc.err); len(got) != tc.want {
			t.Errorf("%v: got %d, want %d", tc.err, len(got), tc.want)
		}
	}
}
