package service_test

import (
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
)

// denialsPolicy refuses a call for every reason that there is. Whatever it says has the
// word "hidden" in it, or is a number that nothing else has.
const denialsPolicy = `
callers:
  - name: hidden-neighbour
    limits: $free
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
  - name: nothing
    limits: $free
    authenticate: [{token_sha256: $nothing}]
    grants: [{permissions: [reflection.read]}, {permissions: [groups.read]}]
  - name: elsewhere
    limits: $free
    authenticate: [{token_sha256: $elsewhere}]
    grants: [{permissions: [reflection.read]}, {permissions: ["*"], projects: [proj_hidden]}]
  - name: condition
    limits: $free
    authenticate: [{token_sha256: $condition}]
    grants: [{permissions: [reflection.read]}, {permissions: ["*"], when: "'hidden' == '918273645'"}]
  - name: failing
    limits: $free
    authenticate: [{token_sha256: $failing}]
    grants: [{permissions: [reflection.read]}, {permissions: ["*"], when: "1/int(918273645-918273645) == 1"}]
  - name: denied
    limits: $free
    authenticate: [{token_sha256: $denied}]
    grants: [{permissions: [reflection.read]}, {permissions: ["*"]}]
    denies: [{permissions: [reflection.read]}, {permissions: ["*"]}]
  - name: sometimes
    limits: $free
    authenticate: [{token_sha256: $sometimes}]
    grants: [{permissions: ["*"]}]
    denies: [{permissions: [reflection.read]}, {permissions: ["*"], when: "'hidden' != '918273645'"}]
`

// TestDenialsNameNoGrant: whatever the reason of a refusal is, and at every door, the
// caller does not learn which rule refused it, nor what it says, nor of other callers.
func TestDenialsNameNoGrant(t *testing.T) {
	t.Parallel()
	gw := gatewaytest.New(t, gatewaytest.WithPolicy(denialsPolicy))
	hidden := []string{"hidden", "918273645", "grants", "denies", "[0]", "[1]", "reflection", "groups.read", "when", admissiontest.TokenOf("root")}
	reasons := map[string]bool{}
	for method, request := range map[string]proto.Message{
		"ProjectService/GetProject":    &adminv1.GetProjectRequest{ProjectId: "proj_1"},
		"CostService/ListCosts":        &adminv1.ListCostsRequest{StartTime: timestamppb.New(tourNow)},
		"UserService/ListUsers":        &adminv1.ListUsersRequest{},
		"ProjectService/CreateProject": &adminv1.CreateProjectRequest{Name: "new"},
		"InviteService/CreateInvite":   &adminv1.CreateInviteRequest{Email: "a@example.com", Role: adminv1.InviteRole_INVITE_ROLE_READER},
	} {
		m := catalogtest.Method(t, method)
		for _, caller := range []string{"nothing", "elsewhere", "condition", "failing", "denied", "sometimes"} {
			for _, d := range doors {
				err := gatewaytest.As(caller, gw.Transport(d)).CallUnary(t.Context(), m.Spec(), request, m.Response.New().Interface())
				if connect.CodeOf(err) != connect.CodePermissionDenied {
					t.Errorf("%s as %s through %s: %v", method, caller, d.Name, err)
					continue
				}
				said := everything(err)
				if d.REST {
					said += string(gw.LastREST().Body)
				}
				for _, word := range hidden {
					if strings.Contains(said, word) {
						t.Errorf("%s as %s through %s says %q: %s", method, caller, d.Name, word, said)
					}
				}
			}
			reasons[gw.Records.Last().Reason] = true
		}
	}
	for _, reason := range []string{"no_permission", "project_out_of_scope", "project_missing", "organization_wide", "condition_false", "condition_failed", "denied"} {
		if !reasons[reason] {
			t.Errorf("no call was refused with %s", reason)
		}
	}
	if gw.Asked.Load() != 0 {
		t.Errorf("the upstream was asked %d times", gw.Asked.Load())
	}
}
