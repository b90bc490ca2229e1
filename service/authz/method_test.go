package authz_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

func descriptor(m proto.Message) protoreflect.MessageDescriptor { return m.ProtoReflect().Descriptor() }

func TestNewMethodsFaults(t *testing.T) {
	t.Parallel()
	get := descriptor(&adminv1.GetProjectRequest{})
	invite := descriptor(&adminv1.CreateInviteRequest{})
	good := authz.Method{Procedure: "/p.S/Good", Permission: "projects.read", Request: get, Projects: []string{"project_id"}}
	cases := []struct {
		name    string
		methods []authz.Method
		want    []string // in the error, in this order
	}{
		{"none", nil, []string{"no methods"}},
		{"twice", []authz.Method{good, good}, []string{"/p.S/Good", "twice"}},
		{"no procedure", []authz.Method{{Permission: "a.read", Request: get}}, []string{"no name"}},
		{"no permission", []authz.Method{{Procedure: "/p.S/M", Request: get}}, []string{"/p.S/M", `permission ""`}},
		{"pattern for a permission", []authz.Method{{Procedure: "/p.S/M", Permission: "projects.*", Request: get}}, []string{"/p.S/M", "projects.*"}},
		{"one word", []authz.Method{{Procedure: "/p.S/M", Permission: "read", Request: get}}, []string{`"read"`}},
		{"upper case", []authz.Method{{Procedure: "/p.S/M", Permission: "projects.Read", Request: get}}, []string{"projects.Read"}},
		{"a digit first", []authz.Method{{Procedure: "/p.S/M", Permission: "projects.1read", Request: get}}, []string{"projects.1read"}},
		{"no request", []authz.Method{{Procedure: "/p.S/M", Permission: "a.read"}}, []string{"/p.S/M", "request type"}},
		{"empty path", []authz.Method{{Procedure: "/p.S/M", Permission: "a.read", Request: get, Projects: []string{""}}}, []string{"/p.S/M", "no field"}},
		{"no such field", []authz.Method{{Procedure: "/p.S/M", Permission: "a.read", Request: get, Projects: []string{"projectId"}}}, []string{"projectId"}},
		{"below a string", []authz.Method{{Procedure: "/p.S/M", Permission: "a.read", Request: get, Projects: []string{"project_id.x"}}}, []string{"project_id is not a message"}},
		{"ends in a message", []authz.Method{{Procedure: "/p.S/M", Permission: "a.read", Request: invite, Projects: []string{"projects"}}}, []string{"not a string field"}},
		{"ends in an enum", []authz.Method{{Procedure: "/p.S/M", Permission: "a.read", Request: invite, Projects: []string{"projects.values.role"}}}, []string{"not a string field"}},
		{"through a map", []authz.Method{{Procedure: "/p.S/M", Permission: "a.read", Request: descriptor(&structpb.Struct{}), Projects: []string{"fields.value.string_value"}}}, []string{"is a map"}},
		{
			"all of them",
			[]authz.Method{{Procedure: "/p.S/A", Permission: "a", Request: get}, good, {Procedure: "/p.S/B", Permission: "a.read"}},
			[]string{"/p.S/A", "/p.S/B"},
		},
	}
	for _, tc := range cases {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			methods, err := authz.NewMethods(tc.methods)
			if err == nil || methods != nil {
				t.Fatalf("got %v, %v; want an error", methods, err)
			}
			rest := err.Error()
			for _, want := range tc.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("error %q does not say %q", err, want)
				}
				rest = after
			}
		})
	}
}

func TestLookup(t *testing.T) {
	t.Parallel()
	methods := compileDeclarations(t)
	for _, declared := range declarations() {
		h, ok := methods.Lookup(declared.Procedure)
		if !ok || h.Procedure() != declared.Procedure || h.Permission() != declared.Permission || h.OrganizationWide() != (len(declared.Projects) == 0) {
			t.Errorf("%s: got %v, %v", declared.Procedure, h, ok)
		}
	}
	for _, procedure := range []string{"", "/", "admingateway.admin.v1.ProjectService/GetProject", "/admingateway.admin.v1.projectservice/GetProject", "/admingateway.admin.v1.ProjectService/GetProject/"} {
		if h, ok := methods.Lookup(procedure); ok {
			t.Errorf("%q: got %v", procedure, h)
		}
	}
}

// TestProjectsOfManyFields declares fields that no RPC of the mirror declares.
func TestProjectsOfManyFields(t *testing.T) {
	t.Parallel()
	methods, err := authz.NewMethods([]authz.Method{
		{Procedure: "/p.S/Second", Permission: "second.read", Request: descriptor(&adminv1.ListCostsRequest{}), Projects: []string{"api_key_ids"}},
		{Procedure: "/p.S/Optional", Permission: "optional.read", Request: descriptor(&adminv1.ListCostsRequest{}), Projects: []string{"page"}},
		{Procedure: "/p.S/All", Permission: "all.read", Request: descriptor(&adminv1.ListCostsRequest{}), Projects: []string{"project_ids", "page", "api_key_ids"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	policy := compilePolicy(t, methods, authz.Caller{Name: "me", Grants: grants{scoped("*", "p1", "p2")}})
	one, other, empty := "p1", "p3", ""
	cases := []struct {
		rpc     string
		request *adminv1.ListCostsRequest
		want    authz.Reason
	}{
		{"Second", &adminv1.ListCostsRequest{ProjectIds: []string{"p1"}, ApiKeyIds: []string{"p3"}}, authz.ProjectOutOfScope},
		{"Second", &adminv1.ListCostsRequest{ProjectIds: []string{"p3"}, ApiKeyIds: []string{"p1"}}, authz.Granted},
		{"Second", &adminv1.ListCostsRequest{ProjectIds: []string{"p1"}}, authz.ProjectMissing},
		{"Optional", &adminv1.ListCostsRequest{Page: &one}, authz.Granted},
		{"Optional", &adminv1.ListCostsRequest{Page: &empty}, authz.ProjectMissing},
		{"Optional", &adminv1.ListCostsRequest{}, authz.ProjectMissing},
		{"All", &adminv1.ListCostsRequest{ApiKeyIds: []string{"p2"}}, authz.Granted},
		{"All", &adminv1.ListCostsRequest{ProjectIds: []string{"p1"}, ApiKeyIds: []string{"p2"}, Page: &one}, authz.Granted},
		{"All", &adminv1.ListCostsRequest{ProjectIds: []string{"p1"}, ApiKeyIds: []string{"p2"}, Page: &other}, authz.ProjectOutOfScope},
		{"All", &adminv1.ListCostsRequest{ProjectIds: []string{"p1"}, ApiKeyIds: []string{"p2"}, Page: &empty}, authz.ProjectMissing},
		{"All", &adminv1.ListCostsRequest{ProjectIds: []string{"p1"}, ApiKeyIds: []string{"p3"}}, authz.ProjectOutOfScope},
		{"All", &adminv1.ListCostsRequest{}, authz.ProjectMissing},
	}
	for _, tc := range cases {
		h, _ := methods.Lookup("/p.S/" + tc.rpc)
		if d := policy.Decide("me", h, tc.request.ProtoReflect(), moment); d.Reason != tc.want {
			t.Errorf("%s of %v: got %v, want %v", tc.rpc, tc.request, d.Reason, tc.want)
		}
	}
}
