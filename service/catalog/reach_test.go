package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestNoReachIsOverlooked: of every write about projects, every field that is declared
// to reach, at any depth. Without its declaration the catalog is not built.
func TestNoReachIsOverlooked(t *testing.T) {
	t.Parallel()
	var checked []string
	for _, file := range catalog.Files() {
		if file.Package() != catalog.MirrorPackage || file.Services().Len() == 0 {
			continue
		}
		methods := file.Services().Get(0).Methods()
		for i := range methods.Len() {
			policy, _ := proto.GetExtension(methods.Get(i).Options(), optionsv1.E_Policy).(*optionsv1.Policy)
			for at, r := range policy.GetReaches() {
				d := catalogtest.CopyOf(file)
				catalogtest.EditPolicy(t, d.Method(t, string(methods.Get(i).Name())), func(p *optionsv1.Policy) { p.Reaches = slices.Delete(p.Reaches, at, at+1) })
				want := fmt.Sprintf("rpc %s: has the request field %s, and does not say in reaches", methods.Get(i).FullName(), r.GetField())
				if _, err := catalog.New([]protoreflect.FileDescriptor{d.Build(t)}, nil); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s", err, want)
				}
				checked = append(checked, r.GetField())
			}
		}
	}
	for _, nested := range []string{"projects.values.role", "permissions.values", "scopes.values", "permissions.restricted.scopes"} {
		if !slices.Contains(checked, nested) {
			t.Errorf("%s is not declared anywhere", nested)
		}
	}
}

// TestReachesAreOfTheRequest: a declaration about what does not reach, or is not there, is
// refused.
func TestReachesAreOfTheRequest(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		reach *optionsv1.Reach
		want  string
	}{
		"no such field":           {&optionsv1.Reach{Field: "nobody", Within: true}, `reaches "nobody"`},
		"a field that is no id":   {&optionsv1.Reach{Field: "email", Within: true}, `reaches "email"`},
		"the project itself":      {&optionsv1.Reach{Field: "projects.values.id", Within: true}, `reaches "projects.values.id"`},
		"a field of a field":      {&optionsv1.Reach{Field: "projects.values.nobody", Within: true}, `reaches "projects.values.nobody"`},
		"twice":                   {&optionsv1.Reach{Field: "role", Within: true}, "twice"},
		"within and values":       {&optionsv1.Reach{Field: "projects.values.role", Within: true, Values: []string{"member"}}, "within"},
		"a value that is no role": {&optionsv1.Reach{Field: "projects.values.role", Values: []string{"nobody"}}, `no value "nobody"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := catalogtest.CopyOf(adminv1.File_admingateway_admin_v1_invite_proto)
			catalogtest.EditPolicy(t, d.Method(t, "CreateInvite"), func(p *optionsv1.Policy) {
				p.Reaches = append(slices.DeleteFunc(p.Reaches, func(r *optionsv1.Reach) bool { return r.GetField() != "role" && r.GetField() == test.reach.GetField() }), test.reach)
			})
			if _, err := catalog.New([]protoreflect.FileDescriptor{d.Build(t)}, nil); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}
