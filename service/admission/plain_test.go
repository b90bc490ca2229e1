package admission_test

import (
	"fmt"
	"strings"
	"testing"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"buf.build/go/protovalidate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	adminv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/racing"
	"github.com/admin-gateway/admin-gateway/service/admission"
)

// validators are that of the gateway, and protovalidate's.
func validators(tb testing.TB) (admission.Validator, protovalidate.Validator) {
	tb.Helper()
	ours, err := admission.NewValidator()
	if err != nil {
		tb.Fatal(err)
	}
	theirs, err := protovalidate.New()
	if err != nil {
		tb.Fatal(err)
	}
	return ours, theirs
}

// texts draws what an identifier may be, and what it must not be.
func texts() *rapid.Generator[string] {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z]{2,6}[-_][A-Za-z0-9]{1,24}`),
		rapid.SampledFrom([]string{"", ".", "..", "...", "a/b", `a\b`, "a?b", "a#b", "a%2fb", "a b", "a\x00", "a\x7f", "a\x1f", "ä", "\u202e", "\u2028", strings.Repeat("a", 256), strings.Repeat("a", 257), strings.Repeat("ä", 129)}),
		rapid.String(),
	)
}

// numbers draws the bounds that fields have, and what is beside them.
func numbers() *rapid.Generator[int32] {
	return rapid.Custom(func(t *rapid.T) int32 {
		bounds := []int32{0, 1, 20, 31, 50, 100, 180, 500, 1000, 2000}
		return rapid.SampledFrom(bounds).Draw(t, "bound") + rapid.Int32Range(-1, 1).Draw(t, "beside it")
	})
}

// set sets a field to something that it may be, or must not be.
func set(t *rapid.T, m protoreflect.Message, field protoreflect.FieldDescriptor) {
	value := protoreflect.Value{}
	switch field.Kind() { //nolint:exhaustive // Fields of other kinds have no rules, and stay empty.
	case protoreflect.StringKind:
		value = protoreflect.ValueOfString(texts().Draw(t, string(field.Name())))
	case protoreflect.Int32Kind:
		value = protoreflect.ValueOfInt32(numbers().Draw(t, string(field.Name())))
	case protoreflect.Int64Kind:
		value = protoreflect.ValueOfInt64(int64(numbers().Draw(t, string(field.Name()))))
	case protoreflect.EnumKind:
		value = protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.IntRange(0, 9).Draw(t, string(field.Name()))))
	case protoreflect.MessageKind:
		if !field.IsMap() {
			value = protoreflect.ValueOfMessage(emptyOf(m, field))
		}
	}
	switch {
	case !value.IsValid() || field.IsMap():
	case field.IsList():
		for range rapid.IntRange(0, 12).Draw(t, "elements") {
			m.Mutable(field).List().Append(value)
		}
	default:
		m.Set(field, value)
	}
}

// emptyOf is an empty message for a field.
func emptyOf(m protoreflect.Message, field protoreflect.FieldDescriptor) protoreflect.Message {
	if field.IsList() {
		return m.NewField(field).List().NewElement().Message()
	}
	return m.NewField(field).Message()
}

// TestValidatorIsProtovalidate: whatever is decided without protovalidate, it decides so,
// too, and in the same words.
func TestValidatorIsProtovalidate(t *testing.T) {
	t.Parallel()
	ours, theirs := validators(t)
	var accepted, refused int
	for _, m := range racing.Some(catalogtest.Gateway(t).Methods(), 20) {
		fields := m.Request.Descriptor().Fields()
		rapid.Check(t, func(t *rapid.T) {
			request := m.Request.New()
			for i := range fields.Len() {
				if field := fields.Get(i); rapid.IntRange(0, 3).Draw(t, "left out") > 0 {
					set(t, request, field)
				}
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

// TestRulesThatNoRequestHas: rules about what is not there count, also where the schema of
// today has none that stands alone.
func TestRulesThatNoRequestHas(t *testing.T) {
	t.Parallel()
	ours, theirs := validators(t)
	field := func(rules *validate.FieldRules) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{
			Name: proto.String("value"), Number: proto.Int32(1), Type: descriptorpb.FieldDescriptorProto_TYPE_INT32.Enum(),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Options: new(descriptorpb.FieldOptions),
		}
		proto.SetExtension(f.Options, validate.E_Field, rules)
		return f
	}
	optional := func(f *descriptorpb.FieldDescriptorProto) *descriptorpb.FieldDescriptorProto {
		f.Proto3Optional, f.OneofIndex = proto.Bool(true), proto.Int32(0)
		return f
	}
	repeated := field(validate.FieldRules_builder{Repeated: validate.RepeatedRules_builder{MinItems: proto.Uint64(1)}.Build()}.Build())
	repeated.Label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	positive := validate.FieldRules_builder{Int32: validate.Int32Rules_builder{Gte: proto.Int32(1), Lte: proto.Int32(9)}.Build()}.Build()
	for name, test := range map[string]struct {
		field   *descriptorpb.FieldDescriptorProto
		refused bool
	}{
		"required":                   {optional(field(validate.FieldRules_builder{Required: proto.Bool(true)}.Build())), true},
		"some items":                 {repeated, true},
		"a range without 0":          {field(positive), true},
		"an optional one of a range": {optional(field(positive)), false},
	} {
		message := &descriptorpb.DescriptorProto{Name: proto.String("Request"), Field: []*descriptorpb.FieldDescriptorProto{test.field}}
		if test.field.OneofIndex != nil {
			message.OneofDecl = []*descriptorpb.OneofDescriptorProto{{Name: proto.String("_value")}}
		}
		file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
			Name: proto.String("rules.proto"), Package: proto.String("test"), Syntax: proto.String("proto3"),
			MessageType: []*descriptorpb.DescriptorProto{message},
		}, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		empty := dynamicpb.NewMessage(file.Messages().Get(0))
		got, want := ours.Validate(empty), theirs.Validate(empty)
		if fmt.Sprint(got) != fmt.Sprint(want) || (want != nil) != test.refused {
			t.Errorf("%s: %v; protovalidate says %v", name, got, want)
		}
	}
}

// BenchmarkValidator is beside protovalidate alone.
func BenchmarkValidator(b *testing.B) {
	ours, theirs := validators(b)
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
