package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/service/admission"
)

// texts draws what an identifier may be, and what it must not be.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z]{2,6}[-_][A-Za-z0-9]{1,24}`),
		rapid.SampledFrom([]string{"", ".", "..", "...", "a/b", `a\b`, "a?b", "a#b", "a%2fb", "a b", "a\x00", "a\x7f", "a\x1f", "ä", "\u202e", "\u2028", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("ä", 129)}),
		rapid.String(),
	)
}

// TestValidatorIsProtovalidate: whatever is decided without protovalidate, it decides so,
// too, and in the same words.
func TestValidatorIsProtovalidate(t *testing.T) {
	t.Parallel()
	ours, err := admission.NewValidator()
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := protovalidate.New()
	if err != nil {
		t.Fatal(err)
	}
	var accepted, refused int
	for _, m := range racing.Some(catalogtest.Gateway(t).Methods(), 12) {
		fields := m.Request.Descriptor().Fields()
		rapid.Check(t, func(t *rapid.T) {
			request := m.Request.New()
			for i := range fields.Len() {
				field := fields.Get(i)
				if field.Kind() != protoreflect.StringKind || field.IsList() || rapid.IntRange(0, 9).Draw(t, "left out") == 0 {
					continue
				}
				request.Set(field, protoreflect.ValueOfString(texts().Draw(t, string(field.Name()))))
			}
			got, want := ours.Validate(request.Interface()), theirs.Validate(request.Interface())
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Fatalf("%s: %v; protovalidate says %v", m.Procedure, got, want)
			}
			if want == nil {
				accepted++
			} else {
				refused++
			}
		})
	}
	if accepted < 20 || refused < 20 {
		t.Errorf("%d were accepted and %d refused", accepted, refused)
	}
}

// BenchmarkValidator is beside protovalidate alone.
func BenchmarkValidator(b *testing.B) {
	ours, err := admission.NewValidator()
	if err != nil {
		b.Fatal(err)
	}
	theirs, err := protovalidate.New()
	if err != nil {
		b.Fatal(err)
	}
	for name, request := range map[string]proto.Message{
		"get":  &adminv1.GetProjectRequest{ProjectId: "proj_0123456789abcdef"},
		"list": &adminv1.ListProjectApiKeysRequest{ProjectId: "proj_0123456789abcdef", Limit: proto.Int32(100)},
	} {
		for of, validate := range map[string]func(proto.Message) error{
			"gateway":       ours.Validate,
			"protovalidate": func(m proto.Message) error { return theirs.Validate(m) },
		} {
			b.Run(name+"/"+of, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := validate(request); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
