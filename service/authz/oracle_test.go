package authz_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// The oracle below is written from the text of the package's documentation. It
// compiles nothing, sorts nothing and shares nothing with what it checks.

// legalPattern and legalMatch are the four forms as regular expressions.
var legalPattern = regexp.MustCompile(`\A(\*|\*\.[a-z][a-z0-9_]*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?)\z`)

func oracleMatches(pattern, permission string) bool {
	return regexp.MustCompile(`\A` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `\z`).MatchString(permission)
}

// oracleCondition is a condition in CEL, for the requests that it compiles
// against, and the same in Go. A failure is "failed".
type oracleCondition struct {
	when string
	rpcs []string // nil: all
	is   func(request proto.Message) string
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

func oracleConditions() []oracleCondition {
	return []oracleCondition{
		{"true", nil, func(proto.Message) string { return "true" }},
		{"1 > 2", nil, func(proto.Message) string { return "false" }},
		{"1 / 0 == 1", nil, func(proto.Message) string { return "failed" }},
		{notOwner, []string{createInvite}, func(m proto.Message) string {
			request, ok := m.(*adminv1.CreateInviteRequest)
			return truth(ok && request.GetRole() != adminv1.InviteRole_INVITE_ROLE_OWNER)
		}},
		{`request.projects.values[0].id.startsWith("p")`, []string{createInvite}, func(m proto.Message) string {
			request, ok := m.(*adminv1.CreateInviteRequest)
			if !ok || len(request.GetProjects().GetValues()) == 0 {
				return "failed"
			}
			return truth(strings.HasPrefix(request.GetProjects().GetValues()[0].GetId(), "p"))
		}},
		{`request.project_ids.exists(p, p == "p1")`, []string{listCosts}, func(m proto.Message) string {
			request, ok := m.(*adminv1.ListCostsRequest)
			return truth(ok && slices.Contains(request.GetProjectIds(), "p1"))
		}},
		{`request.project_ids[1].lowerAscii() == "p1"`, []string{listCosts}, func(m proto.Message) string {
			request, ok := m.(*adminv1.ListCostsRequest)
			if !ok || len(request.GetProjectIds()) < 2 {
				return "failed"
			}
			return truth(request.GetProjectIds()[1] == "p1" || request.GetProjectIds()[1] == "P1")
		}},
		{`request.user_id == request.project_id`, []string{getRole}, func(m proto.Message) string {
			request, ok := m.(*adminv1.GetProjectUserRoleRequest)
			return truth(ok && request.GetUserId() == request.GetProjectId())
		}},
	}
}

// oracleRequests are the RPCs whose requests are drawn, with what they name:
// false for an RPC that concerns the organization.
func oracleProjects(m proto.Message) (ids []string, projects bool) {
	switch request := m.(type) {
	case *adminv1.GetProjectRequest:
		if request.GetProjectId() != "" {
			ids = append(ids, request.GetProjectId())
		}
	case *adminv1.GetProjectUserRoleRequest:
		if request.GetProjectId() != "" {
			ids = append(ids, request.GetProjectId())
		}
	case *adminv1.ListCostsRequest:
		ids = request.GetProjectIds()
	case *adminv1.CreateInviteRequest:
		for _, value := range request.GetProjects().GetValues() {
			ids = append(ids, value.GetId())
		}
	default:
		return nil, false
	}
	return ids, true
}

func oraclePermitted(g authz.Grant, permission string) bool {
	return slices.ContainsFunc(g.Permissions, func(pattern string) bool { return oracleMatches(pattern, permission) })
}

func oracleCondition1(g authz.Grant, request proto.Message) string {
	if g.When == "" {
		return "true"
	}
	for _, condition := range oracleConditions() {
		if condition.when == g.When {
			return condition.is(request)
		}
	}
	return "failed"
}

func oracleGrants(g authz.Grant, permission string, request proto.Message) (authz.Reason, string) {
	if !oraclePermitted(g, permission) {
		return authz.NoPermission, ""
	}
	ids, projects := oracleProjects(request)
	if g.Projects != nil {
		if !projects {
			return authz.OrganizationWide, ""
		}
		if len(ids) == 0 {
			return authz.ProjectMissing, ""
		}
		for _, id := range ids {
			if id == "" {
				return authz.ProjectMissing, ""
			}
			if !slices.Contains(g.Projects, id) {
				return authz.ProjectOutOfScope, id
			}
		}
	}
	return map[string]authz.Reason{"true": authz.Granted, "false": authz.ConditionFalse, "failed": authz.ConditionFailed}[oracleCondition1(g, request)], ""
}

func oracleDenies(g authz.Grant, permission string, request proto.Message) bool {
	if !oraclePermitted(g, permission) || oracleCondition1(g, request) == "false" {
		return false
	}
	if g.Projects == nil {
		return true
	}
	ids, projects := oracleProjects(request)
	if !projects {
		return false
	}
	touched := len(ids) == 0
	for _, id := range ids {
		touched = touched || id == "" || slices.ContainsFunc(g.Projects, func(project string) bool { return strings.EqualFold(project, id) })
	}
	return touched
}

func index(list string, i int) string { return list + "[" + string(rune('0'+i)) + "]" }

func oracleDecide(callers []authz.Caller, name, permission string, request proto.Message) authz.Decision {
	i := slices.IndexFunc(callers, func(c authz.Caller) bool { return c.Name == name })
	if i < 0 {
		return refused(authz.UnknownCaller, permission)
	}
	// From the nearest to the farthest.
	for _, reason := range []authz.Reason{
		authz.Granted, authz.ConditionFalse, authz.ConditionFailed, authz.ProjectOutOfScope, authz.ProjectMissing, authz.OrganizationWide,
	} {
		for n, grant := range callers[i].Grants {
			got, project := oracleGrants(grant, permission, request)
			if got != reason {
				continue
			}
			if reason != authz.Granted {
				return authz.Decision{Reason: reason, Permission: permission, Project: project}
			}
			for d, deny := range callers[i].Denies {
				if oracleDenies(deny, permission, request) {
					return denied(index("denies", d), permission)
				}
			}
			return granted(index("grants", n), permission)
		}
	}
	return refused(authz.NoPermission, permission)
}

func oracleMayCall(callers []authz.Caller, name, permission string) bool {
	i := slices.IndexFunc(callers, func(c authz.Caller) bool { return c.Name == name })
	if i < 0 || !slices.ContainsFunc(callers[i].Grants, func(g authz.Grant) bool { return oraclePermitted(g, permission) }) {
		return false
	}
	return !slices.ContainsFunc(callers[i].Denies, func(g authz.Grant) bool {
		return g.Projects == nil && g.When == "" && oraclePermitted(g, permission)
	})
}

// Names that differ in little.
var (
	drawnCallers  = []string{"a", "A", "a ", "ä", "a\u0308", "*", "a.*", "ß", "ＡＡ"}
	drawnProjects = []string{"p1", "P1", "p1 ", "p", "p10", "*", "p*", "пр", "p\u0131"}
	drawnPatterns = []string{
		"*", "*.read", "*.create", "projects.*", "projects.read", "projects.users.*", "projects.users.roles.*", "projects.users.roles.read",
		"costs.*", "costs.read", "invites.*", "invites.create", "users.*", "users.read", "*.assign",
	}
)

func drawGrant(t *rapid.T) authz.Grant {
	g := authz.Grant{Permissions: rapid.SliceOfN(rapid.SampledFrom(drawnPatterns), 1, 3).Draw(t, "permissions")}
	if rapid.Bool().Draw(t, "scoped") {
		g.Projects = rapid.SliceOfNDistinct(rapid.SampledFrom(drawnProjects), 1, 5, rapid.ID).Draw(t, "projects")
	}
	// One that compiles against all that the permissions match.
	conditions := []string{"", "", ""}
	for _, condition := range oracleConditions() {
		if condition.rpcs == nil || !slices.ContainsFunc(declarations(), func(m authz.Method) bool {
			return oraclePermitted(g, m.Permission) && !slices.Contains(condition.rpcs, strings.TrimPrefix(m.Procedure, "/admingateway.admin.v1."))
		}) {
			conditions = append(conditions, condition.when)
		}
	}
	g.When = rapid.SampledFrom(conditions).Draw(t, "when")
	return g
}

func drawCallers(t *rapid.T) []authz.Caller {
	var callers []authz.Caller
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(drawnCallers), 1, 4, rapid.ID).Draw(t, "names") {
		callers = append(callers, authz.Caller{
			Name:   name,
			Grants: rapid.SliceOfN(rapid.Custom(drawGrant), 0, 4).Draw(t, "grants"),
			Denies: rapid.SliceOfN(rapid.Custom(drawGrant), 0, 2).Draw(t, "denies"),
		})
	}
	return callers
}

func drawProject(t *rapid.T) string {
	return rapid.SampledFrom(append([]string{"", "p2"}, drawnProjects...)).Draw(t, "project")
}

func drawRequest(t *rapid.T) (rpc string, request proto.Message) {
	rpc = rapid.SampledFrom([]string{getProject, listProjects, listCosts, createInvite, getRole, "UserService/GetUser"}).Draw(t, "rpc")
	switch rpc {
	case getProject:
		return rpc, project(drawProject(t))
	case getRole:
		return rpc, &adminv1.GetProjectUserRoleRequest{ProjectId: drawProject(t), UserId: drawProject(t)}
	case listCosts:
		return rpc, costs(rapid.SliceOfN(rapid.Custom(drawProject), 0, 10).Draw(t, "filter")...)
	case createInvite:
		role := adminv1.InviteRole(rapid.Int32Range(0, 3).Draw(t, "role"))
		r := invite(role, rapid.SliceOfN(rapid.Custom(drawProject), 0, 3).Draw(t, "body")...)
		if rapid.Bool().Draw(t, "without") {
			r.Projects = nil
		}
		return rpc, r
	case listProjects:
		return rpc, allProjects()
	default:
		return rpc, &adminv1.GetUserRequest{UserId: drawProject(t)}
	}
}

// TestOracle compares the compiled policy with the oracle, on generated and on
// dynamic messages, and what is asked first with what is asked then.
func TestOracle(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	seen := make(map[authz.Reason]int)
	rapid.Check(t, func(t *rapid.T) {
		callers := drawCallers(t)
		policy, err := authz.Compile(callers, methods)
		if err != nil {
			t.Fatal(err)
		}
		// Mostly callers that the policy has: about others there is one decision.
		names := append([]string{""}, drawnCallers...)
		for _, c := range callers {
			names = append(names, slices.Repeat([]string{c.Name}, 2*len(drawnCallers))...)
		}
		for range 20 {
			name := rapid.SampledFrom(names).Draw(t, "caller")
			rpc, request := drawRequest(t)
			h, _ := methods.Lookup("/admingateway.admin.v1." + rpc)
			got, want := policy.Decide(name, h, request.ProtoReflect(), moment), oracleDecide(callers, name, h.Permission(), request)
			if got != want {
				t.Fatalf("%q, %s, %v:\n got %+v\nwant %+v\n%+v", name, rpc, request, got, want, callers)
			}
			if again := policy.Decide(name, h, dynamic(t, request), moment); again != got {
				t.Fatalf("%s: a dynamic message: got %+v, want %+v", rpc, again, got)
			}
			may := policy.MayCall(name, h)
			if may.Allowed != oracleMayCall(callers, name, h.Permission()) || !may.Allowed && got.Allowed {
				t.Fatalf("%q, %s: MayCall says %+v, Decide %+v\n%+v", name, rpc, may, got, callers)
			}
			seen[got.Reason]++
		}
	})
	for r := authz.UnknownCaller; r <= authz.Granted; r++ {
		if ofLeases := r == authz.RoleOutOfScope || r == authz.NotOwner; seen[r] == 0 && !ofLeases {
			t.Errorf("no decision was %v: %v", r, seen)
		}
	}
}

func dynamic(t *rapid.T, m proto.Message) *dynamicpb.Message {
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	message := dynamicpb.NewMessage(m.ProtoReflect().Descriptor())
	if err := proto.Unmarshal(wire, message); err != nil {
		t.Fatal(err)
	}
	return message
}

// drawPattern makes patterns that are legal, and nearly so.
func drawPattern(t *rapid.T) string {
	words := rapid.SampledFrom([]string{"*", "**", "projects", "users", "read", "Read", "", "us*", "ユーザ", "1x", "_", "x_1", "update", "roles"})
	return strings.Join(rapid.SliceOfN(words, 1, 4).Draw(t, "words"), rapid.SampledFrom([]string{".", ".", ".", "..", "/", ""}).Draw(t, "separator"))
}

// TestOraclePatterns compares which patterns are faults, and which permissions
// the others have.
func TestOraclePatterns(t *testing.T) {
	t.Parallel()
	methods, declared := compileDeclarations(t), declarations()
	rapid.Check(t, func(t *rapid.T) {
		pattern := rapid.OneOf(rapid.Custom(drawPattern), rapid.SampledFrom(drawnPatterns)).Draw(t, "pattern")
		known := slices.ContainsFunc(declared, func(m authz.Method) bool { return oracleMatches(pattern, m.Permission) })
		policy, err := authz.Compile([]authz.Caller{{Name: "me", Grants: grants{permissions(pattern)}}}, methods)
		if legal := legalPattern.MatchString(pattern); (err == nil) != (legal && known) {
			t.Fatalf("%q: got %v; legal %v, known %v", pattern, err, legal, known)
		}
		for _, m := range declared {
			h, _ := methods.Lookup(m.Procedure)
			if want := err == nil && oracleMatches(pattern, m.Permission); policy.MayCall("me", h).Allowed != want {
				t.Fatalf("%q: %s is not %v", pattern, m.Permission, want)
			}
		}
	})
}
