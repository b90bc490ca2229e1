package schema

import (
	"context"
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1" // the files that are described
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/inventory/v1"
	"github.com/admin-gateway/admin-gateway/proto"
)

// linkedFiles are the gateway's files with services, and what is beside them.
func linkedFiles() []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	for _, name := range []protoreflect.FullName{"admingateway.admin.v1", "admingateway.control.v1", "admingateway.inventory.v1"} {
		protoregistry.GlobalFiles.RangeFilesByPackage(name, func(file protoreflect.FileDescriptor) bool {
			files = append(files, file)
			return true
		})
	}
	slices.SortFunc(files, func(a, b protoreflect.FileDescriptor) int { return strings.Compare(a.Path(), b.Path()) })
	return files
}

// shared is the gateway's schema, which never changes: compiling the sources is
// most of the time of a test.
var shared = sync.OnceValues(func() (*Schema, error) {
	return New(context.Background(), linkedFiles(), proto.Sources)
})

func theSchema(t *testing.T) *Schema {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// sources is a copy that a test may change.
func sources(t *testing.T) fstest.MapFS {
	t.Helper()
	files := make(fstest.MapFS)
	err := fs.WalkDir(proto.Sources, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(proto.Sources, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// openAPI is the description, decoded.
func openAPI(t *testing.T, s *Schema) node {
	t.Helper()
	text, err := s.OpenAPI("test")
	if err != nil {
		t.Fatal(err)
	}
	var root any
	if err := json.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	return node{t, root, root}
}

// node is a place in the description.
type node struct {
	t           *testing.T
	root, value any
}

// at walks down members by name, and follows references. It fails the test where
// there is none.
func (n node) at(names ...string) node {
	n.t.Helper()
	for _, name := range names {
		next, ok := n.has(name)
		if !ok {
			n.t.Fatalf("no %q of %v", name, names)
		}
		n = next
	}
	return n
}

func (n node) has(name string) (node, bool) {
	object, _ := n.follow().value.(map[string]any)
	value, ok := object[name]
	return node{n.t, n.root, value}.follow(), ok
}

// follow resolves a reference, also the one of a field: within allOf, or within
// anyOf beside a null.
func (n node) follow() node {
	n.t.Helper()
	object, _ := n.value.(map[string]any)
	for _, keyword := range []string{"allOf", "anyOf"} {
		if list, ok := object[keyword].([]any); ok {
			return node{n.t, n.root, list[0]}.follow()
		}
	}
	path, ok := object["$ref"].(string)
	if !ok {
		return n
	}
	return node{n.t, n.root, n.root}.at(strings.Split(strings.TrimPrefix(path, "#/"), "/")...)
}

// parameter finds a parameter of an operation.
func (n node) parameter(name string) (node, bool) {
	list, _ := n.at("parameters").value.([]any)
	for _, item := range list {
		if p := (node{n.t, n.root, item}).follow(); p.at("name").value == name {
			return p, true
		}
	}
	return node{}, false
}
