package admission

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// refuseUnknown refuses a request with a field that this build does not know, at any
// depth. JSON and REST refuse such a request by themselves; binary Protobuf would
// drop the field, and with it a limit that a newer client has set. The error names
// the field's number, and the path of the message that it is in.
func refuseUnknown(request protoreflect.Message) error {
	path, number, found := unknownIn(request, "")
	if !found {
		return nil
	}
	return rpcerror.InvalidField(path+strconv.Itoa(int(number)), "is a field number that this gateway does not know: the client's schema is newer", nil)
}

// unknownIn finds the first field of a message that its schema lacks.
func unknownIn(m protoreflect.Message, path string) (in string, number protowire.Number, found bool) {
	if unknown := m.GetUnknown(); len(unknown) > 0 {
		number, _, _ = protowire.ConsumeTag(unknown)
		return path, number, true
	}
	if !hasMessages(m.Descriptor().Fields()) {
		return "", 0, false
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if !isOfMessages(field) {
			return true // It costs no path.
		}
		below := path + string(field.Name())
		switch {
		case field.IsMap():
			value.Map().Range(func(key protoreflect.MapKey, value protoreflect.Value) bool {
				in, number, found = unknownIn(value.Message(), below+"["+strconv.Quote(key.String())+"].")
				return !found
			})
		case field.IsList():
			list := value.List()
			for i := range list.Len() {
				if in, number, found = unknownIn(list.Get(i).Message(), below+"["+strconv.Itoa(i)+"]."); found {
					break
				}
			}
		default:
			in, number, found = unknownIn(value.Message(), below+".")
		}
		return !found
	})
	return in, number, found
}

// hasMessages says whether a message with these fields can have messages in it. Most
// requests are flat.
func hasMessages(fields protoreflect.FieldDescriptors) bool {
	for i := range fields.Len() {
		if isOfMessages(fields.Get(i)) {
			return true
		}
	}
	return false
}

func isOfMessages(field protoreflect.FieldDescriptor) bool {
	return field.Message() != nil && (!field.IsMap() || field.MapValue().Message() != nil)
}
