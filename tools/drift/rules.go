package main

import (
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// rules are the buf.validate rules of a field.
type rules struct{ *validate.FieldRules }

func rulesOf(field protoreflect.FieldDescriptor) rules {
	r, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	return rules{r}
}

// elements returns the rules of a repeated field's elements.
func (r rules) elements() rules { return rules{r.GetRepeated().GetItems()} }

// values returns the rules of a map's values.
func (r rules) values() rules { return rules{r.GetMap().GetValues()} }

// required reports whether a request without the field is refused: by the rule of that
// name, or by one that the zero value breaks where zero means absent.
func (r rules) required(p presence) bool {
	if r.GetRequired() {
		return true
	}
	if p != implicit || r.GetIgnore() == validate.Ignore_IGNORE_IF_ZERO_VALUE {
		return false
	}
	b := r.bounds()
	return b["minLength"] > 0 || b["minItems"] > 0 || b["minimum"] > 0 ||
		proto.HasExtension(r.GetString(), optionsv1.E_PathId) ||
		len(r.strings()) > 0 && !slices.Contains(r.strings(), "") ||
		slices.Contains(r.GetEnum().GetNotIn(), 0) ||
		len(r.GetEnum().GetIn()) > 0 && !slices.Contains(r.GetEnum().GetIn(), 0)
}

// strings returns the only strings that the rules allow, nil for all.
func (r rules) strings() []string {
	if s := r.GetString(); s.HasConst() {
		return []string{s.GetConst()}
	}
	return r.GetString().GetIn()
}

// allowed returns the upstream's spelling of the enum's values that the rules allow.
// The zero value has none: it means unset.
func (r rules) allowed(enum protoreflect.EnumDescriptor) []string {
	var spellings []string
	values := enum.Values()
	for i := range values.Len() {
		value := values.Get(i)
		n := int32(value.Number())
		if n == 0 || slices.Contains(r.GetEnum().GetNotIn(), n) ||
			len(r.GetEnum().GetIn()) > 0 && !slices.Contains(r.GetEnum().GetIn(), n) {
			continue
		}
		spelling, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string)
		spellings = append(spellings, spelling)
	}
	return spellings
}

// bounds returns the limits that the rules set, in JSON Schema's terms.
func (r rules) bounds() bounds {
	b := make(bounds)
	if s := r.GetString(); s != nil {
		if s.HasLen() {
			b["minLength"], b["maxLength"] = float64(s.GetLen()), float64(s.GetLen())
		}
		if s.HasMinLen() {
			b["minLength"] = float64(s.GetMinLen())
		}
		if s.HasMaxLen() {
			b["maxLength"] = float64(s.GetMaxLen())
		}
	}
	if n := r.GetInt64(); n != nil {
		integerBounds[int64](b, n)
	}
	if n := r.GetInt32(); n != nil {
		integerBounds[int32](b, n)
	}
	if l := r.GetRepeated(); l != nil {
		if l.HasMinItems() {
			b["minItems"] = float64(l.GetMinItems())
		}
		if l.HasMaxItems() {
			b["maxItems"] = float64(l.GetMaxItems())
		}
	}
	return b
}

// integerRules are the rules of a field of a whole number of type N.
type integerRules[N int32 | int64] interface {
	HasGte() bool
	GetGte() N
	HasGt() bool
	GetGt() N
	HasLte() bool
	GetLte() N
	HasLt() bool
	GetLt() N
}

func integerBounds[N int32 | int64](b bounds, n integerRules[N]) {
	switch {
	case n.HasGte():
		b["minimum"] = float64(n.GetGte())
	case n.HasGt():
		b["minimum"] = float64(n.GetGt()) + 1
	}
	switch {
	case n.HasLte():
		b["maximum"] = float64(n.GetLte())
	case n.HasLt():
		b["maximum"] = float64(n.GetLt()) - 1
	}
}
