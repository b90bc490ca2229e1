// Package drawtest helps property tests to draw requests that the upstream can be
// sent: which fields of a message belong together, and which are never sent.
//
// It imports the options alone; tests of the codec and of the endpoints use it.
package drawtest

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"pgregory.net/rapid"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// OneOf draws the field of a message's oneof that has to be set: of a union in the
// message's own object, or of a choice by JSON type; nil where the message has
// neither.
func OneOf(t *rapid.T, md protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	choice, _ := proto.GetExtension(md.Options(), optionsv1.E_JsonChoice).(bool)
	for i := range md.Oneofs().Len() {
		oneof := md.Oneofs().Get(i)
		union, _ := proto.GetExtension(oneof.Options(), optionsv1.E_Union).(*optionsv1.Union)
		if choice || union != nil && !union.GetNested() {
			return oneof.Fields().Get(rapid.IntRange(0, oneof.Fields().Len()-1).Draw(t, "member"))
		}
	}
	return nil
}

// Fraction draws a number that is not whole: as the member of a choice, a whole one
// is read as its integer.
func Fraction(t *rapid.T) protoreflect.Value {
	return protoreflect.ValueOfFloat64(float64(rapid.Int32().Draw(t, "number")) + 0.5)
}

// Unsent says whether a field is the gateway's own, and never sent.
func Unsent(field protoreflect.FieldDescriptor) bool {
	mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return mapping.GetEnds() != "" || mapping.GetConsent() != nil
}
