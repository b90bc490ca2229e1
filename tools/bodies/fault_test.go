package bodies

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// fault is a change of what arrived.
type fault struct {
	what string
	put  func()
}

// faults are the changes of single leaves of a message: each is dropped, each is
// changed, and each that has no value gets one.
func faults(m protoreflect.Message, path string) (all []fault) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		at := path + "." + string(field.Name())
		switch {
		case field.IsList():
			all = append(all, listFaults(m, field, at)...)
		case field.IsMap():
			all = append(all, mapFaults(m, field, at)...)
		case field.Message() != nil && m.Has(field):
			below := faults(m.Get(field).Message(), at)
			if len(below) == 0 { // An object without members is a leaf.
				below = []fault{{at + " dropped", func() { m.Clear(field) }}}
			}
			all = append(all, below...)
		case field.Message() != nil, field.ContainingOneof() != nil && !m.Has(field) && !field.HasOptionalKeyword():
			// An object that is not there, or another member of a union.
		default:
			all = append(all, scalarFaults(m, field, at)...)
		}
	}
	return all
}

func listFaults(m protoreflect.Message, field protoreflect.FieldDescriptor, at string) (all []fault) {
	if !m.Has(field) {
		return nil
	}
	items := m.Get(field).List()
	all = append(all, fault{at + " without its last element", func() { items.Truncate(items.Len() - 1) }})
	for i := range items.Len() {
		if field.Message() != nil {
			all = append(all, faults(items.Get(i).Message(), at)...)
		} else if other, ok := different(items.Get(i), field); ok {
			all = append(all, fault{at + " with another element", func() { items.Set(i, other) }})
		}
	}
	return all
}

func mapFaults(m protoreflect.Message, field protoreflect.FieldDescriptor, at string) (all []fault) {
	if !m.Has(field) {
		return nil
	}
	pairs := m.Get(field).Map()
	pairs.Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
		at := fmt.Sprintf("%s[%q]", at, key.String())
		all = append(all, fault{at + " dropped", func() { pairs.Clear(key) }})
		if field.MapValue().Message() != nil {
			all = append(all, faults(value.Message(), at)...)
		} else if other, ok := different(value, field.MapValue()); ok {
			all = append(all, fault{at + " changed", func() { pairs.Set(key, other) }})
		}
		return true
	})
	return all
}

func scalarFaults(m protoreflect.Message, field protoreflect.FieldDescriptor, at string) (all []fault) {
	if other, ok := different(m.Get(field), field); ok {
		what := " changed"
		if field.HasPresence() && !m.Has(field) {
			what = " invented"
		}
		all = append(all, fault{at + what, func() { m.Set(field, other) }})
	}
	if m.Has(field) { // Without presence, it has a field that is not zero.
		all = append(all, fault{at + " dropped", func() { m.Clear(field) }})
	}
	return all
}

// sortFaults gives faults an order that does not depend on that of maps.
func sortFaults(all []fault) {
	slices.SortStableFunc(all, func(a, b fault) int { return strings.Compare(a.what, b.what) })
}

// different is another value than a field has.
func different(v protoreflect.Value, field protoreflect.FieldDescriptor) (protoreflect.Value, bool) {
	switch field.Kind() { //nolint:exhaustive // The protos have no fields of the other kinds.
	case protoreflect.StringKind:
		if mapping(field).GetDecimal() {
			return protoreflect.ValueOfString("1" + v.String()), true
		}
		return protoreflect.ValueOfString(v.String() + "~"), true
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(!v.Bool()), true
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(v.Int() ^ 1), true
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(v.Int()) ^ 1), true
	case protoreflect.DoubleKind:
		if v.Float() == 0 {
			return protoreflect.ValueOfFloat64(1), true
		}
		return protoreflect.ValueOfFloat64(-v.Float()), true
	case protoreflect.EnumKind:
		values := field.Enum().Values()
		for i := range values.Len() {
			if n := values.Get(i).Number(); n != v.Enum() && n != 0 {
				return protoreflect.ValueOfEnum(n), true
			}
		}
	}
	return protoreflect.Value{}, false
}

// damage drops or changes one leaf of a tree, and says which.
func damage(n *node, r *rand.Rand, path string) string {
	switch {
	case n.kind == structure && len(n.members) > 0:
		i := r.IntN(len(n.members))
		m := n.members[i]
		at := path + "." + m.name
		if m.value.leaf() && r.IntN(2) == 0 {
			n.members = slices.Delete(n.members, i, i+1)
			return at + " dropped"
		}
		return damage(m.value, r, at)
	case n.kind == array && len(n.items) > 0:
		return damage(n.items[r.IntN(len(n.items))], r, path+"[]")
	case n.kind == boolean:
		n.text = map[string]string{"true": "false", "false": "true"}[n.text]
	case n.kind == number, n.kind == text, n.kind == decimal:
		n.text = "1" + n.text
		if n.kind == number && n.text[1] == '-' {
			n.text = n.text[2:]
		}
	default: // A null, or nothing in it.
		*n = node{kind: text, text: "~"}
	}
	return path + " changed"
}
