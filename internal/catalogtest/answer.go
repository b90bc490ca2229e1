package catalogtest

import (
	"encoding/json"
	"testing"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// LeastAnswer is the smallest JSON that the declaration of a mirrored method takes for
// an answer: the members that make it one. Its lists are empty, its strings are "x_1".
func LeastAnswer(tb testing.TB, m *catalog.Method) string {
	tb.Helper()
	text, err := json.Marshal(leastObject(AnswerOf(m)))
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// AnswerOf is the message that the upstream's JSON fills: the response of a method, or
// its field that is named by response_body.
func AnswerOf(m *catalog.Method) protoreflect.MessageDescriptor {
	md := m.Response.Descriptor()
	rule, _ := proto.GetExtension(m.Descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if body := md.Fields().ByName(protoreflect.Name(rule.GetResponseBody())); body != nil {
		return body.Message()
	}
	return md
}

func leastObject(md protoreflect.MessageDescriptor) map[string]any {
	members := make(map[string]any)
	for i := range md.Fields().Len() {
		fd := md.Fields().Get(i)
		if mapping := MappingOf(fd); mapping.GetEssential() {
			members[MemberOf(fd)] = leastValue(fd)
		}
	}
	return members
}

func leastValue(fd protoreflect.FieldDescriptor) any {
	if fd.Message() != nil {
		if choice, _ := proto.GetExtension(fd.Message().Options(), optionsv1.E_JsonChoice).(bool); choice {
			return leastValue(fd.Message().Fields().Get(0))
		}
	}
	switch {
	case fd.IsList():
		return []any{}
	case fd.Message() != nil && fd.Message().FullName() != "google.protobuf.Timestamp":
		return leastObject(fd.Message())
	case fd.Kind() == protoreflect.BoolKind:
		return true
	case fd.Kind() == protoreflect.StringKind || fd.Kind() == protoreflect.EnumKind:
		return "x_1"
	default:
		return 1
	}
}

// MappingOf is the declared mapping of a field; nil for none.
func MappingOf(fd protoreflect.FieldDescriptor) *optionsv1.FieldMapping {
	mapping, _ := proto.GetExtension(fd.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return mapping
}

// MemberOf is the name of a field in the upstream's JSON.
func MemberOf(fd protoreflect.FieldDescriptor) string {
	if name := MappingOf(fd).GetName(); name != "" {
		return name
	}
	return string(fd.Name())
}

// Discriminator is the member that names the variant, for a field that is one of a union
// in its message's own object; "" for any other field.
func Discriminator(fd protoreflect.FieldDescriptor) string {
	if fd.ContainingOneof() == nil {
		return ""
	}
	union, _ := proto.GetExtension(fd.ContainingOneof().Options(), optionsv1.E_Union).(*optionsv1.Union)
	if union.GetNested() {
		return ""
	}
	return union.GetDiscriminator()
}
