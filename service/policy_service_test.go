package service_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// shownPolicy is a policy to be shown, with every kind of credential that the gateway of a
// test knows, and a hostile label.
const shownPolicy = `callers:
  - name: root
    authenticate: [{token_sha256: $root, expires: 2100-01-01T00:00:00Z}]
    grants: [{permissions: ["*"]}]
  - name: team
    authenticate: [{token_sha256: $team}, {dns_san: team.example}, {spiffe_id: "spiffe://example.org/team"}, {uri_san: "https://team.example/x"}]
    labels: {team: "<script>"}
    grants:
      - {permissions: [projects.read], projects: [proj_a]}
      - {permissions: [projects.update], projects: [proj_a], when: 'request.project_id != "proj_z"'}
      - {permissions: [policy.read], projects: [proj_a]}
    denies: [{permissions: [projects.update]}]
    limits: {requests_per_second: 3, burst: 4, concurrent: 5, streams: 2}
`

// TestPolicyIsShown: all of a caller but what one could log in with.
func TestPolicyIsShown(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(shownPolicy))
	policies := controlv1connect.NewPolicyServiceClient(gateway.Client("root"))
	var names []string
	token := ""
	for {
		page, err := policies.ListCallers(t.Context(), &controlv1.ListCallersRequest{PageSize: 1, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		if page.GetTotal() != 2 || len(page.GetPolicy().GetSha256()) != 64 || page.GetPolicy().GetLoadedAt() == nil {
			t.Errorf("a page says %v", page)
		}
		for _, caller := range page.GetCallers() {
			names = append(names, caller.GetName())
			if len(caller.GetCredentials())+len(caller.GetGrants())+len(caller.GetDenies()) > 0 {
				t.Errorf("a list has %v", caller)
			}
		}
		if token = page.GetNextPageToken(); token == "" {
			break
		}
	}
	if strings.Join(names, " ") != "root team" {
		t.Errorf("callers %q", names)
	}
	if _, err := policies.ListCallers(t.Context(), &controlv1.ListCallersRequest{PageToken: "bm9ib2R5"}); connect.CodeOf(err) != connect.CodeInvalidArgument {
		t.Errorf("a page after a caller that is not there: %v", err)
	}
	team, err := policies.GetCaller(t.Context(), &controlv1.GetCallerRequest{Name: "team"})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"name":"team", "labels":{"team":"<script>"},
 "limits":{"requests_per_second":3, "burst":4, "concurrent":5, "streams":2, "max_live_leases":20, "lease_mints_per_hour":60}, "grant_count":3, "deny_count":1,
 "credentials":[{"kind":"dns_san", "id":"team.example"}, {"kind":"spiffe_id", "id":"spiffe://example.org/team"}, {"kind":"token", "id":"$team"}, {"kind":"uri_san", "id":"https://team.example/x"}],
 "grants":[{"name":"grants[0]", "words":"May read projects, in the project proj_a.", "permissions":["projects.read"], "project_ids":["proj_a"], "project_count":1},
  {"name":"grants[1]", "words":"May update projects, in the project proj_a, where request.project_id != \"proj_z\".", "permissions":["projects.update"], "project_ids":["proj_a"], "project_count":1, "condition":"request.project_id != \"proj_z\""},
  {"name":"grants[2]", "words":"May read policy, in the project proj_a.", "permissions":["policy.read"], "project_ids":["proj_a"], "project_count":1}],
 "denies":[{"name":"denies[0]", "words":"May never update projects.", "permissions":["projects.update"]}]}`
	wanted := new(controlv1.Caller)
	if err := protojson.Unmarshal([]byte(strings.Replace(want, "$team", digestOf("team")[:12], 1)), wanted); err != nil {
		t.Fatal(err)
	}
	if got := protojson.Format(team.GetCaller()); got != protojson.Format(wanted) {
		t.Errorf("got %s", got)
	}
	root, err := policies.GetCaller(t.Context(), &controlv1.GetCallerRequest{Name: "root"})
	if err != nil {
		t.Fatal(err)
	}
	if text := protojson.Format(root); strings.Contains(text, digestOf("root")[:13]) || !strings.Contains(text, digestOf("root")[:12]) {
		t.Errorf("the token is shown as %s", text)
	}
	if _, err := policies.GetCaller(t.Context(), &controlv1.GetCallerRequest{Name: "nobody"}); reason(t, err) != rpcerror.ReasonNoSuchCaller {
		t.Errorf("nobody: %v", err)
	}
}

// digestOf is the SHA-256 of the token of a caller of a test.
func digestOf(caller string) string {
	sum := sha256.Sum256([]byte(admissiontest.TokenOf(caller)))
	return hex.EncodeToString(sum[:])
}

// TestPolicyIsNotForProjects: a grant of policy.read that is limited to projects shows
// nothing of other callers.
func TestPolicyIsNotForProjects(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(shownPolicy))
	policies := controlv1connect.NewPolicyServiceClient(gateway.Client("team"))
	_, list := policies.ListCallers(t.Context(), &controlv1.ListCallersRequest{})
	_, get := policies.GetCaller(t.Context(), &controlv1.GetCallerRequest{Name: "root"})
	_, test := policies.CheckCallerPermission(t.Context(), &controlv1.CheckCallerPermissionRequest{Name: "root", Method: "UserService/ListUsers"})
	for _, err := range []error{list, get, test} {
		if connect.CodeOf(err) != connect.CodePermissionDenied {
			t.Errorf("a caller of one project: %v", err)
		}
	}
}

// TestCallerPermissions are decided on as the calls are.
func TestCallerPermissions(t *testing.T) {
	t.Parallel()
	gateway := gatewaytest.New(t, gatewaytest.WithPolicy(shownPolicy))
	policies := controlv1connect.NewPolicyServiceClient(gateway.Client("root"))
	for _, test := range []struct {
		method, project string
		want            string
	}{
		{"ProjectService/GetProject", "proj_a", "true granted grants[0] "},
		{"ProjectService/GetProject", "proj_b", "false project_out_of_scope  proj_b"},
		{"ProjectService/GetProject", "", "true granted  "},
		{"ProjectService/UpdateProject", "proj_a", "false denied denies[0] "},
		{"UserService/ListUsers", "", "false no_permission  "},
	} {
		request := &controlv1.CheckCallerPermissionRequest{Name: "team", Method: test.method}
		if test.project != "" {
			request.Request = &structpb.Struct{Fields: map[string]*structpb.Value{"project_id": structpb.NewStringValue(test.project)}}
		}
		got, err := policies.CheckCallerPermission(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		text := strings.Join([]string{map[bool]string{true: "true", false: "false"}[got.GetAllowed()], got.GetReason(), got.GetRule(), got.GetProjectId()}, " ")
		if text != test.want || got.GetConditional() != (test.project == "" && got.GetAllowed()) || got.GetExplanation() == "" {
			t.Errorf("%s %q: %v; want %s", test.method, test.project, got, test.want)
		}
	}
	invalid, err := policies.CheckCallerPermission(t.Context(), &controlv1.CheckCallerPermissionRequest{
		Name: "root", Method: "ProjectService/CreateProject", Request: &structpb.Struct{Fields: map[string]*structpb.Value{"name": structpb.NewStringValue("")}},
	})
	if err != nil || !invalid.GetAllowed() || len(invalid.GetViolations()) != 1 || !strings.HasPrefix(invalid.GetViolations()[0], "name: ") {
		t.Errorf("an invalid request: %v, %v", invalid, err)
	}
	for field, request := range map[string]*controlv1.CheckCallerPermissionRequest{
		"name":       {Name: "nobody", Method: "ProjectService/GetProject"},
		"method":     {Name: "team", Method: "ProjectService/Get"},
		"request":    {Name: "team", Method: "ProjectService/GetProject", Request: &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewNullValue()}}},
		"lease_role": {Name: "team", Method: "ProjectService/GetProject", LeaseRole: "search"},
	} {
		_, err := policies.CheckCallerPermission(t.Context(), request)
		wantViolation(t, request.String(), err, field)
	}
}
