package service_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1/adminv1connect"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// TestAProjectGrantStaysInTheProject: a caller that may do everything in one project
// makes nobody an owner of the organization, takes no key of the organization, and lets no
// tokens act as an account that may be another project's.
func TestAProjectGrantStaysInTheProject(t *testing.T) {
	t.Parallel()
	up := new(sent)
	gw := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(`
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
    limits: $free
  - name: team
    authenticate: [{token_sha256: $team}]
    grants: [{permissions: ["*"], projects: [proj_a]}]
    limits: $free
`))
	invite := func(role adminv1.InviteRole) func(client *connect.Client) error {
		return func(client *connect.Client) error {
			_, err := adminv1connect.NewInviteServiceClient(client).CreateInvite(t.Context(), &adminv1.CreateInviteRequest{
				Email: "a@example.com", Role: role,
				Projects: &adminv1.InviteProjects{Values: []*adminv1.InviteProject{{Id: "proj_a", Role: adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_OWNER}}},
			})
			return err
		}
	}
	update := func(request *adminv1.UpdateProjectRequest) func(client *connect.Client) error {
		return func(client *connect.Client) error {
			_, err := adminv1connect.NewProjectServiceClient(client).UpdateProject(t.Context(), request)
			return err
		}
	}
	rule := func(client *connect.Client) error {
		_, err := adminv1connect.NewWorkloadIdentityFederationRuleServiceClient(client).CreateWorkloadIdentityFederationRule(t.Context(), &adminv1.CreateWorkloadIdentityFederationRuleRequest{
			WorkloadIdentityProviderId: "idp_1", ProjectId: "proj_a", ServiceAccountId: "sa_of_another_project",
			AttributeMatchers: map[string]*adminv1.WorkloadIdentityAttributeValue{"sub": {Value: &adminv1.WorkloadIdentityAttributeValue_StringValue{StringValue: "mine"}}},
		})
		return err
	}
	for name, test := range map[string]struct {
		call    func(client *connect.Client) error
		allowed bool
	}{
		"tokens for an account":        {rule, false},
		"an owner of the organization": {invite(adminv1.InviteRole_INVITE_ROLE_OWNER), false},
		"a reader":                     {invite(adminv1.InviteRole_INVITE_ROLE_READER), true},
		"a key of the organization":    {update(&adminv1.UpdateProjectRequest{ProjectId: "proj_a", ExternalKeyId: proto.String("key")}), false},
		"no such key any more":         {update(&adminv1.UpdateProjectRequest{ProjectId: "proj_a", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"external_key_id"}}}), false},
		"another name for the project": {update(&adminv1.UpdateProjectRequest{ProjectId: "proj_a", Name: proto.String("b")}), true},
	} {
		up.take()
		err := test.call(gw.Client("team"))
		asked := len(up.take())
		if test.allowed {
			if asked != 1 {
				t.Errorf("%s: asked %d times, %v", name, asked, err)
			}
			continue
		}
		if connect.CodeOf(err) != connect.CodePermissionDenied || reason(t, err) != rpcerror.ReasonPermissionDenied || !strings.Contains(err.Error(), "reaches beyond") || asked > 0 {
			t.Errorf("%s: asked %d times, %v", name, asked, err)
		}
		if err := test.call(gw.Client("root")); connect.CodeOf(err) == connect.CodePermissionDenied || len(up.take()) != 1 {
			t.Errorf("%s, of a caller without limits: %v", name, err)
		}
	}
}

// TestAMaskIsNoWayAroundADeny: a deny on a field that is there closes a request that
// clears the field, at the doors of Connect and at that of REST.
func TestAMaskIsNoWayAroundADeny(t *testing.T) {
	t.Parallel()
	up := new(sent)
	gw := gatewaytest.New(t, gatewaytest.WithUpstream(up), gatewaytest.WithPolicy(`
callers:
  - name: keeper
    authenticate: [{token_sha256: $keeper}]
    grants: [{permissions: [projects.update]}]
    denies: [{permissions: [projects.update], when: has(request.external_key_id)}]
    limits: $free
`))
	for name, test := range map[string]struct {
		request *adminv1.UpdateProjectRequest
		allowed bool
	}{
		"sets the key":      {&adminv1.UpdateProjectRequest{ProjectId: "proj_a", ExternalKeyId: proto.String("key")}, false},
		"clears the key":    {&adminv1.UpdateProjectRequest{ProjectId: "proj_a", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"external_key_id"}}}, false},
		"clears the region": {&adminv1.UpdateProjectRequest{ProjectId: "proj_a", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"geography"}}}, true},
	} {
		for door, transport := range map[string]connect.Transport{"in process": gw.InProcess(), "REST": gw.REST()} {
			up.take()
			_, err := adminv1connect.NewProjectServiceClient(gatewaytest.As("keeper", transport)).UpdateProject(t.Context(), test.request)
			if asked := len(up.take()); test.allowed != (asked == 1) || !test.allowed && connect.CodeOf(err) != connect.CodePermissionDenied {
				t.Errorf("%s, %s: asked %d times, %v", name, door, asked, err)
			}
		}
	}
}
