package authz

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
	"github.com/admin-gateway/admin-gateway/internal/fieldpath"
)

// reach is a field whose values may reach beyond the projects of a request.
type reach struct {
	// path leads to the field, through messages and lists of them.
	path []protoreflect.FieldDescriptor
	// within are the values that do not: texts, or the numbers of an enum.
	within  []string
	numbers []protoreflect.EnumNumber
	// mask is the request's google.protobuf.FieldMask, nil without one: a field that
	// it names and that is not set goes up as null, which clears what was there.
	mask protoreflect.FieldDescriptor
}

func compileReaches(method Method) ([]reach, error) {
	var reaches []reach
	for _, path := range slices.Sorted(maps.Keys(method.Reaches)) {
		r := reach{within: method.Reaches[path], mask: fieldmask.Of(method.Request)}
		var err error
		if r.path, err = fieldpath.Follow(method.Request, path); err != nil {
			return nil, fmt.Errorf("reaches %q: %w", path, err)
		}
		field := r.path[len(r.path)-1]
		if field.Kind() != protoreflect.StringKind && field.Enum() == nil {
			return nil, fmt.Errorf("reaches %q: not a field of strings, nor of an enum", path)
		}
		for _, value := range r.within {
			if field.Enum() == nil {
				continue
			}
			number, ok := numberOf(field.Enum(), value)
			if !ok {
				return nil, fmt.Errorf("reaches %q: %s has no value %q", path, field.Enum().Name(), value)
			}
			r.numbers = append(r.numbers, number)
		}
		reaches = append(reaches, r)
	}
	return reaches, nil
}

// numberOf finds the value of an enum that the upstream spells so.
func numberOf(enum protoreflect.EnumDescriptor, spelling string) (protoreflect.EnumNumber, bool) {
	for i := range enum.Values().Len() {
		value := enum.Values().Get(i)
		if is, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string); is == spelling {
			return value.Number(), true
		}
	}
	return 0, false
}

// reachesBeyond says whether a request has a value that reaches beyond the projects
// which it names.
func (h *Handle) reachesBeyond(request protoreflect.Message) bool {
	return slices.ContainsFunc(h.reaches, func(r reach) bool {
		// Null is no value that stays in the projects.
		cleared := r.mask != nil && !request.Has(r.path[0]) && fieldmask.Names(request, r.mask, r.path[0].Name())
		return cleared || r.beyond(request, r.path)
	})
}

// beyond says whether a value at the end of a path below a message reaches beyond the
// projects.
func (r *reach) beyond(message protoreflect.Message, path []protoreflect.FieldDescriptor) bool {
	field, rest := path[0], path[1:]
	if !message.Has(field) {
		return false
	}
	value := message.Get(field)
	if !field.IsList() {
		return r.valueBeyond(field, value, rest)
	}
	for i := range value.List().Len() {
		if r.valueBeyond(field, value.List().Get(i), rest) {
			return true
		}
	}
	return false
}

func (r *reach) valueBeyond(field protoreflect.FieldDescriptor, value protoreflect.Value, rest []protoreflect.FieldDescriptor) bool {
	switch {
	case len(rest) > 0:
		return r.beyond(value.Message(), rest)
	case field.Enum() != nil:
		return !slices.Contains(r.numbers, value.Enum())
	default:
		return !slices.Contains(r.within, value.String())
	}
}
