package catalog_test

import (
	"errors"
	"slices"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestFind: a name is the full one, with or without a slash, or the short one where
// only one method has it.
func TestFind(t *testing.T) {
	t.Parallel()
	file := adminv1.File_admingateway_admin_v1_project_proto
	// The same service and RPC in another package, at another path.
	other := catalogtest.CopyOf(file)
	get := other.Method(t, "GetProject")
	catalogtest.EditHTTP(t, get, func(rule *annotations.HttpRule) {
		rule.Pattern = &annotations.HttpRule_Get{Get: "/elsewhere/{project_id}"}
	})
	second := catalogtest.Declarations{File: &descriptorpb.FileDescriptorProto{
		Name: proto.String("other.proto"), Package: proto.String("other.v1"), Syntax: proto.String("proto3"),
		Dependency: append(slices.Clone(other.File.GetDependency()), file.Path()),
		Service:    []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("ProjectService"), Method: []*descriptorpb.MethodDescriptorProto{get}}},
	}}
	methods, err := catalog.New([]protoreflect.FileDescriptor{file, second.Build(t)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const mine, theirs = "admingateway.admin.v1.ProjectService/GetProject", "other.v1.ProjectService/GetProject"
	for name, test := range map[string]struct {
		want       string
		candidates []string
		near       []string
	}{
		mine:                             {want: mine},
		"/" + mine:                       {want: mine},
		theirs:                           {want: theirs},
		"ProjectService/ListProjects":    {want: "admingateway.admin.v1.ProjectService/ListProjects"},
		"ProjectService/GetProject":      {candidates: []string{mine, theirs}},
		"ProjectService/Nope":            {},
		"GetProject":                     {near: []string{"ProjectService/GetProject", "ProjectService/GetProject"}},
		"ProjectService/GetProejct":      {near: []string{"ProjectService/GetProject"}},
		"a.b.ProjectService/ListProject": {near: []string{"ProjectService/ListProjects"}},
		"":                               {},
	} {
		m, err := methods.Find(name)
		if test.want != "" {
			if err != nil || m.Name() != test.want {
				t.Errorf("%q: %v, %v", name, m, err)
			}
			continue
		}
		wrong, ok := errors.AsType[*catalog.NameError](err)
		if !ok || wrong.Name != name || !slices.Equal(wrong.Candidates, test.candidates) || !slices.Equal(wrong.Near, test.near) {
			t.Errorf("%q: %v, want candidates %v and %v", name, err, test.candidates, test.near)
		}
	}
}
