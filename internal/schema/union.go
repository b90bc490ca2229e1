package schema

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// unionOf returns the oneof whose messages have their members in the message's own
// object, and the member that tells them apart; nil where there is none.
func unionOf(message protoreflect.MessageDescriptor) (oneof protoreflect.OneofDescriptor, discriminator string) {
	for i := range message.Oneofs().Len() {
		union, _ := proto.GetExtension(message.Oneofs().Get(i).Options(), optionsv1.E_Union).(*optionsv1.Union)
		if union != nil && !union.GetNested() {
			return message.Oneofs().Get(i), union.GetDiscriminator()
		}
	}
	return nil, ""
}

// unite adds the variants of a union to the schema of its object, whose own properties
// are given. A request has one of them. An answer may have another, which this build
// does not know.
func (c *components) unite(schema *object, properties object, oneof protoreflect.OneofDescriptor, discriminator string, to direction) {
	var variants []object
	if to == answered {
		properties.set(discriminator, object{{"type", "string"}})
	}
	for i := range oneof.Fields().Len() {
		field := oneof.Fields().Get(i)
		own := object{{discriminator, object{{"type", "string"}, {"const", jsonName(field)}}}}
		required := []string{discriminator}
		members := field.Message().Fields()
		for j := range members.Len() {
			member := members.Get(j)
			if to == answered {
				// All of them in one place: an answer is read without knowing the variant first.
				properties.set(jsonName(member), c.field(member, to))
			} else {
				own.set(jsonName(member), c.field(member, to))
			}
			if to == taken && isRequired(member) || to == answered && alwaysThere(member) {
				required = append(required, jsonName(member))
			}
		}
		variant := object{{"type", "object"}}
		if text := c.comments[field.FullName()]; text != "" {
			variant.set("description", text)
		}
		variant.set("properties", own)
		variant.set("required", required)
		variants = append(variants, variant)
	}
	schema.set("properties", properties)
	if to == answered {
		variants = append(variants, object{{"type", "object"}, {"required", []string{discriminator}}})
		schema.set("anyOf", variants)
		return
	}
	schema.set("oneOf", variants)
	// Members of the variant are not in this object's own properties.
	schema.set("unevaluatedProperties", false)
}

// isChoice tells whether a message stands for a value of one of several types.
func isChoice(message protoreflect.MessageDescriptor) bool {
	is, _ := proto.GetExtension(message.Options(), optionsv1.E_JsonChoice).(bool)
	return is
}

// choice describes such a message.
func (c *components) choice(message protoreflect.MessageDescriptor, to direction) object {
	var alternatives []object
	for i := range message.Fields().Len() {
		member := message.Fields().Get(i)
		alternatives = append(alternatives, c.value(member, to))
	}
	return object{{"anyOf", alternatives}}
}

// entries describes a map: an object whose members have any names.
func (c *components) entries(field protoreflect.FieldDescriptor, to direction) object {
	schema := object{{"type", "object"}, {"additionalProperties", c.single(field.MapValue(), rulesOf(field).GetMap().GetValues(), to)}}
	if least := rulesOf(field).GetMap(); to == taken && least.HasMinPairs() {
		schema.set("minProperties", least.GetMinPairs())
	}
	return schema
}
