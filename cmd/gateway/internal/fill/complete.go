package fill

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Begun is the beginning of a field as [Request] takes it.
type Begun struct {
	// Text is "name=", "name=value" where the values are known, or "name." where fields of
	// the message follow.
	Text string
	// Help says what the value is.
	Help string
}

// Complete returns how a field of a message goes on that begins with prefix: with the names
// of the fields of the message that the dots lead to, or with the values of an enum or a
// truth value. It returns nothing where the prefix leads nowhere.
func Complete(of protoreflect.MessageDescriptor, prefix string) []Begun {
	if name, _, ok := strings.Cut(prefix, "="); ok {
		return values(of, name)
	}
	path := ""
	for {
		name, _, ok := strings.Cut(prefix[len(path):], ".")
		if !ok {
			break
		}
		field := of.Fields().ByName(protoreflect.Name(name))
		if field == nil || !nested(field) {
			return nil
		}
		of, path = field.Message(), path+name+"."
	}
	var all []Begun
	for i := range of.Fields().Len() {
		field := of.Fields().Get(i)
		text := path + string(field.Name())
		if nested(field) {
			text += "."
		} else {
			text += "="
		}
		all = append(all, Begun{text, kindOf(field)})
	}
	return all
}

// values are the known values of the field that a name leads to.
func values(of protoreflect.MessageDescriptor, name string) []Begun {
	path := strings.Split(name, ".")
	for _, part := range path[:len(path)-1] {
		field := of.Fields().ByName(protoreflect.Name(part))
		if field == nil || !nested(field) {
			return nil
		}
		of = field.Message()
	}
	field := of.Fields().ByName(protoreflect.Name(path[len(path)-1]))
	switch {
	case field == nil || field.IsMap():
		return nil
	case field.Kind() == protoreflect.BoolKind:
		return []Begun{{name + "=true", ""}, {name + "=false", ""}}
	case field.Enum() == nil:
		return nil
	}
	var all []Begun
	for i := range field.Enum().Values().Len() {
		// The first value of an enum stands for none.
		if value := field.Enum().Values().Get(i); value.Number() != 0 {
			all = append(all, Begun{name + "=" + string(value.Name()), ""})
		}
	}
	return all
}

// nested says whether the fields of a message may be given one by one.
func nested(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && !field.IsList() && !field.IsMap() && !textual(field) &&
		field.Message().ParentFile().Package() != "google.protobuf"
}

// kindOf says what the value of a field is.
func kindOf(field protoreflect.FieldDescriptor) string {
	kind := field.Kind().String()
	switch {
	case field.IsMap():
		return "map"
	case field.Message() != nil:
		kind = string(field.Message().Name())
	case field.Enum() != nil:
		kind = string(field.Enum().Name())
	}
	if field.IsList() {
		return kind + ", repeated"
	}
	return kind
}
