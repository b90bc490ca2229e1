package schema

import (
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// segmentPattern is the rule path_id in the words of JSON Schema. The rule also
// refuses "." and "..", and counts bytes where JSON Schema counts characters.
const (
	segmentPattern = `^[^/\\?#%\x00-\x1f\x7f]+$`
	segmentMost    = 256
)

// rulesOf returns the buf.validate rules of a field, nil when it has none.
func rulesOf(field protoreflect.FieldDescriptor) *validate.FieldRules {
	r, _ := proto.GetExtension(field.Options(), validate.E_Field).(*validate.FieldRules)
	return r
}

// numeric are the rules of a number that JSON Schema has a keyword for, by their
// names in the rules of every numeric type.
var numeric = map[protoreflect.Name]string{
	"gte": "minimum", "gt": "exclusiveMinimum", "lte": "maximum", "lt": "exclusiveMaximum", "const": "const",
}

// bound adds to a schema what the rules say of one value. What JSON Schema has no
// keyword for, such as a CEL expression, is left out: the gateway checks it all
// the same.
func bound(schema *object, rules *validate.FieldRules) {
	switch {
	case rules == nil:
	case rules.GetString() != nil:
		boundString(schema, rules.GetString())
	case rules.GetInt32() != nil:
		boundNumber(schema, rules.GetInt32().ProtoReflect())
	case rules.GetInt64() != nil:
		boundNumber(schema, rules.GetInt64().ProtoReflect())
	case rules.GetUint32() != nil:
		boundNumber(schema, rules.GetUint32().ProtoReflect())
	case rules.GetUint64() != nil:
		boundNumber(schema, rules.GetUint64().ProtoReflect())
	case rules.GetDouble() != nil:
		boundNumber(schema, rules.GetDouble().ProtoReflect())
	}
}

func boundNumber(schema *object, rules protoreflect.Message) {
	fields := rules.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if keyword := numeric[field.Name()]; keyword != "" && rules.Has(field) {
			schema.set(keyword, rules.Get(field).Interface())
		}
	}
}

func boundString(schema *object, rules *validate.StringRules) {
	if isSegment(rules) {
		schema.set("minLength", 1)
		schema.set("maxLength", segmentMost)
		schema.set("pattern", segmentPattern)
	}
	if rules.HasLen() {
		schema.set("minLength", rules.GetLen())
		schema.set("maxLength", rules.GetLen())
	}
	if rules.HasMinLen() {
		schema.set("minLength", rules.GetMinLen())
	}
	if rules.HasMaxLen() {
		schema.set("maxLength", rules.GetMaxLen())
	}
	if rules.HasPattern() {
		schema.set("pattern", rules.GetPattern())
	}
	if rules.HasConst() {
		schema.set("const", rules.GetConst())
	}
	if len(rules.GetIn()) > 0 {
		schema.set("enum", rules.GetIn())
	}
}

// boundList adds what the rules say of a list as a whole.
func boundList(schema *object, rules *validate.RepeatedRules) {
	if rules.HasMinItems() {
		schema.set("minItems", rules.GetMinItems())
	}
	if rules.HasMaxItems() {
		schema.set("maxItems", rules.GetMaxItems())
	}
	if rules.GetUnique() {
		schema.set("uniqueItems", true)
	}
}

// allowed returns the values of an enum that the rules let through and that have
// a spelling. The zero value says that nothing is said.
func allowed(enum protoreflect.EnumDescriptor, rules *validate.EnumRules) []protoreflect.EnumValueDescriptor {
	var values []protoreflect.EnumValueDescriptor
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		n := int32(value.Number())
		switch {
		case n == 0 || spelling(value) == "":
		case rules.HasConst() && rules.GetConst() != n:
		case len(rules.GetIn()) > 0 && !slices.Contains(rules.GetIn(), n):
		case slices.Contains(rules.GetNotIn(), n):
		default:
			values = append(values, value)
		}
	}
	return values
}
