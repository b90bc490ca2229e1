package authz

import (
	"fmt"

	"cel.dev/cel-go/common/types"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// frozenTypes hides from CEL that it could change the types: it would copy them for
// every request type. It also makes it an error to read a field that is not set, where
// the field can say so. CEL reads such a field as its zero, which is a value that
// nobody sent: a limit on it would hold for a request without it. has() asks first.
type frozenTypes struct {
	*types.Registry
	messages map[string]protoreflect.MessageDescriptor
}

// register adds the types that can be reached from a message.
func (t frozenTypes) register(message protoreflect.MessageDescriptor) {
	name := string(message.FullName())
	if _, ok := t.messages[name]; ok {
		return
	}
	t.messages[name] = message
	for i := range message.Fields().Len() {
		if m := message.Fields().Get(i).Message(); m != nil {
			t.register(m)
		}
	}
}

// FindStructFieldType finds a field, whose value is an error where it is not set.
func (t frozenTypes) FindStructFieldType(structType, fieldName string) (*types.FieldType, bool) {
	found, ok := t.Registry.FindStructFieldType(structType, fieldName)
	message := t.messages[structType]
	if !ok || message == nil {
		return found, ok
	}
	field := message.Fields().ByName(protoreflect.Name(fieldName))
	if field == nil || !field.HasPresence() {
		return found, ok
	}
	guarded := *found
	guarded.GetFrom = func(target any) (any, error) {
		if !found.IsSet(target) {
			return nil, unsetError{field.Name()}
		}
		return found.GetFrom(target)
	}
	return &guarded, true
}

// unsetError says that a condition read a field that the request has not.
type unsetError struct{ field protoreflect.Name }

func (e unsetError) Error() string {
	return fmt.Sprintf("%s is not set, and the condition does not ask has()", e.field)
}
