// Package fieldpath compiles dotted paths to fields of protobuf messages, such as
// "project_id" or "projects.values.id".
package fieldpath

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Compile follows a path from message, through message fields, to a string field;
// any of them may be repeated, none may be a map. The result is never empty. The
// error names the field that ends the path.
func Compile(message protoreflect.MessageDescriptor, path string) ([]protoreflect.FieldDescriptor, error) {
	fields, err := Follow(message, path)
	if err != nil {
		return nil, err
	}
	if last := fields[len(fields)-1]; last.Kind() != protoreflect.StringKind {
		return nil, fmt.Errorf("%s is not a string field", last.Name())
	}
	return fields, nil
}

// Follow follows a path like [Compile], to a field of any type.
func Follow(message protoreflect.MessageDescriptor, path string) ([]protoreflect.FieldDescriptor, error) {
	var fields []protoreflect.FieldDescriptor
	for name := range strings.SplitSeq(path, ".") {
		if message == nil {
			return nil, fmt.Errorf("%s is not a message", fields[len(fields)-1].Name())
		}
		field := message.Fields().ByName(protoreflect.Name(name))
		if field == nil {
			return nil, fmt.Errorf("%s has no field %q", message.FullName(), name)
		}
		if field.IsMap() {
			return nil, fmt.Errorf("%s is a map", name)
		}
		fields = append(fields, field)
		message = field.Message()
	}
	return fields, nil
}
