package authz_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// TestReachesAtAnyDepth: a value that reaches beyond the projects is found in a list of
// messages and in a list of texts, among others that do not.
func TestReachesAtAnyDepth(t *testing.T) {
	t.Parallel()
	methods, err := authz.NewMethods([]authz.Method{
		{
			Procedure: "/p.S/Invite", Permission: "invites.create", Request: descriptor(&adminv1.CreateInviteRequest{}),
			Projects: []string{"projects.values.id"}, Reaches: map[string][]string{"projects.values.role": {"member"}},
		},
		{
			Procedure: "/p.S/Role", Permission: "roles.update", Request: descriptor(&adminv1.UpdateProjectRoleRequest{}),
			Projects: []string{"project_id"}, Reaches: map[string][]string{"permissions.values": {"api.a.read", "api.b.read"}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	policy := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: grants{scoped("*", "p1")}})
	invite := func(roles ...adminv1.InviteProjectRole) *adminv1.CreateInviteRequest {
		request := &adminv1.CreateInviteRequest{Projects: &adminv1.InviteProjects{}}
		for _, role := range roles {
			request.Projects.Values = append(request.Projects.Values, &adminv1.InviteProject{Id: "p1", Role: role})
		}
		return request
	}
	update := func(permissions ...string) *adminv1.UpdateProjectRoleRequest {
		return &adminv1.UpdateProjectRoleRequest{ProjectId: "p1", Permissions: &adminv1.RolePermissions{Values: permissions}}
	}
	owner, member := adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_OWNER, adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_MEMBER
	for name, test := range map[string]struct {
		rpc     string
		request proto.Message
		want    authz.Reason
	}{
		"members":                {"Invite", invite(member, member), authz.Granted},
		"an owner among members": {"Invite", invite(member, owner, member), authz.OrganizationWide},
		"permissions":            {"Role", update("api.a.read", "api.b.read"), authz.Granted},
		"one more permission":    {"Role", update("api.a.read", "api.all"), authz.OrganizationWide},
		"none named":             {"Role", &adminv1.UpdateProjectRoleRequest{ProjectId: "p1"}, authz.Granted},
		"none left":              {"Role", update(), authz.Granted},
		"all cleared": {"Role", &adminv1.UpdateProjectRoleRequest{
			ProjectId: "p1", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"permissions"}},
		}, authz.OrganizationWide},
	} {
		h, _ := methods.Lookup("/p.S/" + test.rpc)
		if d := policy.Decide("me", h, test.request.ProtoReflect(), moment); d.Reason != test.want {
			t.Errorf("%s: %v, want %v", name, d.Reason, test.want)
		}
	}
}
