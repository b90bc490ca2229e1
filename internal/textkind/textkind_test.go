package textkind_test

import (
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
)

func alphabets(t *testing.T, idCharacters string) *textkind.Alphabets {
	t.Helper()
	a, err := textkind.New(idCharacters)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestCheck: what real requests have is taken, and the first text that is none of its
// kind is named by its place alone.
func TestCheck(t *testing.T) {
	t.Parallel()
	invite := func(id string) *adminv1.CreateInviteRequest {
		return &adminv1.CreateInviteRequest{Email: "Jö <a b@example.com>", Projects: &adminv1.InviteProjects{Values: []*adminv1.InviteProject{{Id: "proj_a"}, {Id: id}}}}
	}
	jwks, err := structpb.NewStruct(map[string]any{"any key": "any value"})
	if err != nil {
		t.Fatal(err)
	}
	rule := func(key string) *adminv1.CreateWorkloadIdentityFederationRuleRequest {
		return &adminv1.CreateWorkloadIdentityFederationRuleRequest{ProjectId: "p", AttributeMatchers: map[string]*adminv1.WorkloadIdentityAttributeValue{
			key: {Value: &adminv1.WorkloadIdentityAttributeValue_StringValue{StringValue: "repo:org/name:ref:*"}},
		}}
	}
	for name, test := range map[string]struct {
		request proto.Message
		path    string // "": good
	}{
		"an id":                      {&adminv1.GetProjectRequest{ProjectId: "proj_A-1.b:c"}, ""},
		"the longest id":             {&adminv1.GetProjectRequest{ProjectId: strings.Repeat("a", 256)}, ""},
		"a longer id":                {&adminv1.GetProjectRequest{ProjectId: strings.Repeat("a", 257)}, "project_id"},
		"an id with a space":         {&adminv1.GetProjectRequest{ProjectId: "proj_a "}, "project_id"},
		"the folder above":           {&adminv1.GetProjectRequest{ProjectId: ".."}, "project_id"},
		"ids in a list":              {&adminv1.ListCostsRequest{ProjectIds: []string{"proj_a", "proj_a,proj_b"}}, "project_ids[1]"},
		"an empty id in a list":      {&adminv1.ListCostsRequest{ProjectIds: []string{""}}, "project_ids[0]"},
		"an id in a list below":      {invite("proj_a%20"), "projects.values[1].id"},
		"ids in a list below":        {invite("proj_b"), ""},
		"a word":                     {&adminv1.UpdateProjectUserRequest{ProjectId: "p", UserId: "u", Role: proto.String("owner")}, ""},
		"a word of another case":     {&adminv1.UpdateProjectUserRequest{ProjectId: "p", UserId: "u", Role: proto.String("Owner")}, "role"},
		"a word with a space":        {&adminv1.UpdateProjectUserRequest{ProjectId: "p", UserId: "u", Role: proto.String("owner ")}, "role"},
		"an empty word that is set":  {&adminv1.UpdateProjectUserRequest{ProjectId: "p", UserId: "u", Role: proto.String("")}, "role"},
		"a word below":               {&adminv1.UpdateRoleRequest{RoleId: "r", Permissions: &adminv1.RolePermissions{Values: []string{"api.all.read", "API.all"}}}, "permissions.values[1]"},
		"a name":                     {&adminv1.ListCompletionsUsageRequest{Models: []string{"ft:gpt-4o:Org/x@1+2=3"}}, ""},
		"two names in one":           {&adminv1.ListCompletionsUsageRequest{Models: []string{"gpt-4o,gpt-4"}}, "models[0]"},
		"a cursor":                   {&adminv1.ListCostsRequest{Page: proto.String("page_AAAAAGdGxdEiJdKOAAAAAGcqsYA=")}, ""},
		"a cursor with a line break": {&adminv1.ListCostsRequest{Page: proto.String("a\nb")}, "page"},
		"a cursor with a letter":     {&adminv1.ListProjectsRequest{After: proto.String("é")}, "after"},
		"free text":                  {&adminv1.CreateProjectRequest{Name: "  Ünder\nlines, 50% \x00"}, ""},
		"a mask":                     {&adminv1.UpdateProjectRequest{ProjectId: "p", UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"External Key"}}}, ""},
		"JSON of any shape":          {&adminv1.CreateWorkloadIdentityProviderRequest{Verification: &adminv1.NewWorkloadIdentityVerification{Verification: &adminv1.NewWorkloadIdentityVerification_UploadedJwks{UploadedJwks: &adminv1.WorkloadIdentityUploadedJwks{Jwks: jwks}}}}, ""},
		"a map":                      {rule("https://example.com/claim name"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := textkind.Compile(test.request.ProtoReflect().Descriptor())
			if err != nil {
				t.Fatal(err)
			}
			fault := plan.Check(alphabets(t, textkind.DefaultIDCharacters), test.request.ProtoReflect())
			switch {
			case fault == nil && test.path != "" || fault != nil && fault.Path != test.path:
				t.Errorf("got %+v, want %q", fault, test.path)
			case fault != nil && !strings.HasPrefix(fault.Reason, "must be "):
				t.Errorf("the reason is %q", fault.Reason)
			}
		})
	}
}

// TestCompileNamesWhatIsUnsaid: every text of the request, and no other.
func TestCompileNamesWhatIsUnsaid(t *testing.T) {
	t.Parallel()
	// An answer, whose strings say nothing.
	_, err := textkind.Compile((&adminv1.ProjectUser{}).ProtoReflect().Descriptor())
	for _, field := range []string{"name", "email", "role"} {
		if err == nil || !strings.Contains(err.Error(), "ProjectUser."+field+" lacks") {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	if err != nil && strings.Contains(err.Error(), "ProjectUser.id ") {
		t.Errorf("an id is named: %v", err)
	}
}

// TestIDCharacters: an organization with other ids, and what no id may have.
func TestIDCharacters(t *testing.T) {
	t.Parallel()
	plan, err := textkind.Compile((&adminv1.GetProjectRequest{}).ProtoReflect().Descriptor())
	if err != nil {
		t.Fatal(err)
	}
	for id, good := range map[string]bool{"auth0|a@b": true, "proj_a": false, "A1": true} {
		request := &adminv1.GetProjectRequest{ProjectId: id}
		if fault := plan.Check(alphabets(t, "|@"), request.ProtoReflect()); (fault == nil) != good {
			t.Errorf("%q: %+v", id, fault)
		}
	}
	for _, characters := range []string{" ", "/", "%", ",", "*", "$", "é", "\x00", "\x7f", "a", "0"} {
		_, err := textkind.New("_" + characters)
		if wrong, ok := errors.AsType[*textkind.CharacterError](err); !ok || string(wrong.Character) != characters {
			t.Errorf("%q: %v", characters, err)
		}
	}
}
