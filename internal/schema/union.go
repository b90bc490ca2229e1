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

// unite adds the variants of a union to the schema of its object. A request has one
// of them. An answer may have another, which this build does not know.
func (c *components) unite(schema *object, oneof protoreflect.OneofDescriptor, discriminator string, to direction) {
	var variants []object
	for i := range oneof.Fields().Len() {
		field := oneof.Fields().Get(i)
		properties := object{{discriminator, object{{"type", "string"}, {"const", jsonName(field)}}}}
		required := []string{discriminator}
		members := field.Message().Fields()
		for j := range members.Len() {
			properties.set(jsonName(members.Get(j)), c.field(members.Get(j), to))
			if to == taken && isRequired(members.Get(j)) || to == answered && alwaysThere(members.Get(j)) {
				required = append(required, jsonName(members.Get(j)))
			}
		}
		variant := object{{"type", "object"}}
		if text := c.comments[field.FullName()]; text != "" {
			variant.set("description", text)
		}
		variant.set("properties", properties)
		variant.set("required", required)
		variants = append(variants, variant)
	}
	if to == answered {
		variants = append(variants, object{{"type", "object"}, {"properties", object{{discriminator, object{{"type", "string"}}}}}, {"required", []string{discriminator}}})
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
