package catalog_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestInvalidationsMatchReads: the real catalog has no idle invalidation, and one
// of a file alone, whose reads are elsewhere, does.
func TestInvalidationsMatchReads(t *testing.T) {
	t.Parallel()
	if err := catalogtest.Gateway(t).CheckInvalidations(); err != nil {
		t.Error(err)
	}
	methods, err := catalog.New([]protoreflect.FileDescriptor{adminv1.File_admingateway_admin_v1_project_user_proto}, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = methods.CheckInvalidations()
	if want := `rpc admingateway.admin.v1.ProjectUserService.CreateProjectUser: invalidates "/organization/users", which no read matches`; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestStaleBy checks a few pairs that matter.
func TestStaleBy(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	for read, write := range map[string]string{
		"ProjectApiKeyService/ListProjectApiKeys":                             "ProjectServiceAccountService/DeleteProjectServiceAccount",
		"ProjectServiceAccountService/GetProjectServiceAccount":               "ProjectService/ArchiveProject",
		"GroupUserService/ListGroupUsers":                                     "UserService/DeleteUser",
		"UserRoleService/ListUserRoles":                                       "GroupRoleService/UnassignGroupRole",
		"ProjectHostedToolPermissionsService/GetProjectHostedToolPermissions": "ProjectHostedToolPermissionsService/UpdateProjectHostedToolPermissions",
	} {
		m, ok := methods.Lookup("/admingateway.admin.v1." + read)
		if !ok || !slices.ContainsFunc(m.StaleBy(), func(w *catalog.Method) bool { return w.ShortName() == write }) {
			t.Errorf("%s is not made stale by %s", read, write)
		}
	}
	// Every path of a read that is cached has something that makes it stale, but
	// for what grows by itself.
	for _, m := range methods.Mirrored() {
		grows := strings.HasPrefix(m.Permission, "usage.") || strings.HasPrefix(m.Permission, "costs.") || strings.HasPrefix(m.Permission, "audit_logs.")
		if m.Read && len(m.StaleBy()) == 0 != grows {
			t.Errorf("%s is made stale by %d writes", m.ShortName(), len(m.StaleBy()))
		}
	}
}
