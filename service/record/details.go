package record

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// detailsOf are the values of the declared fields that a message has.
func detailsOf(message protoreflect.Message, fields []catalog.Recorded) []audit.Detail {
	var all []audit.Detail
	for _, r := range fields {
		d := audit.Detail{Path: r.Path}
		if gather(&d, message, r.Fields, "") {
			all = append(all, d)
		}
	}
	return all
}

// gather adds the values at the end of a path, and returns whether the path leads
// anywhere. A list that is there and has no values is there.
func gather(d *audit.Detail, message protoreflect.Message, path []protoreflect.FieldDescriptor, key string) bool {
	field := path[0]
	d.List = d.List || field.IsList() || field.IsMap()
	if !message.Has(field) {
		// An empty list cannot be told from none, but for the message that it is alone in.
		return field.IsList() && d.List && message.Descriptor().Fields().Len() == 1 && message.IsValid()
	}
	value := message.Get(field)
	switch {
	case field.IsList():
		for i := range value.List().Len() {
			element(d, field, value.List().Get(i), path[1:], key)
		}
	case field.IsMap():
		var keys []protoreflect.MapKey
		value.Map().Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
			keys = append(keys, k)
			return true
		})
		slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return cmp.Compare(a.String(), b.String()) })
		for _, k := range keys {
			element(d, field.MapValue(), value.Map().Get(k), path[1:], k.String()+"=")
		}
	default:
		return element(d, field, value, path[1:], key)
	}
	return len(d.Values) > 0
}

// element adds a value, or those behind it.
func element(d *audit.Detail, field protoreflect.FieldDescriptor, value protoreflect.Value, rest []protoreflect.FieldDescriptor, key string) bool {
	if len(rest) > 0 {
		return gather(d, value.Message(), rest, key)
	}
	if field.Message() == nil {
		d.Values = append(d.Values, key+text(field, value))
		return true
	}
	switch m := value.Message().Interface().(type) {
	case *timestamppb.Timestamp:
		d.Values = append(d.Values, key+m.AsTime().Format(time.RFC3339Nano))
	case *durationpb.Duration:
		d.Values = append(d.Values, key+m.AsDuration().String())
	case *fieldmaskpb.FieldMask:
		d.List = true
		d.Values = append(d.Values, m.GetPaths()...)
	default:
		d.Values = append(d.Values, key+"set")
	}
	return true
}

// text is a value that is not a message. An enum has the upstream's spelling.
func text(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	if field.Kind() != protoreflect.EnumKind {
		return value.String()
	}
	named := field.Enum().Values().ByNumber(value.Enum())
	if named == nil {
		return strconv.Itoa(int(value.Enum()))
	}
	if spelling, _ := proto.GetExtension(named.Options(), optionsv1.E_JsonValue).(string); spelling != "" {
		return spelling
	}
	return string(named.Name())
}
