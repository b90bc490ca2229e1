package adminjson_test

import (
	"strconv"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/drawtest"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// roundTrip draws a message that can be sent, and wants it back as it was.
func roundTrip(codec *adminjson.Codec, md protoreflect.MessageDescriptor) func(*rapid.T) {
	return func(t *rapid.T) {
		m := dynamicpb.NewMessage(md)
		draw(t, m, 3)
		json, err := codec.AppendJSON(nil, m)
		if err != nil {
			t.Fatalf("%v: %v", m, err)
		}
		for name, read := range map[string]func([]byte, proto.Message) error{"leniently": codec.Unmarshal, "strictly": codec.UnmarshalStrict} {
			back := dynamicpb.NewMessage(md)
			if err := read(json, back); err != nil {
				t.Fatalf("read %s: %s: %v", name, json, err)
			}
			if !proto.Equal(m, back) {
				t.Fatalf("read %s: %s: -want +got:\n%s", name, json, cmp.Diff(m, back, protocmp.Transform()))
			}
		}
	}
}

// draw fills a message with values that the upstream can be sent.
func draw(t *rapid.T, m *dynamicpb.Message, depth int) {
	fds := m.Descriptor().Fields()
	one := drawtest.OneOf(t, m.Descriptor())
	for i := range fds.Len() {
		fd := fds.Get(i)
		if one != nil && fd.ContainingOneof() == one.ContainingOneof() {
			if fd == one {
				m.Set(fd, drawWhole(t, fd, depth))
			}
			continue
		}
		if drawtest.Unsent(fd) {
			continue
		}
		isMessage := fd.Kind() == protoreflect.MessageKind
		needed := fieldMapping(fd).GetEssential() // An empty list is not written.
		if !needed && (isMessage && (depth == 0 || fd.Message().Name() == "FieldMask") || !rapid.Bool().Draw(t, "set")) {
			continue
		}
		switch {
		case fd.IsMap():
			entries := m.Mutable(fd).Map()
			for i := range rapid.IntRange(1, 3).Draw(t, "entries") {
				name := strconv.Itoa(i) + rapid.String().Draw(t, "key")
				entries.Set(protoreflect.ValueOfString(name).MapKey(), drawValue(t, fd.MapValue(), depth))
			}
			continue
		case !fd.IsList():
			m.Set(fd, drawValue(t, fd, depth))
			continue
		}
		list := m.Mutable(fd).List()
		least := 0
		if needed {
			least = 1
		}
		for range rapid.IntRange(least, 3).Draw(t, "length") {
			list.Append(drawValue(t, fd, depth))
		}
	}
}

// drawWhole draws the value of a field that has to be set.
func drawWhole(t *rapid.T, fd protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	if fd.Kind() == protoreflect.DoubleKind {
		return drawtest.Fraction(t)
	}
	return drawValue(t, fd, max(depth, 1))
}

func drawValue(t *rapid.T, fd protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, "bool"))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(rapid.Int32().Draw(t, "int32"))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.Int64().Draw(t, "int64"))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(rapid.Uint32().Draw(t, "uint32"))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(rapid.Uint64().Draw(t, "uint64"))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.Float64().Draw(t, "double"))
	case protoreflect.EnumKind:
		values := fd.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(rapid.IntRange(1, values.Len()-1).Draw(t, "enum")).Number())
	case protoreflect.StringKind:
		if fieldMapping(fd).GetDecimal() {
			return protoreflect.ValueOfString(rapid.StringMatching(`-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?`).Draw(t, "decimal"))
		}
		return protoreflect.ValueOfString(rapid.String().Draw(t, "string"))
	default:
		return protoreflect.ValueOfMessage(drawMessage(t, fd.Message(), depth))
	}
}

func drawMessage(t *rapid.T, md protoreflect.MessageDescriptor, depth int) *dynamicpb.Message {
	m := dynamicpb.NewMessage(md)
	switch md.FullName() {
	case "google.protobuf.Timestamp":
		m.Set(md.Fields().ByName("seconds"), protoreflect.ValueOfInt64(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds")))
	case "google.protobuf.Struct":
		fields := md.Fields().ByName("fields")
		for i := range rapid.IntRange(0, 3).Draw(t, "members") {
			name := strconv.Itoa(i) + rapid.String().Draw(t, "name")
			m.Mutable(fields).Map().Set(protoreflect.ValueOfString(name).MapKey(), protoreflect.ValueOfMessage(drawMessage(t, fields.MapValue().Message(), depth-1)))
		}
	case "google.protobuf.Value":
		kinds := []protoreflect.Name{"null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value"}
		if depth <= 0 {
			kinds = kinds[:4]
		}
		fd := md.Fields().ByName(rapid.SampledFrom(kinds).Draw(t, "kind"))
		if fd.Name() == "null_value" {
			m.Set(fd, protoreflect.ValueOfEnum(0))
		} else {
			m.Set(fd, drawValue(t, fd, depth-1))
		}
	default:
		draw(t, m, depth-1)
	}
	return m
}

func fieldMapping(fd protoreflect.FieldDescriptor) *optionsv1.FieldMapping {
	m, _ := proto.GetExtension(fd.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return m
}
