package bodies

import (
	"fmt"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// read is the JSON that a message stands for, by the comments of its options. It
// returns nil for no value.
func read(m protoreflect.Message) *node {
	md := m.Descriptor()
	switch {
	case md.FullName() == "google.protobuf.Timestamp":
		return instant(m)
	case md.FullName() == "google.protobuf.Struct":
		return free(m.Get(md.Fields().ByName("fields")))
	case md.FullName() == "google.protobuf.Value":
		return freeValue(m)
	case isArray(md):
		n := readField(m, md.Fields().Get(0))
		n.zero = false
		return n
	case isChoice(md):
		chosen := m.WhichOneof(md.Oneofs().Get(0))
		if chosen == nil {
			return nil
		}
		return readField(m, chosen)
	}
	n := &node{kind: structure}
	for i := range md.Fields().Len() {
		field := md.Fields().Get(i)
		if union := field.ContainingOneof(); union != nil && unionOf(union) != nil && !unionOf(union).GetNested() {
			continue
		}
		if value := readField(m, field); value != nil {
			n.members = append(n.members, member{name: jsonName(field), value: value})
		}
	}
	for i := range md.Oneofs().Len() {
		union := md.Oneofs().Get(i)
		chosen := m.WhichOneof(union)
		if rule := unionOf(union); rule == nil || rule.GetNested() || chosen == nil {
			continue
		}
		n.members = append(n.members, member{name: unionOf(union).GetDiscriminator(), value: &node{kind: text, text: jsonName(chosen)}})
		if value := readField(m, chosen); value != nil {
			n.members = append(n.members, value.members...)
		}
	}
	return n
}

// readField returns nil for a field that is not set.
func readField(m protoreflect.Message, field protoreflect.FieldDescriptor) *node {
	value := m.Get(field)
	switch {
	case field.HasPresence() && !m.Has(field):
		return nil
	case field.IsList():
		n := &node{kind: array, zero: value.List().Len() == 0}
		for i := range value.List().Len() {
			n.items = append(n.items, readOne(value.List().Get(i), field))
		}
		return n
	case field.IsMap():
		n := &node{kind: structure, zero: value.Map().Len() == 0}
		value.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
			n.members = append(n.members, member{name: key.String(), value: readOne(value, field.MapValue())})
			return true
		})
		n.sort()
		return n
	case field.Kind() == protoreflect.EnumKind && value.Enum() == 0, mapping(field).GetDecimal() && value.String() == "":
		return nil
	}
	n := readOne(value, field)
	if n != nil {
		n.zero = !field.HasPresence() && !m.Has(field)
	}
	return n
}

// readOne reads a single value.
func readOne(v protoreflect.Value, field protoreflect.FieldDescriptor) *node {
	switch field.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return read(v.Message())
	case protoreflect.EnumKind:
		value := field.Enum().Values().ByNumber(v.Enum())
		if value == nil || v.Enum() == 0 {
			return &node{kind: text, text: fmt.Sprintf("number %d of %s", v.Enum(), field.Enum().FullName())}
		}
		spelled, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string)
		return &node{kind: text, text: spelled}
	case protoreflect.StringKind:
		if mapping(field).GetDecimal() {
			return &node{kind: decimal, text: v.String()}
		}
		return &node{kind: text, text: v.String()}
	case protoreflect.BoolKind:
		return &node{kind: boolean, text: strconv.FormatBool(v.Bool())}
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return &node{kind: number, text: strconv.FormatFloat(v.Float(), 'g', -1, 64)}
	default:
		return &node{kind: number, text: v.String()}
	}
}

// instant is a number of seconds. A fraction is not JSON of the API, and so equals
// nothing that was sent.
func instant(m protoreflect.Message) *node {
	fields := m.Descriptor().Fields()
	n := &node{kind: number, text: m.Get(fields.ByName("seconds")).String()}
	if nanos := m.Get(fields.ByName("nanos")).Int(); nanos != 0 {
		n.text += fmt.Sprintf(".%09d", nanos)
	}
	return n
}

// free reads the fields of a google.protobuf.Struct.
func free(v protoreflect.Value) *node {
	n := &node{kind: structure}
	v.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		n.members = append(n.members, member{name: key.String(), value: freeValue(value.Message())})
		return true
	})
	n.sort()
	return n
}

// freeValue reads a google.protobuf.Value.
func freeValue(m protoreflect.Message) *node {
	field := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if field == nil {
		return nil
	}
	switch value := m.Get(field); field.Name() {
	case "null_value":
		return &node{kind: null}
	case "list_value":
		n := &node{kind: array}
		items := value.Message().Get(value.Message().Descriptor().Fields().Get(0)).List()
		for i := range items.Len() {
			n.items = append(n.items, freeValue(items.Get(i).Message()))
		}
		return n
	default:
		return readOne(value, field)
	}
}
