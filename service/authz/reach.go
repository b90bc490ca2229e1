package authz

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
)

// reach is a field whose values may reach beyond the projects of a request.
type reach struct {
	field protoreflect.FieldDescriptor
	// within are the values that do not: texts, or the numbers of an enum.
	within  []string
	numbers []protoreflect.EnumNumber
	// mask is the request's google.protobuf.FieldMask, nil without one: a field that
	// it names and that is not set goes up as null, which clears what was there.
	mask protoreflect.FieldDescriptor
}

func compileReaches(method Method) ([]reach, error) {
	var reaches []reach
	for _, name := range slices.Sorted(maps.Keys(method.Reaches)) {
		field := method.Request.Fields().ByName(name)
		if field == nil || field.Kind() != protoreflect.StringKind && (field.Enum() == nil || field.IsList()) {
			return nil, fmt.Errorf("reaches %q: not a field of strings, nor an enum", name)
		}
		r := reach{field: field, within: method.Reaches[name], mask: fieldmask.Of(method.Request)}
		for _, value := range r.within {
			if field.Enum() == nil {
				continue
			}
			number, ok := numberOf(field.Enum(), value)
			if !ok {
				return nil, fmt.Errorf("reaches %q: %s has no value %q", name, field.Enum().Name(), value)
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
	return slices.ContainsFunc(h.reaches, func(r reach) bool { return r.beyond(request) })
}

func (r reach) beyond(request protoreflect.Message) bool {
	if !request.Has(r.field) {
		// Null is no value that stays in the projects.
		return r.mask != nil && fieldmask.Names(request, r.mask, r.field.Name())
	}
	value := request.Get(r.field)
	switch {
	case r.field.Enum() != nil:
		return !slices.Contains(r.numbers, value.Enum())
	case r.field.IsList():
		for i := range value.List().Len() {
			if !slices.Contains(r.within, value.List().Get(i).String()) {
				return true
			}
		}
		return false
	default:
		return !slices.Contains(r.within, value.String())
	}
}
