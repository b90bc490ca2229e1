// Package fieldmask finds the google.protobuf.FieldMask of a request, and what it names.
//
// It imports nothing of the project. The codec, the endpoints, the policy and the
// schema have to agree on which field that is.
package fieldmask

import "google.golang.org/protobuf/reflect/protoreflect"

// Is says whether a field is a mask, or a list of masks.
func Is(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && field.Message().FullName() == "google.protobuf.FieldMask"
}

// Of is the field of a message that is its mask; nil where it has none.
func Of(message protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	for i := range message.Fields().Len() {
		if field := message.Fields().Get(i); Is(field) && !field.IsList() {
			return field
		}
	}
	return nil
}

// Paths are the paths of a message's mask, which is its field mask. They are read from a
// mask that is not set as from an empty one.
func Paths(message protoreflect.Message, mask protoreflect.FieldDescriptor) protoreflect.List {
	return message.Get(mask).Message().Get(paths(mask)).List()
}

// Names says whether a message's mask has a path.
func Names(message protoreflect.Message, mask protoreflect.FieldDescriptor, path protoreflect.Name) bool {
	paths := Paths(message, mask)
	for i := range paths.Len() {
		if paths.Get(i).String() == string(path) {
			return true
		}
	}
	return false
}

// Add adds a path to a message's mask, which is then set, unless it is there.
func Add(message protoreflect.Message, mask protoreflect.FieldDescriptor, path protoreflect.Name) {
	if !Names(message, mask, path) {
		message.Mutable(mask).Message().Mutable(paths(mask)).List().Append(protoreflect.ValueOfString(string(path)))
	}
}

func paths(mask protoreflect.FieldDescriptor) protoreflect.FieldDescriptor {
	return mask.Message().Fields().ByName("paths")
}
