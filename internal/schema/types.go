package schema

import (
	"fmt"
	"slices"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// direction says on whose behalf a type is described. What the gateway takes is
// strict: no unknown member, a null only where the upstream takes one. What it
// answers is the upstream's, which may have more members than this build knows.
type direction bool

const (
	taken    direction = true
	answered direction = false
)

// numberPattern is a JSON number, for a decimal that comes as a string.
const numberPattern = `^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`

// components collects the schemas of messages and enums that others refer to.
type components struct {
	comments map[protoreflect.FullName]string
	schemas  object
	owners   map[string]protoreflect.FullName
	faults   []error
}

// refer returns a reference to a component and tells whether it has yet to be
// described. Two types with one name are a fault.
func (c *components) refer(name string, d protoreflect.Descriptor) (reference object, isNew bool) {
	reference = object{{"$ref", "#/components/schemas/" + name}}
	owner, known := c.owners[name]
	switch {
	case !known:
		c.owners[name] = d.FullName()
		c.schemas.set(name, nil) // It may refer to itself.
		return reference, true
	case owner != d.FullName():
		c.faults = append(c.faults, fmt.Errorf("schema: %s and %s have the same name in OpenAPI", owner, d.FullName()))
	}
	return reference, false
}

// message describes a message that is the value of a field or a whole answer.
func (c *components) message(message protoreflect.MessageDescriptor, to direction) object {
	name := shortName(message)
	if to == taken {
		// Other members are allowed in it, and other nulls.
		name += "Input"
	}
	reference, isNew := c.refer(name, message)
	if isNew {
		fields := make([]protoreflect.FieldDescriptor, message.Fields().Len())
		for i := range fields {
			fields[i] = message.Fields().Get(i)
		}
		c.schemas.set(name, c.members(message, fields, to))
	}
	return reference
}

// body describes a request's body: the message without what is in the path.
func (c *components) body(message protoreflect.MessageDescriptor, fields []protoreflect.FieldDescriptor) object {
	name := shortName(message)
	reference, isNew := c.refer(name, message)
	if isNew {
		c.schemas.set(name, c.members(message, fields, taken))
	}
	return reference
}

func (c *components) members(message protoreflect.MessageDescriptor, fields []protoreflect.FieldDescriptor, to direction) object {
	schema := object{{"type", "object"}}
	if text := c.comments[message.FullName()]; text != "" {
		schema.set("description", text)
	}
	properties := object{}
	var required []string
	union, discriminator := unionOf(message)
	for _, field := range fields {
		if isOurs(field) || union != nil && field.ContainingOneof() == union {
			continue
		}
		properties.set(jsonName(field), c.field(field, to))
		if to == taken && isRequired(field) || to == answered && alwaysThere(field) {
			required = append(required, jsonName(field))
		}
	}
	schema.set("properties", properties)
	if len(required) > 0 {
		schema.set("required", required)
	}
	switch {
	case union != nil:
		c.unite(&schema, properties, union, discriminator, to)
	case to == taken:
		schema.set("additionalProperties", false)
	}
	return schema
}

// alwaysThere tells whether an answer has the member for certain. A plain scalar
// has no form of absence. An enum has one, its zero, and so has a list.
func alwaysThere(field protoreflect.FieldDescriptor) bool {
	return !field.HasPresence() && !field.IsList() && !field.IsMap() && field.Enum() == nil && !mapping(field).GetDecimal()
}

// page makes the lists of an answer required: a page without its items is none.
func (c *components) page(message protoreflect.MessageDescriptor) {
	schema, _ := c.schemas.get(shortName(message)).(object)
	required, _ := schema.get("required").([]string)
	for i := range message.Fields().Len() {
		if field := message.Fields().Get(i); field.IsList() && !slices.Contains(required, jsonName(field)) {
			required = append(required, jsonName(field))
		}
	}
	if len(required) > 0 {
		schema.set("required", required)
		c.schemas.set(shortName(message), schema)
	}
}

// field describes a member of an object, or a parameter.
func (c *components) field(field protoreflect.FieldDescriptor, to direction) object {
	null := mapping(field).GetNullable()
	if to == answered {
		null = field.HasPresence()
	}
	schema := c.value(field, to)
	if schema.get("$ref") != nil {
		// Not beside the description: many readers of OpenAPI forget one of them.
		if null {
			schema = object{{"anyOf", []object{schema, {{"type", "null"}}}}}
		} else {
			schema = object{{"allOf", []object{schema}}}
		}
	} else if null {
		nullable(&schema)
	}
	if text := c.comments[field.FullName()]; text != "" {
		schema = append(object{{"description", text}}, schema...)
	}
	return schema
}

// nullable lets a schema with types, or with an enum beside them, take a null.
func nullable(schema *object) {
	switch types := schema.get("type").(type) {
	case string:
		schema.set("type", []string{types, "null"})
	case []string:
		schema.set("type", append(types[:len(types):len(types)], "null"))
	}
	if values, ok := schema.get("enum").([]string); ok {
		with := make([]any, 0, len(values)+1)
		for _, value := range values {
			with = append(with, value)
		}
		schema.set("enum", append(with, nil))
	}
}

// value describes the value of a field that is there.
func (c *components) value(field protoreflect.FieldDescriptor, to direction) object {
	rules := rulesOf(field)
	if field.IsMap() {
		return c.entries(field, to)
	}
	if !field.IsList() {
		return c.single(field, rules, to)
	}
	schema := object{{"type", "array"}, {"items", c.single(field, rules.GetRepeated().GetItems(), to)}}
	if to == taken && rules.GetRepeated() != nil {
		boundList(&schema, rules.GetRepeated())
	}
	return schema
}

// single describes one value: of a field, or of an element of a list.
func (c *components) single(field protoreflect.FieldDescriptor, rules *validate.FieldRules, to direction) object {
	var schema object
	switch field.Kind() {
	case protoreflect.MessageKind:
		return c.ofMessage(field, to)
	case protoreflect.EnumKind:
		return c.enum(field.Enum(), rules.GetEnum(), to)
	case protoreflect.StringKind:
		schema = object{{"type", "string"}}
		if mapping(field).GetDecimal() {
			schema = object{{"type", []string{"number", "string"}}, {"pattern", numberPattern}}
		}
	case protoreflect.BoolKind:
		schema = object{{"type", "boolean"}}
	case protoreflect.Int32Kind:
		schema = object{{"type", "integer"}, {"format", "int32"}}
	case protoreflect.Int64Kind:
		schema = object{{"type", "integer"}, {"format", "int64"}}
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		schema = object{{"type", "integer"}, {"minimum", 0}}
	case protoreflect.DoubleKind:
		schema = object{{"type", "number"}, {"format", "double"}}
	default:
		c.faults = append(c.faults, place(field, "the kind %s has no form in JSON", field.Kind()))
	}
	if to == taken {
		bound(&schema, rules)
	}
	return schema
}

func (c *components) ofMessage(field protoreflect.FieldDescriptor, to direction) object {
	message := field.Message()
	switch message.FullName() {
	case "google.protobuf.Timestamp":
		return instant()
	case "google.protobuf.Struct":
		return object{{"type", "object"}, {"additionalProperties", true}}
	case "google.protobuf.ListValue":
		return object{{"type", "array"}, {"items", object{}}}
	case "google.protobuf.Value":
		return object{}
	}
	if message.ParentFile().Package() == "google.protobuf" {
		c.faults = append(c.faults, place(field, "%s has no form in JSON", message.FullName()))
		return nil
	}
	if elements := element(message); elements != nil {
		return c.value(elements, to)
	}
	if isChoice(message) {
		return c.choice(message, to)
	}
	return c.message(message, to)
}

// instant is a time as the upstream writes it.
func instant() object {
	return object{{"type", "integer"}, {"format", "int64"}, {"title", "Unix time in seconds"}}
}

// enum describes a closed set. One that the rules narrow is described in place.
func (c *components) enum(enum protoreflect.EnumDescriptor, rules *validate.EnumRules, to direction) object {
	every := allowed(enum, nil)
	if to == taken && rules != nil {
		if some := allowed(enum, rules); len(some) < len(every) {
			return object{{"type", "string"}, {"enum", spellings(some)}}
		}
	}
	name := shortName(enum)
	reference, isNew := c.refer(name, enum)
	if !isNew {
		return reference
	}
	schema := object{{"type", "string"}}
	if text := c.comments[enum.FullName()]; text != "" {
		schema.set("description", text)
	}
	schema.set("enum", spellings(every))
	texts, described := make([]string, len(every)), false
	for i, value := range every {
		texts[i] = c.comments[value.FullName()]
		described = described || texts[i] != ""
	}
	if described {
		schema.set("x-enum-descriptions", texts)
	}
	c.schemas.set(name, schema)
	return reference
}

func spellings(values []protoreflect.EnumValueDescriptor) []string {
	words := make([]string, len(values))
	for i, value := range values {
		words[i] = spelling(value)
	}
	return words
}
