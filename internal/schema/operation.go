package schema

import (
	"fmt"
	"strings"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// operation is an RPC of the mirror as the REST door serves it. This file alone
// reads the declaration: google.api.http, the policy and the field mappings.
type operation struct {
	method   protoreflect.MethodDescriptor
	verb     string
	template string
	// path holds the request's fields that are in the path, in its order.
	path []protoreflect.FieldDescriptor
	// rest holds its other fields: of the body, or else of the query.
	rest    []protoreflect.FieldDescriptor
	hasBody bool
	// answer is the message that an answer's JSON object stands for.
	answer protoreflect.MessageDescriptor
	policy *optionsv1.Policy
}

// operations lists the RPCs that have a google.api.http rule, in the order of
// files and of declaration.
func operations(files []protoreflect.FileDescriptor) ([]operation, error) {
	var all []operation
	for _, file := range files {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				if !proto.HasExtension(methods.Get(j).Options(), annotations.E_Http) {
					continue
				}
				op, err := newOperation(methods.Get(j))
				if err != nil {
					return nil, err
				}
				all = append(all, op)
			}
		}
	}
	return all, nil
}

func newOperation(method protoreflect.MethodDescriptor) (operation, error) {
	endpoint, err := upstream.Compile(method, nil)
	if err != nil {
		return operation{}, err
	}
	op := operation{
		method: method, verb: endpoint.Verb(), template: endpoint.Template(),
		path: endpoint.Variables(), hasBody: endpoint.HasBody(), answer: method.Output(),
	}
	op.policy, _ = proto.GetExtension(method.Options(), optionsv1.E_Policy).(*optionsv1.Policy)
	inPath := make(map[protoreflect.Name]bool, len(op.path))
	for _, field := range op.path {
		inPath[field.Name()] = true
	}
	fields := method.Input().Fields()
	for i := range fields.Len() {
		if field := fields.Get(i); !inPath[field.Name()] && !isOurs(field) {
			op.rest = append(op.rest, field)
		}
	}
	rule, _ := proto.GetExtension(method.Options(), annotations.E_Http).(*annotations.HttpRule)
	if name := rule.GetResponseBody(); name != "" {
		op.answer = method.Output().Fields().ByName(protoreflect.Name(name)).Message()
	}
	return op, nil
}

// rpc is the name of the RPC: package, service and method.
func (op operation) rpc() string {
	return string(op.method.Parent().FullName()) + "/" + string(op.method.Name())
}

// service is the name of the RPC's service, without its package.
func (op operation) service() string { return string(op.method.Parent().Name()) }

func (op operation) reads() bool { return op.verb == "GET" }

// mapping says how a field differs from the member that it mirrors.
func mapping(field protoreflect.FieldDescriptor) *optionsv1.FieldMapping {
	m, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return m
}

// jsonName is the name of a field in the upstream's JSON and queries.
func jsonName(field protoreflect.FieldDescriptor) string {
	if name := mapping(field).GetName(); name != "" {
		return name
	}
	return string(field.Name())
}

// spelling is the upstream's word for an enum value; "" when it has none.
func spelling(value protoreflect.EnumValueDescriptor) string {
	s, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string)
	return s
}

// isSegment tells whether a string has the rule path_id.
func isSegment(rules *validate.StringRules) bool {
	is, _ := proto.GetExtension(rules, optionsv1.E_PathId).(bool)
	return is
}

// element returns the repeated field of a message that stands for a JSON array;
// nil for other messages.
func element(message protoreflect.MessageDescriptor) protoreflect.FieldDescriptor {
	if is, _ := proto.GetExtension(message.Options(), optionsv1.E_JsonArray).(bool); !is {
		return nil
	}
	return message.Fields().Get(0)
}

// isOurs tells a field that is the gateway's own and has no place in the upstream's
// JSON: the mask that says which others are sent, an end, a consent.
func isOurs(field protoreflect.FieldDescriptor) bool {
	return mapping(field).GetEnds() != "" || mapping(field).GetConsent() != nil || fieldmask.Is(field)
}

// isRequired tells whether a request must have the field.
func isRequired(field protoreflect.FieldDescriptor) bool {
	behaviours, _ := proto.GetExtension(field.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	for _, b := range behaviours {
		if b == annotations.FieldBehavior_REQUIRED {
			return true
		}
	}
	return rulesOf(field).GetRequired()
}

// shortName is the name of a message or an enum without its package.
func shortName(d protoreflect.Descriptor) string {
	return strings.TrimPrefix(string(d.FullName()), string(d.ParentFile().Package())+".")
}

// place names a field in an error.
func place(field protoreflect.FieldDescriptor, format string, args ...any) error {
	return fmt.Errorf("schema: field %s: %s", field.FullName(), fmt.Sprintf(format, args...))
}
