package inventory

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// taking copies a field of the RPC's request to that of a read.
type taking struct {
	from, to protoreflect.FieldDescriptor
	// numbers map the enum of the RPC's request to that of the read, where they
	// differ; nil where the value is copied.
	numbers map[protoreflect.EnumNumber]protoreflect.EnumNumber
}

func compileTaking(from, to protoreflect.FieldDescriptor) (taking, error) {
	mismatch := &DeclarationError{WrongType, fmt.Sprintf("%s for %s", from.FullName(), to.FullName())}
	t := taking{from: from, to: to}
	switch {
	case from.Kind() != to.Kind() || from.IsList() != to.IsList() || from.IsMap() || to.IsMap():
		return t, mismatch
	case from.Message() != nil && from.Message().FullName() != to.Message().FullName():
		return t, mismatch
	case from.Enum() == nil || from.Enum().FullName() == to.Enum().FullName():
		return t, nil
	case !from.IsList():
		return t, mismatch
	}
	t.numbers = sameJSON(from.Enum(), to.Enum())
	if len(t.numbers) == 0 {
		return t, mismatch
	}
	return t, nil
}

// sameJSON pairs the values of two enums that have the same spelling
// upstream.
func sameJSON(from, to protoreflect.EnumDescriptor) map[protoreflect.EnumNumber]protoreflect.EnumNumber {
	theirs := make(map[string]protoreflect.EnumNumber)
	for i := range to.Values().Len() {
		value := to.Values().Get(i)
		if name := jsonValue(value); name != "" {
			theirs[name] = value.Number()
		}
	}
	pairs := make(map[protoreflect.EnumNumber]protoreflect.EnumNumber)
	for i := range from.Values().Len() {
		value := from.Values().Get(i)
		if number, ok := theirs[jsonValue(value)]; ok {
			pairs[value.Number()] = number
		}
	}
	return pairs
}

func jsonValue(value protoreflect.EnumValueDescriptor) string {
	name, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string)
	return name
}

// take copies the value, if there is one. The error is for the caller: the
// read does not have the value.
func (t taking) take(from, to protoreflect.Message, read string) error {
	if !from.Has(t.from) {
		return nil
	}
	if t.numbers == nil {
		to.Set(t.to, from.Get(t.from))
		return nil
	}
	ours, theirs := from.Get(t.from).List(), to.Mutable(t.to).List()
	for i := range ours.Len() {
		number, ok := t.numbers[ours.Get(i).Enum()]
		if !ok {
			return rpcerror.InvalidField(string(t.from.Name()), "has a value that "+read+" does not know", nil)
		}
		theirs.Append(protoreflect.ValueOfEnum(number))
	}
	return nil
}
