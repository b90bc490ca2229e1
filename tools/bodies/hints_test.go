package bodies

import (
	"slices"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/textkind"
)

// hint is the declaration of what a schema describes: it says which of the bodies that
// the schema allows the API does not send. The zero hint says nothing.
type hint struct {
	field   protoreflect.FieldDescriptor
	message protoreflect.MessageDescriptor
}

// hintOf is the hint for a field's value, or for an element of a list or a map.
func hintOf(field protoreflect.FieldDescriptor) hint {
	if field.IsMap() {
		return hintOf(field.MapValue())
	}
	return hint{field, field.Message()}
}

// member is the hint for a member of an object.
func (h hint) member(name string) hint {
	for _, message := range h.objects() {
		fields := message.Fields()
		for i := range fields.Len() {
			if jsonName(fields.Get(i)) == name {
				return hintOf(fields.Get(i))
			}
		}
	}
	return hint{}
}

// objects are the messages whose members an object may have: the message itself, and
// those that a union chooses from.
func (h hint) objects() (all []protoreflect.MessageDescriptor) {
	if h.message == nil {
		return nil
	}
	all = append(all, h.message)
	for i := range h.message.Oneofs().Len() {
		union := h.message.Oneofs().Get(i)
		rule := unionOf(union)
		if !isChoice(h.message) && (rule == nil || rule.GetNested()) {
			continue
		}
		for j := range union.Fields().Len() {
			if message := union.Fields().Get(j).Message(); message != nil {
				all = append(all, message)
			}
		}
	}
	return all
}

// element is the hint for an element of an array.
func (h hint) element() hint {
	for _, message := range h.objects() {
		if isArray(message) {
			return hintOf(message.Fields().Get(0))
		}
	}
	return h
}

// essential reports whether every answer has the member.
func (h hint) essential() bool { return h.field != nil && mapping(h.field).GetEssential() }

// The alphabets of texts, a letter first.
const (
	wordAlphabet = "abcxyz0189_-.:"
	idAlphabet   = wordAlphabet + "ABCXYZ"
	nameAlphabet = idAlphabet + "/@+="
)

// alphabet is that of a request's texts; "" for any text.
func (h hint) alphabet() string {
	if h.field == nil {
		return ""
	}
	switch textkind.Of(h.field) {
	case optionsv1.TextKind_TEXT_KIND_ID:
		return idAlphabet
	case optionsv1.TextKind_TEXT_KIND_WORD:
		return wordAlphabet
	case optionsv1.TextKind_TEXT_KIND_NAME:
		return nameAlphabet
	case optionsv1.TextKind_TEXT_KIND_CURSOR:
		return nameAlphabet + "!#$%&'()*,;<>?[]^`{|}~\\\""
	default:
		return ""
	}
}

// timestamp reports whether a number is an instant.
func (h hint) timestamp() bool {
	return h.message != nil && h.message.FullName() == "google.protobuf.Timestamp"
}

// choose removes members of which the API sends one at most.
func (h hint) choose(n *node, pick func(int) int) {
	if h.message == nil || isChoice(h.message) {
		return
	}
	for i := range h.message.Oneofs().Len() {
		union := h.message.Oneofs().Get(i)
		rule := unionOf(union)
		if union.IsSynthetic() || rule != nil && !rule.GetNested() {
			continue
		}
		var names, present []string
		for j := range union.Fields().Len() {
			name := jsonName(union.Fields().Get(j))
			names = append(names, name)
			if n.member(name) != nil {
				present = append(present, name)
			}
		}
		chosen := ""
		if rule.GetNested() {
			if by := n.member(rule.GetDiscriminator()); by != nil {
				chosen = by.text
			}
		} else if len(present) > 0 {
			chosen = present[pick(len(present))]
		}
		n.without(func(name string) bool { return name != chosen && slices.Contains(names, name) })
	}
}

// unions are the names of the objects among which a member of an object chooses.
func (h hint) unions() (discriminator string, names []string) {
	if h.message == nil {
		return "", nil
	}
	for i := range h.message.Oneofs().Len() {
		union := h.message.Oneofs().Get(i)
		if rule := unionOf(union); rule.GetNested() {
			for j := range union.Fields().Len() {
				names = append(names, jsonName(union.Fields().Get(j)))
			}
			return rule.GetDiscriminator(), names
		}
	}
	return "", nil
}

// largest is the number of objects of the largest union in the items of a list.
func largest(message protoreflect.MessageDescriptor) int {
	most := 0
	for i := range message.Fields().Len() {
		if item := message.Fields().Get(i).Message(); item != nil {
			for j := range item.Oneofs().Len() {
				most = max(most, item.Oneofs().Get(j).Fields().Len())
			}
		}
	}
	return most
}

func httpRule(m protoreflect.MethodDescriptor) *annotations.HttpRule {
	rule, _ := proto.GetExtension(m.Options(), annotations.E_Http).(*annotations.HttpRule)
	return rule
}

func mapping(field protoreflect.FieldDescriptor) *optionsv1.FieldMapping {
	m, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return m
}

func unionOf(oneof protoreflect.OneofDescriptor) *optionsv1.Union {
	u, _ := proto.GetExtension(oneof.Options(), optionsv1.E_Union).(*optionsv1.Union)
	return u
}

func isArray(m protoreflect.MessageDescriptor) bool {
	return proto.GetExtension(m.Options(), optionsv1.E_JsonArray) == true
}

func isChoice(m protoreflect.MessageDescriptor) bool {
	return proto.GetExtension(m.Options(), optionsv1.E_JsonChoice) == true
}

// jsonName is the name of a field's member.
func jsonName(field protoreflect.FieldDescriptor) string {
	if name := mapping(field).GetName(); name != "" {
		return name
	}
	return string(field.Name())
}
