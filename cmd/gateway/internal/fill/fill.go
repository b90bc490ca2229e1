// Package fill makes the request of a call from what somebody writes on a command line:
// JSON, and single fields.
//
// It imports the messages' reflection, and nothing of the project.
package fill

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Request fills a request with a text, the request as ProtoJSON, unless that is empty, and
// then with fields of the form name=value. A name leads to a field of a message in it by
// dots, and to the value of a map by its key. A value is text for fields that are text in
// JSON, such as names, instants and enums, and JSON for all others. A field that is
// repeated gets one more element each time.
func Request(request proto.Message, text string, fields []string) error {
	if text != "" {
		if err := protojson.Unmarshal([]byte(text), request); err != nil {
			return fmt.Errorf("the request: %w", err)
		}
	}
	for _, assignment := range fields {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return fmt.Errorf("field %q: give it as name=value", assignment)
		}
		fragment, err := wrap(request.ProtoReflect().Descriptor(), strings.Split(name, "."), value)
		if err != nil {
			return fmt.Errorf("field %s: %w", name, err)
		}
		part := request.ProtoReflect().New().Interface()
		if err := protojson.Unmarshal(fragment, part); err != nil {
			return fmt.Errorf("field %s: %q is no value of it: %w", name, value, err)
		}
		proto.Merge(request, part)
	}
	return nil
}

// UnknownFieldError reports a name that a message has no field of.
type UnknownFieldError struct {
	// Name is the name, and Message the message that has no such field.
	Name    string
	Message protoreflect.MessageDescriptor
}

func (e *UnknownFieldError) Error() string {
	names := make([]string, e.Message.Fields().Len())
	for i := range names {
		names[i] = string(e.Message.Fields().Get(i).Name())
	}
	return fmt.Sprintf("%s has no field %q: it has %s", e.Message.Name(), e.Name, strings.Join(names, ", "))
}

// wrap is JSON of a message that has the value at the end of a path, and nothing else.
func wrap(of protoreflect.MessageDescriptor, path []string, value string) ([]byte, error) {
	if of.FullName() == "google.protobuf.Struct" {
		return nest(path, []byte(value)), nil
	}
	field := of.Fields().ByName(protoreflect.Name(path[0]))
	if field == nil {
		field = of.Fields().ByJSONName(path[0])
	}
	if field == nil {
		return nil, &UnknownFieldError{path[0], of}
	}
	inner, err := inside(field, path[1:], value)
	if err != nil {
		return nil, err
	}
	return nest(path[:1], inner), nil
}

// inside is the JSON of a field's value.
func inside(field protoreflect.FieldDescriptor, path []string, value string) ([]byte, error) {
	switch {
	case field.IsMap() && len(path) == 0:
		return []byte(value), nil
	case field.IsMap():
		inner, err := inside(field.MapValue(), path[1:], value)
		if err != nil {
			return nil, err
		}
		return nest(path[:1], inner), nil
	case field.IsList() && len(path) > 0:
		return nil, errors.New("it is repeated: give whole elements")
	case field.IsList():
		return append(append([]byte{'['}, scalar(field, value)...), ']'), nil
	case len(path) > 0 && field.Message() == nil:
		return nil, fmt.Errorf("%s has no fields", field.Name())
	case len(path) > 0:
		return wrap(field.Message(), path, value)
	default:
		return scalar(field, value), nil
	}
}

// nest puts JSON into objects with these members, the first outermost.
func nest(path []string, inner []byte) []byte {
	for i := len(path) - 1; i >= 0; i-- {
		outer := append([]byte{'{'}, quoted(path[i])...)
		outer = append(append(append(outer, ':'), inner...), '}')
		inner = outer
	}
	return inner
}

// scalar is the JSON of a value.
func scalar(field protoreflect.FieldDescriptor, value string) []byte {
	if !textual(field) {
		return []byte(value)
	}
	return quoted(value)
}

// quoted is a text as JSON.
func quoted(text string) []byte {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // Every string has a form: what is no UTF-8 is replaced.
	}
	return quoted
}

// textual says whether the values of a field are texts in ProtoJSON.
func textual(field protoreflect.FieldDescriptor) bool {
	switch field.Kind() { // Those that JSON writes as texts.
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.EnumKind,
		protoreflect.Int64Kind, protoreflect.Uint64Kind, protoreflect.Sint64Kind, protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind:
		return true
	case protoreflect.MessageKind:
		switch field.Message().FullName() {
		case "google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask", "google.protobuf.StringValue":
			return true
		}
	default:
	}
	return false
}
