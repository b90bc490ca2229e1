package authz_test

import (
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

type (
	grants = []authz.Grant
	words  = []string
)

// granted and refused are the decisions of the tables below.
func granted(grant, permission string) authz.Decision {
	return authz.Decision{Allowed: true, Grant: grant, Reason: authz.Granted, Permission: permission}
}

func refused(reason authz.Reason, permission string) authz.Decision {
	return authz.Decision{Reason: reason, Permission: permission}
}

func outOfScope(project, permission string) authz.Decision {
	return authz.Decision{Reason: authz.ProjectOutOfScope, Permission: permission, Project: project}
}

func denied(deny, permission string) authz.Decision {
	return authz.Decision{Grant: deny, Reason: authz.Denied, Permission: permission}
}

func invite(role adminv1.InviteRole, projects ...string) *adminv1.CreateInviteRequest {
	request := &adminv1.CreateInviteRequest{Email: "someone@example.com", Role: role, Projects: &adminv1.InviteProjects{}}
	for _, id := range projects {
		request.Projects.Values = append(request.Projects.Values, &adminv1.InviteProject{Id: id, Role: adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_MEMBER})
	}
	return request
}

const (
	getProject   = "ProjectService/GetProject"
	listProjects = "ProjectService/ListProjects"
	listCosts    = "CostService/ListCosts"
	createInvite = "InviteService/CreateInvite"
	getRole      = "ProjectUserRoleService/GetProjectUserRole"
	reader       = adminv1.InviteRole_INVITE_ROLE_READER
	owner        = adminv1.InviteRole_INVITE_ROLE_OWNER
	notOwner     = `request.role != InviteRole.INVITE_ROLE_OWNER`
	notAnInt     = `int(request.email) > 0` // fails, for an address is not a number
)

func project(id string) proto.Message   { return &adminv1.GetProjectRequest{ProjectId: id} }
func costs(ids ...string) proto.Message { return &adminv1.ListCostsRequest{ProjectIds: ids} }
func roleIn(project string) proto.Message {
	return &adminv1.GetProjectUserRoleRequest{ProjectId: project}
}
func allProjects() proto.Message          { return &adminv1.ListProjectsRequest{} }
func permissions(p ...string) authz.Grant { return authz.Grant{Permissions: p} }
func scoped(p string, ids ...string) authz.Grant {
	return authz.Grant{Permissions: words{p}, Projects: ids}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	const read, costsRead, invites = "projects.read", "costs.read", "invites.create"
	cases := []struct {
		name           string
		grants, denies grants
		rpc            string
		request        proto.Message
		want           authz.Decision
	}{
		// Permissions.
		{"nothing granted", nil, nil, getProject, project("p1"), refused(authz.NoPermission, read)},
		{"exact", grants{permissions("projects.read")}, nil, getProject, project("p1"), granted("grants[0]", read)},
		{"another", grants{permissions("projects.update", "users.read")}, nil, getProject, project("p1"), refused(authz.NoPermission, read)},
		{"resource", grants{permissions("users.*"), permissions("projects.*")}, nil, getProject, project("p1"), granted("grants[1]", read)},
		{"resource with all below", grants{permissions("projects.users.*")}, nil, getRole, roleIn("p1"), granted("grants[0]", "projects.users.roles.read")},
		{"resource without its parent", grants{permissions("projects.users.*")}, nil, getProject, project("p1"), refused(authz.NoPermission, read)},
		{"verb", grants{permissions("*.read")}, nil, getRole, roleIn("p1"), granted("grants[0]", "projects.users.roles.read")},
		{"another verb", grants{permissions("*.create")}, nil, getProject, project("p1"), refused(authz.NoPermission, read)},
		{"all", grants{permissions("*")}, nil, createInvite, invite(owner), granted("grants[0]", invites)},
		{"the first grant that allows", grants{permissions("users.read"), permissions("*"), permissions("projects.read")}, nil, getProject, project("p1"), granted("grants[1]", read)},

		// Projects.
		{"in scope", grants{scoped("*", "p1", "p2")}, nil, getProject, project("p2"), granted("grants[0]", read)},
		{"out of scope", grants{scoped("*", "p1", "p2")}, nil, getProject, project("p3"), outOfScope("p3", read)},
		{"another case", grants{scoped("*", "proj_a")}, nil, getProject, project("proj_A"), outOfScope("proj_A", read)},
		{"a prefix", grants{scoped("*", "proj_a")}, nil, getProject, project("proj_ab"), outOfScope("proj_ab", read)},
		{"no pattern", grants{scoped("*", "*")}, nil, getProject, project("p1"), outOfScope("p1", read)},
		{"not named", grants{scoped("*", "p1")}, nil, getProject, project(""), refused(authz.ProjectMissing, read)},
		{"organization", grants{scoped("*", "p1")}, nil, listProjects, allProjects(), refused(authz.OrganizationWide, read)},
		{"no filter", grants{scoped("*", "p1")}, nil, listCosts, costs(), refused(authz.ProjectMissing, costsRead)},
		{"filter", grants{scoped("*", "p2", "p1")}, nil, listCosts, costs("p1", "p2", "p1"), granted("grants[0]", costsRead)},
		{"filter with another", grants{scoped("*", "p1")}, nil, listCosts, costs("p1", "p2", "p3"), outOfScope("p2", costsRead)},
		{"filter with an empty one", grants{scoped("*", "p1")}, nil, listCosts, costs("p1", ""), refused(authz.ProjectMissing, costsRead)},
		{"filter of more than fit", grants{scoped("*", "p1")}, nil, listCosts, costs("p1", "p1", "p1", "p1", "p1", "p1", "p1", "p1", "p1", "p2"), outOfScope("p2", costsRead)},
		{"projects of two grants", grants{scoped("*", "p1"), scoped("*", "p2")}, nil, listCosts, costs("p1", "p2"), outOfScope("p2", costsRead)},
		{"body", grants{scoped("*", "p1", "p2")}, nil, createInvite, invite(reader, "p1", "p2"), granted("grants[0]", invites)},
		{"body with another", grants{scoped("*", "p1")}, nil, createInvite, invite(reader, "p1", "p2"), outOfScope("p2", invites)},
		{"body with an empty one", grants{scoped("*", "p1")}, nil, createInvite, invite(reader, "p1", ""), refused(authz.ProjectMissing, invites)},
		{"body with an empty list", grants{scoped("*", "p1")}, nil, createInvite, invite(reader), refused(authz.ProjectMissing, invites)},
		{"body without", grants{scoped("*", "p1")}, nil, createInvite, &adminv1.CreateInviteRequest{}, refused(authz.ProjectMissing, invites)},

		// Conditions.
		{"true", grants{{Permissions: words{"invites.create"}, When: notOwner}}, nil, createInvite, invite(reader), granted("grants[0]", invites)},
		{"false", grants{{Permissions: words{"invites.create"}, When: notOwner}}, nil, createInvite, invite(owner), refused(authz.ConditionFalse, invites)},
		{"fails", grants{{Permissions: words{"invites.create"}, When: notAnInt}}, nil, createInvite, invite(reader), refused(authz.ConditionFailed, invites)},
		{"fails, and another allows", grants{{Permissions: words{"invites.create"}, When: notAnInt}, permissions("*")}, nil, createInvite, invite(reader), granted("grants[1]", invites)},
		{"true and out of scope", grants{{Permissions: words{"invites.create"}, Projects: words{"p1"}, When: notOwner}}, nil, createInvite, invite(reader, "p2"), outOfScope("p2", invites)},
		{"false and in scope", grants{{Permissions: words{"invites.create"}, Projects: words{"p1"}, When: notOwner}}, nil, createInvite, invite(owner, "p1"), refused(authz.ConditionFalse, invites)},

		// What came nearest.
		{
			"nearest is the condition",
			grants{scoped("*", "p1"), {Permissions: words{"invites.create"}, When: notAnInt}, {Permissions: words{"invites.create"}, When: notOwner}, scoped("*", "p3")},
			nil, createInvite, invite(owner, "p2"), refused(authz.ConditionFalse, invites),
		},
		{"nearest is the failure", grants{scoped("*", "p1"), {Permissions: words{"invites.create"}, When: notAnInt}}, nil, createInvite, invite(reader, "p2"), refused(authz.ConditionFailed, invites)},
		{"the first of the nearest", grants{permissions("users.read"), scoped("*", "p1"), scoped("*", "p2")}, nil, listCosts, costs("p2", "p1"), outOfScope("p2", costsRead)},

		// Denies.
		{"denied", grants{permissions("*")}, grants{permissions("users.*"), permissions("projects.read")}, getProject, project("p1"), denied("denies[1]", read)},
		{"denied another", grants{permissions("*")}, grants{permissions("projects.update")}, getProject, project("p1"), granted("grants[0]", read)},
		{"neither granted nor allowed", grants{permissions("users.*")}, grants{permissions("*")}, getProject, project("p1"), refused(authz.NoPermission, read)},
		{"denied a project", grants{permissions("*")}, grants{scoped("*", "p1", "p2")}, getProject, project("p2"), denied("denies[0]", read)},
		{"denied another project", grants{permissions("*")}, grants{scoped("*", "p1")}, getProject, project("p2"), granted("grants[0]", read)},
		{"denied a project in a filter", grants{permissions("*")}, grants{scoped("*", "p1")}, listCosts, costs("p2", "p1"), denied("denies[0]", costsRead)},
		{"denied a project by no filter", grants{permissions("*")}, grants{scoped("*", "p1")}, listCosts, costs(), denied("denies[0]", costsRead)},
		{"denied a project by an empty filter", grants{permissions("*")}, grants{scoped("*", "p1")}, listCosts, costs(""), denied("denies[0]", costsRead)},
		{"denied a project in a body", grants{permissions("*")}, grants{scoped("*", "p1")}, createInvite, invite(reader, "p2", "p1"), denied("denies[0]", invites)},
		{"denied a project by no body", grants{permissions("*")}, grants{scoped("*", "p1")}, createInvite, &adminv1.CreateInviteRequest{}, denied("denies[0]", invites)},
		{"denied a project, organization", grants{permissions("*")}, grants{scoped("*", "p1")}, listProjects, allProjects(), granted("grants[0]", read)},
		{"denied when true", grants{permissions("*")}, grants{{Permissions: words{"invites.create"}, When: "!(" + notOwner + ")"}}, createInvite, invite(owner), denied("denies[0]", invites)},
		{"denied when false", grants{permissions("*")}, grants{{Permissions: words{"invites.create"}, When: "!(" + notOwner + ")"}}, createInvite, invite(reader), granted("grants[0]", invites)},
		{"denied when it fails", grants{permissions("*")}, grants{{Permissions: words{"invites.create"}, When: notAnInt}}, createInvite, invite(reader), denied("denies[0]", invites)},
		{
			"denied when true in another project", grants{permissions("*")},
			grants{{Permissions: words{"invites.create"}, Projects: words{"p1"}, When: notOwner}}, createInvite, invite(reader, "p2"), granted("grants[0]", invites),
		},
	}
	methods := compileDeclarations(t)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			policy := compilePolicy(t, methods, authz.Caller{Name: "other", Grants: grants{permissions("*")}}, authz.Caller{Name: "me", Grants: tc.grants, Denies: tc.denies})
			h := handle(t, methods, tc.rpc)
			if diff := cmp.Diff(tc.want, policy.Decide("me", h, tc.request.ProtoReflect(), moment)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if tc.want.Allowed && !policy.MayCall("me", h).Allowed {
				t.Error("MayCall refuses what Decide allows")
			}
		})
	}
}

func TestMayCall(t *testing.T) {
	t.Parallel()
	const read = "projects.read"
	may := authz.Decision{Allowed: true, Reason: authz.Granted, Permission: read}
	cases := []struct {
		name           string
		grants, denies grants
		want           authz.Decision
	}{
		{"nothing granted", nil, nil, refused(authz.NoPermission, read)},
		{"another", grants{permissions("projects.update")}, nil, refused(authz.NoPermission, read)},
		{"granted", grants{permissions("*.read")}, nil, may},
		{"in a project", grants{scoped("*", "p1")}, nil, may},
		{"on a condition", grants{{Permissions: words{"projects.read"}, When: "false"}}, nil, may},
		{"denied", grants{permissions("*")}, grants{permissions("users.*"), permissions("*.read")}, denied("denies[1]", read)},
		{"denied another", grants{permissions("*")}, grants{permissions("*.update")}, may},
		{"denied in a project", grants{permissions("*")}, grants{scoped("*", "p1")}, may},
		{"denied on a condition", grants{permissions("*")}, grants{{Permissions: words{"*"}, When: "true"}}, may},
		{"only denied", nil, grants{permissions("*")}, refused(authz.NoPermission, read)},
	}
	methods := compileDeclarations(t)
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			policy := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: tc.grants, Denies: tc.denies})
			if diff := cmp.Diff(tc.want, policy.MayCall("me", handle(t, methods, getProject))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestWhatIsWrongRefuses asks with everything that a caller of this package
// could get wrong. The policy allows all.
func TestWhatIsWrongRefuses(t *testing.T) {
	t.Parallel()
	methods, others := compileDeclarations(t), compileDeclarations(t)
	policy := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: grants{permissions("*")}})
	h, foreign := handle(t, methods, getProject), handle(t, others, getProject)
	request := project("p1").ProtoReflect()
	var none *adminv1.GetProjectRequest
	cases := []struct {
		name    string
		policy  *authz.Policy
		caller  string
		handle  *authz.Handle
		request protoreflect.Message
		want    authz.Decision
	}{
		{"nothing", policy, "me", h, request, granted("grants[0]", "projects.read")},
		{"no policy", nil, "me", h, request, refused(authz.UnknownCaller, "projects.read")},
		{"empty policy", compilePolicy(t, methods), "me", h, request, refused(authz.UnknownCaller, "projects.read")},
		{"zero policy", &authz.Policy{}, "me", h, request, refused(authz.NoPermission, "projects.read")},
		{"no caller", policy, "", h, request, refused(authz.UnknownCaller, "projects.read")},
		{"another case", policy, "Me", h, request, refused(authz.UnknownCaller, "projects.read")},
		{"more than the name", policy, "me\x00", h, request, refused(authz.UnknownCaller, "projects.read")},
		{"no method", policy, "me", nil, request, refused(authz.NoPermission, "")},
		{"zero method", policy, "me", &authz.Handle{}, request, refused(authz.NoPermission, "")},
		{"another set's method", policy, "me", foreign, request, refused(authz.NoPermission, "projects.read")},
		{"no request", policy, "me", h, nil, refused(authz.ConditionFailed, "projects.read")},
		{"nil request", policy, "me", h, none.ProtoReflect(), refused(authz.ConditionFailed, "projects.read")},
		{"another request", policy, "me", h, allProjects().ProtoReflect(), refused(authz.ConditionFailed, "projects.read")},
		{"the response", policy, "me", h, (&adminv1.GetProjectResponse{}).ProtoReflect(), refused(authz.ConditionFailed, "projects.read")},
		{"a dynamic request", policy, "me", h, dynamicpb.NewMessage(request.Descriptor()), granted("grants[0]", "projects.read")},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(tc.want, tc.policy.Decide(tc.caller, tc.handle, tc.request, moment)); diff != "" {
				t.Errorf("Decide (-want +got)\n%s", diff)
			}
			if tc.want.Reason == authz.UnknownCaller || tc.want.Reason == authz.NoPermission {
				if diff := cmp.Diff(tc.want, tc.policy.MayCall(tc.caller, tc.handle)); diff != "" {
					t.Errorf("MayCall (-want +got)\n%s", diff)
				}
			}
		})
	}
	if (authz.Decision{}).Allowed {
		t.Error("the zero decision allows")
	}
}

// TestPolicyKeepsNothingOfItsSource changes what was compiled.
func TestPolicyKeepsNothingOfItsSource(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	callers := []authz.Caller{{Name: "me", Grants: grants{scoped("projects.read", "p2", "p1")}}}
	policy := compilePolicy(t, methods, callers...)
	callers[0].Name, callers[0].Grants[0].Projects[0], callers[0].Grants[0].Permissions[0] = "you", "p3", "users.read"
	h := handle(t, methods, getProject)
	if d := policy.Decide("me", h, project("p2").ProtoReflect(), moment); !d.Allowed {
		t.Errorf("p2: %+v", d)
	}
	if d := policy.Decide("me", h, project("p3").ProtoReflect(), moment); d.Allowed {
		t.Errorf("p3: %+v", d)
	}
}

// TestConcurrentUse is for the race detector.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	policy := compilePolicy(t, methods, authz.Caller{
		Name:   "me",
		Grants: grants{{Permissions: words{"invites.create"}, Projects: words{"p1"}, When: notOwner + ` && request.projects.values.all(p, p.role == InviteProjectRole.INVITE_PROJECT_ROLE_MEMBER)`}},
	})
	h := handle(t, methods, createInvite)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				yes := policy.Decide("me", h, invite(reader, "p1").ProtoReflect(), moment)
				no := policy.Decide("me", h, invite(owner, "p1").ProtoReflect(), moment)
				if !yes.Allowed || no.Reason != authz.ConditionFalse {
					t.Errorf("got %+v and %+v", yes, no)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestReasonString(t *testing.T) {
	t.Parallel()
	seen := make(map[string]authz.Reason)
	for r := authz.UnknownCaller; r <= authz.Granted; r++ {
		if other, ok := seen[r.String()]; ok || r.String() == "unknown" {
			t.Errorf("%d: %q is also %d", r, r, other)
		}
		seen[r.String()] = r
	}
	if got := (authz.Granted + 1).String(); got != "unknown" {
		t.Errorf("got %q", got)
	}
}
