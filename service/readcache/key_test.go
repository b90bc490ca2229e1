package readcache

import (
	"slices"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/cache"
	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// The two ways to name what a read depends on are one.
func TestReadTagsAreTheMethodsTags(t *testing.T) {
	t.Parallel()
	methods, err := catalog.New([]protoreflect.FileDescriptor{
		adminv1.File_admingateway_admin_v1_project_user_proto, adminv1.File_admingateway_admin_v1_usage_proto, adminv1.File_admingateway_admin_v1_user_proto,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(methods.Mirrored()).Draw(t, "method")
		if !m.Read {
			return
		}
		request := m.Request.New()
		fields := m.Descriptor.Input().Fields()
		for i := range fields.Len() {
			field := fields.Get(i)
			switch {
			case field.Kind() != protoreflect.StringKind:
			case field.IsList():
				for _, id := range rapid.SliceOf(rapid.String()).Draw(t, string(field.Name())) {
					request.Mutable(field).List().Append(protoreflect.ValueOfString(id))
				}
			default:
				request.Set(field, protoreflect.ValueOfString(rapid.String().Draw(t, string(field.Name()))))
			}
		}
		slow := cache.NewTags("org", Tags(m, request)...)
		if fast := readTags("org", m, request); !slices.Equal(fast.Slots(), slow.Slots()) || fast.Org() != "org" {
			t.Fatalf("%s: %v, want %v", m.Name(), fast, slow)
		}
	})
}
