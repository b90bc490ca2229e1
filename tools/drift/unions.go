package main

import (
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// isChoice reports whether a message stands for a JSON value of one of several types.
func isChoice(message protoreflect.MessageDescriptor) bool {
	is, _ := proto.GetExtension(message.Options(), optionsv1.E_JsonChoice).(bool)
	return is
}

// choice reads the alternatives of a message that stands for one of several types. A
// double is the exact mirror of a number here, where no string could be told from one.
func (m mirror) choice(message protoreflect.MessageDescriptor) *shape {
	s := &shape{kind: choice, variants: make(map[string]*shape)}
	fields := message.Fields()
	for i := range fields.Len() {
		alternative := m.field(fields.Get(i)).shape
		if fields.Get(i).Kind() == protoreflect.DoubleKind {
			alternative = &shape{kind: number}
		}
		s.variants[typeName(alternative)] = alternative
	}
	return s
}

// unionOf returns the oneof of a message whose members stand in one JSON object with
// the discriminator and the message's other fields, nil for none, and the name of the
// discriminator. The members of a nested union are fields like others.
func unionOf(message protoreflect.MessageDescriptor) (protoreflect.OneofDescriptor, string) {
	oneofs := message.Oneofs()
	for i := range oneofs.Len() {
		options, _ := proto.GetExtension(oneofs.Get(i).Options(), optionsv1.E_Union).(*optionsv1.Union)
		if options != nil && !options.GetNested() {
			return oneofs.Get(i), options.GetDiscriminator()
		}
	}
	return nil, ""
}

// distribute makes the object s a union over the oneof: each variant has the
// discriminator, the members of its own message, and those of s.
func (m mirror) distribute(s *shape, oneof protoreflect.OneofDescriptor, discriminator string) {
	rules, _ := proto.GetExtension(oneof.Options(), validate.E_Oneof).(*validate.OneofRules)
	s.kind, s.variants = union, make(map[string]*shape)
	fields := oneof.Fields()
	for i := range fields.Len() {
		constant := jsonName(fields.Get(i))
		variant := &shape{kind: object, members: maps.Clone(s.members)}
		maps.Copy(variant.members, m.field(fields.Get(i)).members)
		variant.members[discriminator] = &member{
			shape:    &shape{kind: text, values: []string{constant}},
			required: rules.GetRequired(),
			presence: inherent,
		}
		s.variants[constant] = variant
	}
}

// without returns a request's body: its shape without the variables of the path.
func without(s *shape, names []string) *shape {
	rest := &shape{kind: s.kind, members: maps.Clone(s.members), variants: maps.Clone(s.variants)}
	for _, name := range names {
		delete(rest.members, name)
	}
	for constant, variant := range rest.variants {
		rest.variants[constant] = without(variant, names)
	}
	return rest
}

// variants compares the alternatives of two unions, or of two choices.
func (c *comparison) variants(at string, in place, want, got *shape) {
	for _, name := range slices.Sorted(maps.Keys(want.variants)) {
		if got.variants[name] == nil {
			c.report(c.only, at, "alternative %q", name)
			continue
		}
		c.shapes(at+"("+name+")", in, want.variants[name], got.variants[name])
	}
	for _, name := range slices.Sorted(maps.Keys(got.variants)) {
		if want.variants[name] != nil || isWhole(name, want, got) {
			continue
		}
		c.report(onlyProto, at, "alternative %q", name)
	}
}

// isWhole reports whether an alternative is the whole numbers of the other's numbers.
func isWhole(name string, want, got *shape) bool {
	return want.kind == choice && name == string(integer) && want.variants[string(number)] != nil && got.variants[string(number)] != nil
}

// flat returns the union as one object, the same each time: a type may contain itself.
func (c *comparison) flat(s *shape) *shape {
	if c.flats[s] == nil {
		c.flats[s] = flattened(s)
	}
	return c.flats[s]
}
