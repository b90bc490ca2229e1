// Package catalogtest has the gateway's catalog, and copies of its declarations that
// a test may change. It is for tests alone.
package catalogtest

import (
	"sync"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // the RPCs of the catalog
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// compiled is the catalog of this process: it is immutable, and tests share it.
//
//nolint:gochecknoglobals // A value that is computed once and never changes.
var compiled = sync.OnceValues(func() (*catalog.Catalog, error) { return catalog.New(catalog.Files(), nil) })

// Gateway is the catalog of the gateway, which counts no drift.
func Gateway(tb testing.TB) *catalog.Catalog {
	tb.Helper()
	methods, err := compiled()
	if err != nil {
		tb.Fatal(err)
	}
	return methods
}

// Method is a mirrored method of the gateway by its name without the package:
// "ProjectService/GetProject".
func Method(tb testing.TB, name string) *catalog.Method {
	tb.Helper()
	m, ok := Gateway(tb).Lookup("/" + string(catalog.MirrorPackage) + "." + name)
	if !ok {
		tb.Fatalf("the catalog has no %s", name)
	}
	return m
}

// Declarations is a copy of a file that a test may change.
type Declarations struct {
	File *descriptorpb.FileDescriptorProto
}

// CopyOf copies a file.
func CopyOf(file protoreflect.FileDescriptor) Declarations {
	return Declarations{proto.CloneOf(protodesc.ToFileDescriptorProto(file))}
}

// Method finds an RPC of the file's first service.
func (d Declarations) Method(t *testing.T, name string) *descriptorpb.MethodDescriptorProto {
	t.Helper()
	for _, m := range d.File.GetService()[0].GetMethod() {
		if m.GetName() == name {
			return m
		}
	}
	t.Fatalf("%s has no rpc %s", d.File.GetName(), name)
	return nil
}

// Build makes descriptors of the copy; its imports are those of the program.
func (d Declarations) Build(t *testing.T) protoreflect.FileDescriptor {
	t.Helper()
	file, err := protodesc.NewFile(d.File, protoregistry.GlobalFiles)
	if err != nil {
		t.Fatalf("the changed file is not a valid one: %v", err)
	}
	return file
}

// EditPolicy changes the policy that an RPC declares.
func EditPolicy(t *testing.T, m *descriptorpb.MethodDescriptorProto, edit func(*optionsv1.Policy)) {
	t.Helper()
	policy, ok := proto.GetExtension(m.GetOptions(), optionsv1.E_Policy).(*optionsv1.Policy)
	if !ok || policy == nil {
		t.Fatalf("rpc %s declares no policy", m.GetName())
	}
	edit(policy)
	proto.SetExtension(m.GetOptions(), optionsv1.E_Policy, policy)
}

// EditHTTP changes the HTTP rule that an RPC declares.
func EditHTTP(t *testing.T, m *descriptorpb.MethodDescriptorProto, edit func(*annotations.HttpRule)) {
	t.Helper()
	rule, ok := proto.GetExtension(m.GetOptions(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		t.Fatalf("rpc %s declares no http rule", m.GetName())
	}
	edit(rule)
	proto.SetExtension(m.GetOptions(), annotations.E_Http, rule)
}
