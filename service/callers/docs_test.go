package callers_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/service/catalog"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/callers"
)

// documented are the policies of docs/authorization.md, by caller.
func documented(t *testing.T, methods *catalog.Catalog) map[string]*callers.Set {
	t.Helper()
	page, err := os.ReadFile("../../docs/authorization.md")
	if err != nil {
		t.Fatal(err)
	}
	sets := make(map[string]*callers.Set)
	for i, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		if !strings.HasPrefix(block, "callers:") {
			continue
		}
		block = strings.ReplaceAll(block, "$TOKEN_SHA256", strings.Repeat("ab", 32))
		set, err := callers.Parse(fmt.Sprintf("block %d", i), []byte(block), callers.Rules{Methods: methods.Access()})
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range set.Callers() {
			sets[name] = set
		}
	}
	return sets
}

// TestExamplePolicies: each policy of the page is a file of examples/policies too,
// but for the hash, and no other difference.
func TestExamplePolicies(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/authorization.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../examples/policies/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		block := regexp.MustCompile(`token_sha256: [0-9a-f]{64}`).ReplaceAllString(string(text), "token_sha256: $$TOKEN_SHA256")
		if !strings.Contains(string(page), "```yaml\n"+block+"```\n") {
			t.Errorf("%s is not on the page", file)
		}
	}
	if documented := strings.Count(string(page), "```yaml\ncallers:"); documented != len(files) {
		t.Errorf("%d policies on the page, %d files", documented, len(files))
	}
}

// TestDocumentedPolicies: the policies to start from are policies, and open what
// the page says and no more.
func TestDocumentedPolicies(t *testing.T) {
	t.Parallel()
	methods, err := catalog.New(catalog.Files(), nil)
	if err != nil {
		t.Fatal(err)
	}
	sets := documented(t, methods)
	owner, member := adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_OWNER, adminv1.InviteProjectRole_INVITE_PROJECT_ROLE_MEMBER
	invite := func(role adminv1.InviteRole, projects ...adminv1.InviteProjectRole) *adminv1.CreateInviteRequest {
		request := &adminv1.CreateInviteRequest{Email: "a@example.com", Role: role, Projects: &adminv1.InviteProjects{}}
		for _, role := range projects {
			request.Projects.Values = append(request.Projects.Values, &adminv1.InviteProject{Id: "proj_a", Role: role})
		}
		return request
	}
	reader, organizationOwner := adminv1.InviteRole_INVITE_ROLE_READER, adminv1.InviteRole_INVITE_ROLE_OWNER
	for _, test := range []struct {
		caller, rpc string
		request     proto.Message
		want        bool
	}{
		{"auditor", "ProjectService/GetProject", &adminv1.GetProjectRequest{ProjectId: "proj_x"}, true},
		{"auditor", "AuditLogService/ListAuditLogs", &adminv1.ListAuditLogsRequest{}, true},
		{"auditor", "ProjectService/CreateProject", &adminv1.CreateProjectRequest{Name: "x"}, false},
		{"billing", "CostService/ListCosts", &adminv1.ListCostsRequest{}, true},
		{"billing", "UsageService/ListCompletionsUsage", &adminv1.ListCompletionsUsageRequest{}, true},
		{"billing", "UserService/ListUsers", &adminv1.ListUsersRequest{}, false},
		{"team-search", "ProjectService/UpdateProject", &adminv1.UpdateProjectRequest{ProjectId: "proj_search"}, true},
		{"team-search", "ProjectService/UpdateProject", &adminv1.UpdateProjectRequest{ProjectId: "proj_other"}, false},
		{"team-search", "ProjectService/ArchiveProject", &adminv1.ArchiveProjectRequest{ProjectId: "proj_search"}, false},
		{"team-search", "ProjectService/ListProjects", &adminv1.ListProjectsRequest{}, false},
		{"team-search", "CostService/ListCosts", &adminv1.ListCostsRequest{ProjectIds: []string{"proj_search"}}, true},
		{"team-search", "CostService/ListCosts", &adminv1.ListCostsRequest{ProjectIds: []string{"proj_search", "proj_other"}}, false},
		{"team-search", "CostService/ListCosts", &adminv1.ListCostsRequest{}, false},
		{"team-search", "ProjectUserService/CreateProjectUser", &adminv1.CreateProjectUserRequest{ProjectId: "proj_search", Role: "member"}, true},
		{"team-search", "ProjectUserService/CreateProjectUser", &adminv1.CreateProjectUserRequest{ProjectId: "proj_search", Role: "owner"}, false},
		{"team-search", "ProjectUserService/CreateProjectUser", &adminv1.CreateProjectUserRequest{ProjectId: "proj_search", Role: "a_role_of_tomorrow"}, false},
		{"team-search", "ProjectUserService/CreateProjectUser", &adminv1.CreateProjectUserRequest{ProjectId: "proj_other", Role: "member"}, false},
		{"team-search", "ProjectUserService/UpdateProjectUser", &adminv1.UpdateProjectUserRequest{ProjectId: "proj_search", Role: proto.String("member")}, true},
		{"team-search", "ProjectUserService/UpdateProjectUser", &adminv1.UpdateProjectUserRequest{ProjectId: "proj_search", Role: proto.String("owner")}, false},
		{"team-search", "ProjectUserService/UpdateProjectUser", &adminv1.UpdateProjectUserRequest{ProjectId: "proj_search"}, false},
		{"team-search", "ProjectUserService/UpdateProjectUser", &adminv1.UpdateProjectUserRequest{ProjectId: "proj_search", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"role"}}}, false},
		{"team-search", "ProjectUserService/DeleteProjectUser", &adminv1.DeleteProjectUserRequest{ProjectId: "proj_search", UserId: "u"}, true},
		{"team-search", "ProjectRoleService/CreateProjectRole", &adminv1.CreateProjectRoleRequest{ProjectId: "proj_search", RoleName: "r"}, false},
		{"team-search", "ProjectCertificateService/ActivateProjectCertificates", &adminv1.ActivateProjectCertificatesRequest{ProjectId: "proj_search", CertificateIds: []string{"c"}}, false},
		{"team-search", "ProjectUserRoleService/AssignProjectUserRole", &adminv1.AssignProjectUserRoleRequest{ProjectId: "proj_search"}, false},
		{"team-search", "ProjectGroupService/AddProjectGroup", &adminv1.AddProjectGroupRequest{ProjectId: "proj_search"}, false},
		{"team-search", "ProjectServiceAccountService/UpdateProjectServiceAccount", &adminv1.UpdateProjectServiceAccountRequest{ProjectId: "proj_search", Role: adminv1.ProjectServiceAccountRole_PROJECT_SERVICE_ACCOUNT_ROLE_OWNER.Enum()}, false},
		{"team-search", "ProjectServiceAccountService/UpdateProjectServiceAccount", &adminv1.UpdateProjectServiceAccountRequest{ProjectId: "proj_search"}, true},
		{"broker", "ProjectServiceAccountService/CreateProjectServiceAccount", &adminv1.CreateProjectServiceAccountRequest{ProjectId: "proj_a", Name: "x"}, true},
		{"broker", "ProjectServiceAccountService/CreateProjectServiceAccount", &adminv1.CreateProjectServiceAccountRequest{ProjectId: "proj_c", Name: "x"}, false},
		{"broker", "ProjectServiceAccountService/ListProjectServiceAccounts", &adminv1.ListProjectServiceAccountsRequest{ProjectId: "proj_a"}, true},
		{"broker", "ProjectServiceAccountService/ListProjectServiceAccounts", &adminv1.ListProjectServiceAccountsRequest{ProjectId: "proj_c"}, false},
		{"broker", "ProjectServiceAccountService/UpdateProjectServiceAccount", &adminv1.UpdateProjectServiceAccountRequest{ProjectId: "proj_a"}, false},
		{"broker", "ProjectServiceAccountService/CreateProjectServiceAccountApiKey", &adminv1.CreateProjectServiceAccountApiKeyRequest{ProjectId: "proj_a"}, false},
		{"inviter", "InviteService/CreateInvite", invite(reader), true},
		{"inviter", "InviteService/CreateInvite", invite(reader, member, member), true},
		{"inviter", "InviteService/CreateInvite", invite(reader, member, owner), false},
		{"inviter", "InviteService/CreateInvite", invite(organizationOwner), false},
		{"inviter", "InviteService/DeleteInvite", &adminv1.DeleteInviteRequest{InviteId: "x"}, false},
	} {
		method, ok := methods.Lookup("/admingateway.admin.v1." + test.rpc)
		if !ok || sets[test.caller] == nil {
			t.Fatalf("no %s, or no caller %s", test.rpc, test.caller)
		}
		handle, _ := methods.Access().Lookup(method.Procedure)
		if d := sets[test.caller].Policy.Decide(test.caller, handle, test.request.ProtoReflect(), time.Now()); d.Allowed != test.want {
			t.Errorf("%s, %s, %v: %+v", test.caller, test.rpc, test.request, d)
		}
	}
}

// TestDocumentedPoliciesAreAllowLists: no policy to start from closes something by its
// name, which leaves open what the upstream adds, and none reads a field without asking.
func TestDocumentedPoliciesAreAllowLists(t *testing.T) {
	t.Parallel()
	methods, err := catalog.New(catalog.Files(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for caller, set := range documented(t, methods) {
		for _, warning := range set.Warnings() {
			t.Errorf("%s: %v", caller, warning)
		}
	}
	files, err := filepath.Glob("../../examples/policies/*.yaml")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, error %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := regexp.MustCompile(`denies:|!=|request\.\w*(role|id)s? == "`).Find(text); found != nil {
			t.Errorf("%s has %s", file, found)
		}
	}
}

// TestAdviceIsPermitted: the comment of an RPC whose answer holds a credential advises
// which calls to make when that answer is lost. A documented caller that may make such
// an RPC may make every call of the advice too.
func TestAdviceIsPermitted(t *testing.T) {
	t.Parallel()
	methods, err := catalog.New(catalog.Files(), nil)
	if err != nil {
		t.Fatal(err)
	}
	projects := map[string]string{"auditor": "proj_a", "billing": "proj_a", "broker": "proj_a", "inviter": "proj_a", "team-search": "proj_search"}
	permitted := make(map[string]int)
	for caller, set := range documented(t, methods) {
		if projects[caller] == "" {
			t.Fatalf("no project for caller %s", caller)
		}
		allowed := func(m *catalog.Method) bool {
			request := m.Request.New()
			if field := request.Descriptor().Fields().ByName("project_id"); field != nil {
				request.Set(field, protoreflect.ValueOfString(projects[caller]))
			}
			return set.Policy.Decide(caller, m.Access(), request, time.Now()).Allowed
		}
		for _, m := range methods.Methods() {
			if !m.Secret || m.Read || !allowed(m) {
				continue
			}
			permitted[caller]++
			for _, advised := range advice(t, methods, m) {
				if !allowed(advised) {
					t.Errorf("%s may call %s, and not %s, which the comment advises", caller, m.ShortName(), advised.ShortName())
				}
			}
		}
	}
	if permitted["broker"] != 1 || permitted["team-search"] != 2 {
		t.Errorf("callers may make so many RPCs that answer with a credential: %v", permitted)
	}
}

// advice returns the methods that the comment of an RPC names after "If the answer is
// lost". Descriptors have no comments, so it reads the source.
func advice(t *testing.T, methods *catalog.Catalog, m *catalog.Method) []*catalog.Method {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("../../proto", m.Descriptor.ParentFile().Path()))
	if err != nil {
		t.Fatal(err)
	}
	before, _, found := strings.Cut(string(source), "  rpc "+string(m.Descriptor.Name())+"(")
	if !found {
		t.Fatalf("no rpc %s in %s", m.Descriptor.Name(), m.Descriptor.ParentFile().Path())
	}
	comment := before[strings.LastIndex(before, "\n\n")+1:]
	_, text, found := strings.Cut(comment, "If the answer is")
	if !found {
		t.Fatalf("the comment of %s gives no advice: %s", m.ShortName(), comment)
	}
	var named []*catalog.Method
	for _, name := range regexp.MustCompile("`([A-Za-z]+)`").FindAllStringSubmatch(text, -1) {
		for _, candidate := range methods.Mirrored() {
			if string(candidate.Descriptor.Name()) == name[1] {
				named = append(named, candidate)
			}
		}
	}
	if len(named) != 2 || !named[0].Read || named[1].Read {
		t.Errorf("the comment of %s does not name a read and a delete: %s", m.ShortName(), text)
	}
	return named
}
