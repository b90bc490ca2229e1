package catalog_test

import (
	"bytes"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// TestClearUnsent: of every request with a mask, every field that the mask does not name.
// Nothing that is sent is cleared, and what stays is sent, or is for the gateway alone.
func TestClearUnsent(t *testing.T) {
	t.Parallel()
	var stayed []string
	fields := 0
	for _, m := range catalogtest.Gateway(t).Mirrored() {
		mask := fieldmask.Of(m.Request.Descriptor())
		if mask == nil {
			continue
		}
		for i := range m.Request.Descriptor().Fields().Len() {
			field := m.Request.Descriptor().Fields().Get(i)
			if field == mask || slices.Contains(m.Variables(), field) {
				continue
			}
			fields++
			request := m.Request.New()
			for _, variable := range m.Variables() {
				request.Set(variable, protoreflect.ValueOfString("id"))
			}
			set(request, field)
			m.ClearUnsent(request)
			if !request.Has(field) {
				t.Errorf("%s: without a mask %s is cleared", m.ShortName(), field.Name())
			}
			request.Mutable(mask) // Set, and without a path.
			before := bodyOf(t, m, request)
			m.ClearUnsent(request)
			if after := bodyOf(t, m, request); !bytes.Equal(before, after) {
				t.Errorf("%s: without %s the body is %s, and was %s", m.ShortName(), field.Name(), after, before)
			}
			if request.Has(field) && !slices.Contains(stayed, string(field.Name())) {
				stayed = append(stayed, string(field.Name()))
			}
			set(request, field)
			fieldmask.Add(request, mask, field.Name())
			m.ClearUnsent(request)
			if !request.Has(field) {
				t.Errorf("%s: %s is named, and cleared", m.ShortName(), field.Name())
			}
		}
	}
	slices.Sort(stayed)
	if want := []string{"allow_all_scopes", "expires_at", "expires_in_seconds"}; !slices.Equal(stayed, want) || fields < 30 {
		t.Errorf("of %d fields %q stay, want %q", fields, stayed, want)
	}
}

// set gives a field a value.
func set(request protoreflect.Message, field protoreflect.FieldDescriptor) {
	switch {
	case field.IsList():
		list := request.Mutable(field).List()
		list.Append(list.NewElement())
	case field.IsMap():
		entries := request.Mutable(field).Map()
		entries.Set(protoreflect.ValueOfString("k").MapKey(), entries.NewValue())
	case field.Message() != nil && field.Message().FullName() == "google.protobuf.Timestamp":
		request.Mutable(field).Message().Set(field.Message().Fields().ByName("seconds"), protoreflect.ValueOfInt64(1<<40))
	case field.Message() != nil:
		request.Mutable(field)
	case field.Enum() != nil:
		request.Set(field, protoreflect.ValueOfEnum(1))
	case field.Kind() == protoreflect.BoolKind:
		request.Set(field, protoreflect.ValueOfBool(true))
	case field.Kind() == protoreflect.StringKind:
		request.Set(field, protoreflect.ValueOfString("a"))
	default:
		request.Set(field, protoreflect.ValueOfInt64(1000))
	}
}

func bodyOf(t *testing.T, m *catalog.Method, request protoreflect.Message) []byte {
	t.Helper()
	sent, err := m.Endpoint.Request(proto.Clone(request.Interface()).ProtoReflect())
	if err != nil {
		t.Fatalf("%s: %v", m.ShortName(), err)
	}
	return sent.Body
}
