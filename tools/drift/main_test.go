package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	"github.com/admin-gateway/admin-gateway/internal/openapitest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// defaultDescription is where the description lies beside a checkout of the
// project that has one.
const defaultDescription = "../../../shared/upstream/admin-openapi-2026-11.json"

func TestProtosMirrorTheDescription(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := checkOpenAPI(&out, openapitest.Description(t, defaultDescription), allowed, protoregistry.GlobalFiles); err != nil {
		t.Errorf("%v:\n%s", err, &out)
	}
}

// A field taken from the real protos, and one renamed, are found, each once.
func TestMutationOfTheRealProtosIsFound(t *testing.T) {
	t.Parallel()
	raw := openapitest.Description(t, defaultDescription)
	before := lines(t, raw, protoregistry.GlobalFiles)
	set := realProtos()
	edit(t, set, "ListUsersRequest", func(m *descriptorpb.DescriptorProto) {
		m.Field = slices.DeleteFunc(m.GetField(), func(field *descriptorpb.FieldDescriptorProto) bool {
			return field.GetName() == "emails"
		})
	})
	edit(t, set, "User", func(m *descriptorpb.DescriptorProto) {
		for _, field := range m.GetField() {
			if field.GetName() == "email" {
				field.Name = proto.String("e_mail")
			}
		}
	})
	after := lines(t, raw, built(t, set))
	for _, want := range []string{
		"GET /organization/users\topenapi\tquery.emails\tarray",
		"GET /organization/users/{user_id}\topenapi\tresponse.email\tstring",
		"GET /organization/users/{user_id}\tproto\tresponse.e_mail\tstring",
	} {
		if strings.Count(after, want+"\n") != 1 || strings.Contains(before, want+"\n") {
			t.Errorf("the mutation is not found: %s\n%s", want, after)
		}
	}
}

// realProtos returns a copy of the descriptors that are compared.
func realProtos() *descriptorpb.FileDescriptorSet {
	set := &descriptorpb.FileDescriptorSet{}
	protoregistry.GlobalFiles.RangeFiles(func(file protoreflect.FileDescriptor) bool {
		set.File = append(set.File, protodesc.ToFileDescriptorProto(file))
		return true
	})
	return set
}

func built(t *testing.T, set *descriptorpb.FileDescriptorSet) *protoregistry.Files {
	t.Helper()
	files, err := protodesc.NewFiles(set)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func edit(t *testing.T, set *descriptorpb.FileDescriptorSet, message string, change func(*descriptorpb.DescriptorProto)) {
	t.Helper()
	for _, file := range set.GetFile() {
		for _, m := range file.GetMessageType() {
			if file.GetPackage() == mirrorPackage && m.GetName() == message {
				change(m)
				return
			}
		}
	}
	t.Fatalf("no message %s", message)
}

// lines returns all differences, without regard to those that are intended.
func lines(t *testing.T, description []byte, files *protoregistry.Files) string {
	t.Helper()
	var out bytes.Buffer
	if err := checkOpenAPI(&out, description, nil, files); err != nil && !errors.Is(err, errDrift) {
		t.Fatal(err)
	}
	return out.String()
}

// compiled compiles the messages and services of a file that mirrors an API.
func compiled(t *testing.T, source string) *protoregistry.Files {
	t.Helper()
	header := `syntax = "proto3";
		package admingateway.admin.v1;
		import "buf/validate/validate.proto";
		import "admingateway/options/v1/options.proto";
		import "admingateway/options/v1/rules.proto";
		import "google/api/annotations.proto";
		import "google/api/field_behavior.proto";
		import "google/protobuf/field_mask.proto";
		import "google/protobuf/struct.proto";
		import "google/protobuf/timestamp.proto";
		`
	compiler := protocompile.Compiler{Resolver: protocompile.CompositeResolver{
		&protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"api.proto": header + source})},
		protocompile.ResolverFunc(func(path string) (protocompile.SearchResult, error) {
			file, err := protoregistry.GlobalFiles.FindFileByPath(path)
			return protocompile.SearchResult{Desc: file}, err
		}),
	}}
	linked, err := compiler.Compile(context.Background(), "api.proto")
	if err != nil {
		t.Fatal(err)
	}
	// Through the wire, so that options are the types that are linked in here.
	wire, err := proto.Marshal(protodesc.ToFileDescriptorProto(linked[0]))
	if err != nil {
		t.Fatal(err)
	}
	parsed := &descriptorpb.FileDescriptorProto{}
	if err := proto.Unmarshal(wire, parsed); err != nil {
		t.Fatal(err)
	}
	file, err := protodesc.NewFile(parsed, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatal(err)
	}
	files := &protoregistry.Files{}
	if err := files.RegisterFile(file); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRunNeedsADescription(t *testing.T) {
	t.Parallel()
	var out, usage bytes.Buffer
	if err := run(t.Context(), nil, &out, &usage); err == nil || !strings.Contains(usage.String(), "-openapi") {
		t.Errorf("run() = %v, usage %q", err, usage.String())
	}
	if err := run(t.Context(), []string{"-openapi", t.TempDir() + "/none.json"}, &out, &usage); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run with a missing file = %v", err)
	}
}

func TestStaleExceptionFails(t *testing.T) {
	t.Parallel()
	files := compiled(t, agreedProto)
	const list = "# why\n\nGET /gone\topenapi\t*\t*\tit was there once\n"
	var out bytes.Buffer
	if err := checkOpenAPI(&out, []byte(agreedOpenAPI), []byte(list), files); !errors.Is(err, errDrift) {
		t.Errorf("checkOpenAPI = %v, want errDrift", err)
	}
	if diff := cmp.Diff("line 3 of the list of the openapi matches nothing: GET /gone\topenapi\t*\t*\n", out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestExceptionExplains(t *testing.T) {
	t.Parallel()
	files := compiled(t, strings.Replace(agreedProto, "string email = 1", "string mail = 1", 1))
	const list = "POST /users/{id}\t*\tresponse.user*\tstring\tno reason is too good\n" +
		"*\t*\tresponse.*mail\t*\tanother\n"
	var out bytes.Buffer
	if err := checkOpenAPI(&out, []byte(agreedOpenAPI), []byte("*\t*\tresponse.*mail\tstring\twhy\n"), files); err != nil {
		t.Errorf("checkOpenAPI = %v:\n%s", err, &out)
	}
	out.Reset()
	if err := checkOpenAPI(&out, []byte(agreedOpenAPI), []byte(list), files); !errors.Is(err, errDrift) {
		t.Errorf("checkOpenAPI with a line that matches nothing = %v", err)
	}
}

func TestExceptionNeedsAReason(t *testing.T) {
	t.Parallel()
	for _, list := range []string{"a\tb\tc\td\n", "a\tb\tc\td\t \n", "a\n", "a\tb\tc\td\te\tf\n"} {
		if _, err := readExceptions(strings.NewReader(list)); err == nil || !strings.Contains(err.Error(), "line 1") {
			t.Errorf("readExceptions(%q) = %v", list, err)
		}
	}
}
