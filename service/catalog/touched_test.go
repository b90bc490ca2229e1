package catalog_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestTouched: what each kind of write changes is found in its request, in the path and
// in the body, and reads change nothing.
func TestTouched(t *testing.T) {
	t.Parallel()
	key := func(project, id string) []catalog.Touched {
		return []catalog.Touched{{Thing: catalog.APIKey, ProjectID: project, ID: id}}
	}
	account := func(project, id string) []catalog.Touched {
		return []catalog.Touched{{Thing: catalog.ServiceAccount, ProjectID: project, ID: id}}
	}
	for name, test := range map[string]struct {
		request proto.Message
		want    []catalog.Touched
	}{
		"ProjectApiKeyService/DeleteProjectApiKey":                                   {&adminv1.DeleteProjectApiKeyRequest{ProjectId: "p", ApiKeyId: "k"}, key("p", "k")},
		"ProjectApiKeyService/UpdateProjectApiKey":                                   {&adminv1.UpdateProjectApiKeyRequest{ProjectId: "p", ApiKeyId: "k"}, key("p", "k")},
		"ProjectServiceAccountService/DeleteProjectServiceAccount":                   {&adminv1.DeleteProjectServiceAccountRequest{ProjectId: "p", ServiceAccountId: "a"}, account("p", "a")},
		"ProjectServiceAccountService/UpdateProjectServiceAccount":                   {&adminv1.UpdateProjectServiceAccountRequest{ProjectId: "p", ServiceAccountId: "a"}, account("p", "a")},
		"ProjectServiceAccountService/CreateProjectServiceAccountApiKey":             {&adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: "p", ServiceAccountId: "a"}, account("p", "a")},
		"ProjectUserRoleService/AssignProjectUserRole":                               {&adminv1.AssignProjectUserRoleRequest{ProjectId: "p", UserId: "a"}, account("p", "a")},
		"ProjectUserService/CreateProjectUser":                                       {&adminv1.CreateProjectUserRequest{ProjectId: "p", UserId: new("a")}, account("p", "a")},
		"GroupUserService/AddGroupUser":                                              {&adminv1.AddGroupUserRequest{GroupId: "g", UserId: "a"}, account("", "a")},
		"UserService/DeleteUser":                                                     {&adminv1.DeleteUserRequest{UserId: "a"}, account("", "a")},
		"WorkloadIdentityFederationRuleService/CreateWorkloadIdentityFederationRule": {&adminv1.CreateWorkloadIdentityFederationRuleRequest{ProjectId: "p", ServiceAccountId: "a"}, account("p", "a")},
		"ProjectService/UpdateProject":                                               {&adminv1.UpdateProjectRequest{ProjectId: "p"}, nil},
		"ProjectApiKeyService/GetProjectApiKey":                                      {&adminv1.GetProjectApiKeyRequest{ProjectId: "p", ApiKeyId: "k"}, nil},
	} {
		m := catalogtest.Method(t, name)
		if diff := cmp.Diff(test.want, m.Touched(test.request.ProtoReflect())); diff != "" || m.Touches() != (test.want != nil) {
			t.Errorf("%s touches %t: %s", name, m.Touches(), diff)
		}
	}
}

// TestEveryWriteThatCanTouchDoes: each write of the mirror whose path leads to a key of a
// project, an account or a user, or whose request names one, says so. The fields are
// found by what is in their names.
func TestEveryWriteThatCanTouchDoes(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, m := range catalogtest.Gateway(t).Methods() {
		names := false
		for i := range m.Request.Descriptor().Fields().Len() {
			name := string(m.Request.Descriptor().Fields().Get(i).Name())
			names = names || strings.HasSuffix(name, "_id") && (strings.Contains(name, "api_key") || strings.Contains(name, "service_account") || strings.Contains(name, "user"))
		}
		if m.Source == catalog.Upstream {
			template := strings.ReplaceAll(m.Endpoint.Template(), "/admin_api_keys/", "/")
			names = names || strings.Contains(template, "api_keys/{") || strings.Contains(template, "service_accounts/{") || strings.Contains(template, "users/{")
		}
		if want := names && !m.Read && m.Source == catalog.Upstream; m.Touches() != want {
			t.Errorf("%s touches: %t, want %t", m.ShortName(), m.Touches(), want)
		}
		if m.Touches() {
			found[m.ShortName()] = true
		}
	}
	if len(found) < 15 {
		t.Errorf("only %q", slices.Sorted(maps.Keys(found)))
	}
}

// TestThingsOfAnotherName: a path that leads to a thing by a field that does not name it
// is a fault, and not a way around the protection.
func TestThingsOfAnotherName(t *testing.T) {
	t.Parallel()
	d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_project_proto)
	catalogtest.EditHTTP(t, d.Method(t, "UpdateProject"), func(rule *annotations.HttpRule) {
		rule.Pattern = &annotations.HttpRule_Post{Post: "/organization/service_accounts/{project_id}"}
	})
	_, err := catalog.New([]protoreflect.FileDescriptor{d.Build(t)}, nil)
	if err == nil || !strings.Contains(err.Error(), "path variable {project_id} names a service_account") {
		t.Errorf("%v", err)
	}
}
