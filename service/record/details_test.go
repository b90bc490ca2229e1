package record

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

// TestDetails: values as they are written, and the difference between none and an
// empty list.
func TestDetails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		rpc     string
		request proto.Message
		want    []audit.Detail
	}{
		"an invitation": {"InviteService/CreateInvite", &adminv1.CreateInviteRequest{
			Email: "a@example.org", Role: adminv1.InviteRole_INVITE_ROLE_OWNER,
			Projects: &adminv1.InviteProjects{Values: []*adminv1.InviteProject{
				{Id: "proj_1", Role: adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_MEMBER}, {Id: "proj_2", Role: adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_OWNER},
			}},
		}, []audit.Detail{
			{Path: "email", Values: []string{"a@example.org"}}, {Path: "role", Values: []string{"owner"}},
			{Path: "projects.values.role", Values: []string{"member", "owner"}, List: true},
		}},
		"nothing is set": {"ProjectApiKeyService/UpdateProjectApiKey", &adminv1.UpdateProjectApiKeyRequest{ProjectId: "p", ApiKeyId: "k"}, nil},
		"all scopes": {"ProjectApiKeyService/UpdateProjectApiKey", &adminv1.UpdateProjectApiKeyRequest{
			Scopes: &adminv1.ApiKeyScopes{}, AllowAllScopes: true, ExpiresAt: timestamppb.New(time.Unix(86400, 0)),
		}, []audit.Detail{
			{Path: "scopes.values", List: true}, {Path: "allow_all_scopes", Values: []string{"true"}}, {Path: "expires_at", Values: []string{"1970-01-02T00:00:00Z"}},
		}},
		"a mask": {"ProjectService/UpdateProject", &adminv1.UpdateProjectRequest{ProjectId: "p", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"external_key_id"}}}, []audit.Detail{
			{Path: "update_mask", Values: []string{"external_key_id"}, List: true},
		}},
		"a map and a message without fields": {"WorkloadIdentityFederationRuleService/CreateWorkloadIdentityFederationRule", &adminv1.CreateWorkloadIdentityFederationRuleRequest{
			ServiceAccountId: "sa_1", Description: new("for people"),
			AttributeMatchers: map[string]*adminv1.WorkloadIdentityAttributeValue{
				"sub":  {Value: &adminv1.WorkloadIdentityAttributeValue_StringValue{StringValue: "repo:x"}},
				"beta": {Value: &adminv1.WorkloadIdentityAttributeValue_BoolValue{BoolValue: true}},
				"aud":  {Value: &adminv1.WorkloadIdentityAttributeValue_StringValue{StringValue: "y"}},
			},
			Permissions: &adminv1.WorkloadIdentityPermissions{Permissions: &adminv1.WorkloadIdentityPermissions_ServiceAccountDefault{ServiceAccountDefault: &adminv1.WorkloadIdentityServiceAccountDefault{}}},
		}, []audit.Detail{
			{Path: "service_account_id", Values: []string{"sa_1"}},
			{Path: "attribute_matchers.string_value", Values: []string{"aud=y", "sub=repo:x"}, List: true},
			{Path: "attribute_matchers.bool_value", Values: []string{"beta=true"}, List: true},
			{Path: "permissions.service_account_default", Values: []string{"set"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := detailsOf(test.request.ProtoReflect(), catalogtest.Method(t, test.rpc).RecordedRequest())
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// TestFingerprint: equal requests have equal ones, any difference makes another, and so
// does another key.
func TestFingerprint(t *testing.T) {
	t.Parallel()
	key, err := NewKey(make([]byte, KeyBytes))
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewKey(append(make([]byte, KeyBytes-1), 1))
	if err != nil {
		t.Fatal(err)
	}
	of := func(k Key, procedure, email string) string {
		request := &adminv1.CreateInviteRequest{Email: email, Role: adminv1.InviteRole_INVITE_ROLE_OWNER}
		text, err := k.Fingerprint(procedure, request.ProtoReflect())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	first := of(key, "/a.B/C", "a@example.org")
	if len(first) != 64 || first != of(key, "a.B/C", "a@example.org") {
		t.Errorf("%q", first)
	}
	for name, text := range map[string]string{
		"request": of(key, "/a.B/C", "b@example.org"), "procedure": of(key, "/a.B/D", "a@example.org"), "key": of(other, "/a.B/C", "a@example.org"),
	} {
		if text == first {
			t.Errorf("another %s makes no difference", name)
		}
	}
	if text := of(Key{}, "/a.B/C", "a"); text != "" {
		t.Errorf("%q without a key", text)
	}
	if _, err := NewKey(make([]byte, 31)); err == nil {
		t.Error("31 bytes are a key")
	}
}
