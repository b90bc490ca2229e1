package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// mirror reads messages into shapes. It remembers them, because messages are
// shared and may contain themselves.
type mirror struct {
	messages map[protoreflect.FullName]*shape
}

// pageSize is the query parameter that an int32 mirrors: no page has 2³¹ items,
// and an int64 is a bigint in JavaScript. Any other integer has to be an int64.
const pageSize = "limit"

// narrow is the kind of a field whose type is narrower than an upstream integer.
const narrow kind = "int32"

// readProto reads the operations that the services of a proto package declare.
func readProto(files *protoregistry.Files, pkg protoreflect.FullName) (map[string]*operation, error) {
	m := mirror{messages: make(map[protoreflect.FullName]*shape)}
	operations := make(map[string]*operation)
	var failed error
	files.RangeFilesByPackage(pkg, func(file protoreflect.FileDescriptor) bool {
		failed = m.file(file, operations)
		return failed == nil
	})
	if failed != nil {
		return nil, fmt.Errorf("proto: %w", failed)
	}
	if len(operations) == 0 {
		return nil, fmt.Errorf("proto: package %s declares no operations", pkg)
	}
	return operations, nil
}

func (m mirror) file(file protoreflect.FileDescriptor, into map[string]*operation) error {
	services := file.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			op, err := m.operation(methods.Get(j))
			if err != nil {
				return fmt.Errorf("%s: %w", methods.Get(j).FullName(), err)
			}
			if into[op.name] != nil {
				return fmt.Errorf("%s: %s is declared twice", methods.Get(j).FullName(), op.name)
			}
			into[op.name] = op
		}
	}
	return nil
}

// variable finds the names in a path template.
var variable = regexp.MustCompile(`\{([^}=]+)[^}]*\}`)

func (m mirror) operation(method protoreflect.MethodDescriptor) (*operation, error) {
	rule, ok := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if !ok || rule == nil {
		return nil, fmt.Errorf("no google.api.http option")
	}
	verb, path := endpointOf(rule)
	if verb == "" {
		return nil, fmt.Errorf("google.api.http names no verb of GET, POST, DELETE, PUT, PATCH")
	}
	op := &operation{name: verb + " " + path, path: make(map[string]*member), query: make(map[string]*member)}
	input := m.message(method.Input())
	var names []string
	for _, match := range variable.FindAllStringSubmatch(path, -1) {
		field := input.members[match[1]]
		if field == nil {
			return nil, fmt.Errorf("path variable %q has no field", match[1])
		}
		op.path[match[1]] = field
		names = append(names, match[1])
	}
	whole := without(input, names)
	rest := whole.members
	switch body := rule.GetBody(); {
	case body == "*":
		op.body = whole
	case body == "":
		op.query = rest
	case rest[body] == nil:
		return nil, fmt.Errorf("body %q is not a field", body)
	default:
		op.body = rest[body].shape
		delete(rest, body)
		op.query = rest
	}
	if size := op.query[pageSize]; size != nil && size.kind == narrow {
		widened := *size // A copy: the message may stand in a body as well.
		widened.shape = &shape{kind: integer, bounds: size.bounds}
		op.query[pageSize] = &widened
	}
	op.response = m.message(method.Output())
	if name := rule.GetResponseBody(); name != "" {
		field := method.Output().Fields().ByName(protoreflect.Name(name))
		if field == nil {
			return nil, fmt.Errorf("response_body %q is not a field", name)
		}
		op.response = m.field(field).shape
	}
	return op, nil
}

func endpointOf(rule *annotations.HttpRule) (verb, path string) {
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "GET", pattern.Get
	case *annotations.HttpRule_Post:
		return "POST", pattern.Post
	case *annotations.HttpRule_Delete:
		return "DELETE", pattern.Delete
	case *annotations.HttpRule_Put:
		return "PUT", pattern.Put
	case *annotations.HttpRule_Patch:
		return "PATCH", pattern.Patch
	default:
		return "", ""
	}
}

// message reads a message as the JSON object, or array, that it stands for.
func (m mirror) message(message protoreflect.MessageDescriptor) *shape {
	if s, ok := m.messages[message.FullName()]; ok {
		return s
	}
	s := &shape{kind: object, members: make(map[string]*member)}
	m.messages[message.FullName()] = s
	fields := message.Fields()
	if isArray, _ := proto.GetExtension(message.Options(), optionsv1.E_JsonArray).(bool); isArray && fields.Len() == 1 {
		*s = *m.field(fields.Get(0)).shape
		return s
	}
	if isChoice(message) {
		*s = *m.choice(message)
		return s
	}
	oneof, discriminator := unionOf(message)
	for i := range fields.Len() {
		field := fields.Get(i)
		if isOwn(field) || oneof != nil && field.ContainingOneof() == oneof {
			continue
		}
		s.members[jsonName(field)] = m.field(field)
	}
	if oneof != nil {
		m.distribute(s, oneof, discriminator)
	}
	return s
}

// isOwn reports whether a field is the gateway's own, which is never sent: it says which
// fields to send, when something ends, or that the caller means what it says.
func isOwn(field protoreflect.FieldDescriptor) bool {
	if message := field.Message(); message != nil && message.FullName() == "google.protobuf.FieldMask" {
		return true
	}
	return mappingOf(field).GetEnds() != "" || mappingOf(field).GetConsent() != nil
}

func mappingOf(field protoreflect.FieldDescriptor) *optionsv1.FieldMapping {
	options, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return options
}

func jsonName(field protoreflect.FieldDescriptor) string {
	if name := mappingOf(field).GetName(); name != "" {
		return name
	}
	return string(field.Name())
}

func (m mirror) field(field protoreflect.FieldDescriptor) *member {
	f := &member{nullable: mappingOf(field).GetNullable()}
	r := rulesOf(field)
	switch {
	case field.IsMap():
		f.shape = &shape{kind: mapping, element: m.single(field.MapValue(), r.values())}
	case field.IsList():
		f.shape = &shape{kind: array, element: m.single(field, r.elements())}
	default:
		f.shape = m.single(field, r)
		f.presence = presenceOf(field, f.kind)
	}
	if f.kind == array {
		f.bounds = r.bounds()
	}
	f.required = r.required(f.presence) || isRequired(field) && (f.nullable || f.presence == implicit && zeroIsSent(field))
	return f
}

// isRequired reports whether every request sends the field: one that is not set goes out
// as its zero, or as null where the field is nullable.
func isRequired(field protoreflect.FieldDescriptor) bool {
	behaviours, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(behaviours, annotations.FieldBehavior_REQUIRED)
}

// zeroIsSent reports whether the field's zero is a value like others: false, 0, an empty
// array. A string or an enum needs a rule to refuse its zero, which is not a value of
// the upstream.
func zeroIsSent(field protoreflect.FieldDescriptor) bool {
	switch field.Kind() {
	case protoreflect.StringKind, protoreflect.EnumKind:
		return field.IsList()
	default:
		return true
	}
}

func presenceOf(field protoreflect.FieldDescriptor, k kind) presence {
	switch oneof := field.ContainingOneof(); {
	case !field.HasPresence():
		return implicit
	case k == array || k == instant: // Messages by the author's choice.
		return explicit
	case field.Message() != nil, oneof != nil && !oneof.IsSynthetic():
		return inherent
	default:
		return explicit
	}
}

// single reads a field without regard to its being repeated.
func (m mirror) single(field protoreflect.FieldDescriptor, r rules) *shape {
	switch field.Kind() {
	case protoreflect.MessageKind:
		return m.messageField(field)
	case protoreflect.EnumKind:
		return &shape{kind: closed, values: r.allowed(field.Enum())}
	case protoreflect.StringKind:
		if mappingOf(field).GetDecimal() {
			return &shape{kind: number, bounds: r.bounds()}
		}
		return &shape{kind: text, values: r.strings(), bounds: r.bounds()}
	case protoreflect.Int64Kind:
		return &shape{kind: integer, bounds: r.bounds()}
	case protoreflect.BoolKind:
		return &shape{kind: boolean}
	default:
		// Narrower or inexact: the kind itself is the difference.
		return &shape{kind: kind(field.Kind().String()), bounds: r.bounds()}
	}
}

func (m mirror) messageField(field protoreflect.FieldDescriptor) *shape {
	switch name := field.Message().FullName(); name {
	case "google.protobuf.Timestamp":
		return &shape{kind: instant}
	case "google.protobuf.Struct":
		return &shape{kind: free}
	default:
		if strings.HasPrefix(string(name), "google.protobuf.") {
			return &shape{kind: kind(name)}
		}
		return m.message(field.Message())
	}
}
