package schema

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"github.com/google/go-cmp/cmp"
	pb "google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"
)

// bare is a file's descriptor as other programs read it, without positions.
func bare(t *testing.T, file *descriptorpb.FileDescriptorProto) *descriptorpb.FileDescriptorProto {
	t.Helper()
	wire, err := pb.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	read := new(descriptorpb.FileDescriptorProto)
	if err := pb.Unmarshal(wire, read); err != nil {
		t.Fatal(err)
	}
	read.SourceCodeInfo = nil
	return read
}

// The text of all files compiles with nothing beside it but what compilers bring
// along, and means what is linked: gen/ is of the sources that are embedded, and
// printing a descriptor loses nothing.
func TestProtosMeanWhatIsLinked(t *testing.T) {
	t.Parallel()
	s := theSchema(t)
	protos, err := s.Protos()
	if err != nil {
		t.Fatal(err)
	}
	texts, paths := make(map[string]string, len(protos)), make([]string, 0, len(protos))
	for path, text := range protos {
		texts[path] = string(text)
		paths = append(paths, path)
	}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(
		&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(texts)})}
	compiled, err := compiler.Compile(t.Context(), paths...)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range s.files {
		if strings.HasPrefix(file.Path(), wellKnown) {
			continue
		}
		result, ok := compiled.FindFileByPath(file.Path()).(linker.Result)
		if !ok {
			t.Errorf("%s was not written", file.Path())
			continue
		}
		want, got := bare(t, protodesc.ToFileDescriptorProto(file)), bare(t, result.FileDescriptorProto())
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("%s: is not what is linked (-linked +written):\n%s", file.Path(), diff)
		}
	}
}

func TestProtosHoldWhatClientsNeed(t *testing.T) {
	t.Parallel()
	protos, err := theSchema(t).Protos()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{
		"admingateway/admin/v1/project.proto", "admingateway/control/v1/errors.proto",
		"admingateway/inventory/v1/inventory.proto", "admingateway/options/v1/rules.proto",
		"buf/validate/validate.proto", "google/api/annotations.proto", "google/api/field_behavior.proto", "google/api/http.proto",
		"google/rpc/code.proto", "google/rpc/error_details.proto", "google/rpc/status.proto", "grpc/health/v1/health.proto",
	} {
		if len(protos[path]) == 0 {
			t.Errorf("%s is missing", path)
		}
	}
	for path := range protos {
		if strings.HasPrefix(path, "google/protobuf/") {
			t.Errorf("%s comes with every compiler", path)
		}
	}
	if !strings.Contains(string(protos["admingateway/admin/v1/project.proto"]), "// Lists projects, without the archived ones") {
		t.Error("comments are lost")
	}
}

func TestDescriptorsAreWhole(t *testing.T) {
	t.Parallel()
	set := theSchema(t).Descriptors()
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"google.rpc.ErrorInfo", "google.protobuf.Timestamp", "grpc.health.v1.Health", "admingateway.control.v1.WriteDone"} {
		if _, err := files.FindDescriptorByName(protoreflect.FullName(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	seen := make(map[string]bool)
	for _, file := range set.GetFile() {
		for _, path := range file.GetDependency() {
			if !seen[path] {
				t.Errorf("%s comes before %s, which it imports", file.GetName(), path)
			}
		}
		seen[file.GetName()] = true
	}
	service, err := files.FindDescriptorByName("admingateway.admin.v1.ProjectService")
	if err != nil {
		t.Fatal(err)
	}
	if text := service.ParentFile().SourceLocations().ByDescriptor(service).LeadingComments; !strings.Contains(text, "Projects, which have") {
		t.Errorf("the comment of ProjectService is %q", text)
	}
}

func TestSourcesThatAreWrong(t *testing.T) {
	t.Parallel()
	const path = "admingateway/admin/v1/project.proto"
	for _, test := range []struct {
		name   string
		change func(fstest.MapFS)
		want   string
	}{
		{"missing", func(files fstest.MapFS) { delete(files, path) }, path + " has no source"},
		{"broken", func(files fstest.MapFS) { files[path].Data = []byte(`syntax = "proto3"; message {}`) }, path + ":1:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			files := sources(t)
			test.change(files)
			if _, err := New(t.Context(), linkedFiles(), files); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one that contains %q", err, test.want)
			}
		})
	}
}

func TestNewEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(ctx, linkedFiles(), sources(t)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestUnwrap(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ comment, want string }{
		{"One\ntwo.", "One two."},
		{"One.\n\nTwo.", "One.\n\nTwo."},
		{"List:\n- a\n- b\nend", "List:\n- a\n- b\nend"},
		{"", ""},
	} {
		if got := unwrap(strings.Split(test.comment, "\n")); got != test.want {
			t.Errorf("%q became %q, want %q", test.comment, got, test.want)
		}
	}
}
