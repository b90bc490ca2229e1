package authz

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
)

// frozenTypes hides from CEL that it could change the types: it would copy them for
// every request type. It also makes it an error to read a field that is not set, where
// the field can say so. CEL reads such a field as its zero, which is a value that
// nobody sent: a limit on it would hold for a request without it. has() asks first.
//
// A field that the message's mask names is there, whether it is set or not: one that is
// not set is sent as null, and clears what the upstream has. has() is true of it, and it
// reads as its zero.
type frozenTypes struct {
	*types.Registry
	messages messageTypes
}

// FindStructFieldType finds a field, whose value is an error where it is not there.
func (t frozenTypes) FindStructFieldType(structType, fieldName string) (*types.FieldType, bool) {
	found, ok := t.Registry.FindStructFieldType(structType, fieldName)
	message := t.messages[structType]
	if !ok || message == nil {
		return found, ok
	}
	field := message.Fields().ByName(protoreflect.Name(fieldName))
	if field == nil || fieldmask.Is(field) {
		return found, ok
	}
	guarded := *found
	if mask := fieldmask.Of(message); mask != nil {
		guarded.IsSet = func(target any) bool { return found.IsSet(target) || masked(target, mask, field) }
	}
	if field.HasPresence() {
		guarded.GetFrom = func(target any) (any, error) {
			if !guarded.IsSet(target) {
				return nil, unsetError{field.Name()}
			}
			return found.GetFrom(target)
		}
	}
	return &guarded, true
}

// masked says whether the mask of a message names a field.
func masked(target any, mask, field protoreflect.FieldDescriptor) bool {
	message, ok := target.(proto.Message)
	if !ok || message.ProtoReflect().Descriptor() != mask.ContainingMessage() {
		return false
	}
	return fieldmask.Names(message.ProtoReflect(), mask, field.Name())
}

// unsetError says that a condition read a field that the request has not.
type unsetError struct{ field protoreflect.Name }

func (e unsetError) Error() string {
	return fmt.Sprintf("%s is not set, and the condition does not ask has()", e.field)
}
