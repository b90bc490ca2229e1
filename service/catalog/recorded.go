package catalog

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// Recorded is a field of a request or an answer whose value goes into the record of a
// call.
type Recorded struct {
	// Path is the way to it, such as projects.values.role.
	Path string
	// Fields are the same, from the outermost. A map stands for its values.
	Fields []protoreflect.FieldDescriptor
}

// RecordedRequest are the fields of the request whose values go into the record. The
// slice is the method's own: it is not changed.
func (m *Method) RecordedRequest() []Recorded { return m.recorded.request }

// RecordedAnswer are those of the answer.
func (m *Method) RecordedAnswer() []Recorded { return m.recorded.answer }

// recorded is what the record of a write names beside the resources in its path.
type recorded struct{ request, answer []Recorded }

// compileRecord checks that a write declares what its record says. A field of the
// request that it overlooks would hide what was done with it, and one that is a
// credential would reveal it.
func (m *Method) compileRecord(policy *optionsv1.Policy) (err error) {
	declared := policy.GetRecord()
	switch {
	case m.Read && (declared != nil || policy.GetRecordsNothing()):
		return errors.New("is a read and declares what its record says")
	case m.Read:
		return nil
	case (declared == nil) != policy.GetRecordsNothing():
		return errors.New("is a write and must say what its record names, or records_nothing, and not both")
	}
	if m.recorded.request, err = recordedFields(m.Descriptor.Input(), declared.GetRequest()); err != nil {
		return fmt.Errorf("record.request: %w", err)
	}
	if m.recorded.answer, err = recordedFields(m.Descriptor.Output(), declared.GetAnswer()); err != nil {
		return fmt.Errorf("record.answer: %w", err)
	}
	if missing := m.unrecorded(m.Descriptor.Input(), "", nil); missing != "" {
		return fmt.Errorf("has the request field %s, which is neither in its record nor (admingateway.options.v1.field).unrecorded", missing)
	}
	if created := m.created(); declared != nil && created != "" {
		fields, err := recordedFields(m.Descriptor.Output(), []string{created})
		if err != nil {
			return fmt.Errorf("record.answer: %w", err)
		}
		m.recorded.answer = append(fields, m.recorded.answer...)
	}
	return nil
}

// recordedFields compiles paths of one message.
func recordedFields(message protoreflect.MessageDescriptor, paths []string) ([]Recorded, error) {
	var all []Recorded
	for i, path := range paths {
		if slices.Contains(paths[:i], path) {
			return nil, fmt.Errorf("%q is there twice", path)
		}
		r := Recorded{Path: path}
		at := message
		for name := range strings.SplitSeq(path, ".") {
			if at == nil {
				return nil, fmt.Errorf("%q goes on behind a value", path)
			}
			field := at.Fields().ByName(protoreflect.Name(name))
			switch {
			case field == nil:
				return nil, fmt.Errorf("%s has no field %q", at.FullName(), name)
			case field.Kind() == protoreflect.BytesKind:
				return nil, fmt.Errorf("%q is bytes", path)
			case isCredential(field):
				return nil, fmt.Errorf("%q is a credential (debug_redact)", path)
			}
			r.Fields, at = append(r.Fields, field), elementOf(field)
		}
		all = append(all, r)
	}
	return all, nil
}

// elementOf is the message of a field, or of a map's values; nil for a value.
func elementOf(field protoreflect.FieldDescriptor) protoreflect.MessageDescriptor {
	if field.IsMap() {
		return field.MapValue().Message()
	}
	if field.Message() != nil && isText(field.Message()) {
		return nil
	}
	return field.Message()
}

// isText says whether a message is written as text: a time, a duration, or the paths of
// a mask.
func isText(message protoreflect.MessageDescriptor) bool {
	switch message.FullName() {
	case "google.protobuf.Timestamp", "google.protobuf.Duration", "google.protobuf.FieldMask":
		return true
	default:
		return false
	}
}

// isCredential says whether a field is marked as one. Of a message the record says
// that it is there, and nothing of what is in it.
func isCredential(field protoreflect.FieldDescriptor) bool {
	options, _ := field.Options().(*descriptorpb.FieldOptions)
	return options.GetDebugRedact()
}

// unrecorded is the path of a field of a request that the record overlooks, "" for
// none. What is in the path of the call, or names its projects, is in the record by
// itself; a message that is recorded as a whole covers what is in it.
func (m *Method) unrecorded(message protoreflect.MessageDescriptor, prefix string, seen []protoreflect.FullName) string {
	if slices.Contains(seen, message.FullName()) {
		return ""
	}
	seen = append(seen, message.FullName())
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		path := prefix + string(field.Name())
		mapping, _ := proto.GetExtension(field.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
		named := slices.ContainsFunc(m.recorded.request, func(r Recorded) bool { return r.Path == path })
		switch {
		case named || mapping.GetUnrecorded() || path == m.Project || prefix == "" && slices.Contains(m.variables, field):
		case elementOf(field) == nil || elementOf(field).Fields().Len() == 0:
			return path
		default:
			if below := m.unrecorded(elementOf(field), path+".", seen); below != "" {
				return below
			}
		}
	}
	return ""
}

// created is the path of the id of the thing that a POST to a collection creates, ""
// where there is none.
func (m *Method) created() string {
	if m.Source != Upstream || m.Endpoint.Verb() != http.MethodPost || m.path[len(m.path)-1].IsVariable {
		return ""
	}
	thing, prefix := m.Descriptor.Output(), ""
	if fields := thing.Fields(); fields.Len() == 1 && fields.Get(0).Message() != nil && !fields.Get(0).IsList() {
		thing, prefix = fields.Get(0).Message(), string(fields.Get(0).Name())+"."
	}
	if id := thing.Fields().ByName("id"); id != nil && id.Kind() == protoreflect.StringKind {
		return prefix + "id"
	}
	return ""
}
