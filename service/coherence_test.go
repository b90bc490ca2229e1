package service_test

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/readcache"
)

// TestTagsSayWhatTemplatesSay compares the tags, for any write and any read, with
// what the declaration means when it is read slowly: segment by segment.
func TestTagsSayWhatTemplatesSay(t *testing.T) {
	t.Parallel()
	methods := realCatalog(t)
	var reads, writes []*catalog.Method
	for _, m := range methods.Mirrored() {
		if m.Read {
			reads = append(reads, m)
		} else {
			writes = append(writes, m)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		write, read := rapid.SampledFrom(writes).Draw(t, "write"), rapid.SampledFrom(reads).Draw(t, "read")
		written, asked := randomIDs(t, write, true), randomIDs(t, read, false)
		want := slices.ContainsFunc(write.Invalidates, func(i catalog.Invalidation) bool {
			return makesStale(i, written, pathOf(read, asked))
		})
		readTags := readcache.Tags(read, asked)
		got := slices.ContainsFunc(readcache.Tags(write, written), func(tag string) bool { return slices.Contains(readTags, tag) })
		if got != want {
			t.Fatalf("%s %v makes %s stale: %t by its tags %q and %q, %t by its templates %v",
				write.ShortName(), written, pathOf(read, asked), got, readcache.Tags(write, written), readTags, want, write.Invalidates)
		}
		if want && !slices.Contains(read.StaleBy(), write) {
			t.Fatalf("%s is not among those that make %s stale", write.ShortName(), read.ShortName())
		}
	})
}

// randomIDs fills the string fields from a few values, so that they often meet;
// those of a write's body may be empty.
func randomIDs(t *rapid.T, m *catalog.Method, mayBeEmpty bool) protoreflect.Message {
	request := m.Request.New()
	fields := request.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		if fd.Kind() != protoreflect.StringKind || fd.IsList() {
			continue
		}
		values := []string{"a", "b", "c"}
		if mayBeEmpty && !slices.Contains(m.Endpoint.Variables(), fd) {
			values = append(values, "")
		}
		if value := rapid.SampledFrom(values).Draw(t, string(fd.Name())); value != "" {
			request.Set(fd, protoreflect.ValueOfString(value))
		}
	}
	return request
}

// pathOf is where a read asks.
func pathOf(m *catalog.Method, request protoreflect.Message) string {
	path := m.Endpoint.Template()
	for _, variable := range m.Endpoint.Variables() {
		path = strings.Replace(path, "{"+string(variable.Name())+"}", request.Get(variable).String(), 1)
	}
	return path
}

// makesStale reads an invalidation as docs/architecture.md explains it.
func makesStale(i catalog.Invalidation, written protoreflect.Message, path string) bool {
	template, segments := strings.Split(i.Template, "/"), strings.Split(path, "/")
	if len(segments) < len(template) || i.Exact && len(segments) != len(template) {
		return false
	}
	for n, want := range template {
		if strings.HasPrefix(want, "{") {
			want = written.Get(written.Descriptor().Fields().ByName(protoreflect.Name(strings.Trim(want, "{}")))).String()
			if want == "" {
				want = "*"
			}
		}
		if want != "*" && want != segments[n] {
			return false
		}
	}
	return true
}

// TestInvalidationsMatchReads: the real catalog has no idle invalidation, and one
// of a file alone, whose reads are elsewhere, does.
func TestInvalidationsMatchReads(t *testing.T) {
	t.Parallel()
	if err := realCatalog(t).CheckInvalidations(); err != nil {
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

// TestStaleBy looks at a few that matter.
func TestStaleBy(t *testing.T) {
	t.Parallel()
	methods := realCatalog(t)
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
