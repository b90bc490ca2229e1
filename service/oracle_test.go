package service_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	gatewayv1 "github.com/admin-gateway/admin-gateway/gen/gateway/v1"
)

// oracle says where a message differs from the JSON that it stands for. It reads
// both by reflection and shares nothing with the codec that made the one of the
// other.
type oracle struct {
	faults []string
	leaves int // values that were compared
}

func (o *oracle) fault(path, format string, args ...any) {
	o.faults = append(o.faults, path+": "+fmt.Sprintf(format, args...))
}

// object compares in both directions: no member is lost, and nothing is set that
// no member says.
func (o *oracle) object(path string, want any, got protoreflect.Message) {
	if free, ok := got.Interface().(*structpb.Struct); ok {
		o.leaves++
		text, err := protojson.Marshal(free)
		if err != nil {
			o.fault(path, "a free-form object that is none: %v", err)
			return
		}
		for _, fault := range lost(path, want, mustJSON(text)) {
			o.fault(fault, "of a free-form object")
		}
		return
	}
	if instant, ok := got.Interface().(*timestamppb.Timestamp); ok {
		o.leaves++
		if seconds := strconv.FormatInt(instant.AsTime().Unix(), 10); fmt.Sprint(want) != seconds || instant.GetNanos() != 0 {
			o.fault(path, "got %s, want %v", instant.AsTime().Format(time.RFC3339Nano), want)
		}
		return
	}
	fields := got.Descriptor().Fields()
	if isArray, _ := proto.GetExtension(got.Descriptor().Options(), gatewayv1.E_JsonArray).(bool); isArray {
		o.list(path, want, fields.Get(0), got.Get(fields.Get(0)).List())
		return
	}
	members, ok := want.(map[string]any)
	if !ok {
		o.fault(path, "the upstream has %T where the answer has a message", want)
		return
	}
	said := make(map[protoreflect.FieldNumber]bool)
	for i := range fields.Len() {
		fd := fields.Get(i)
		name := jsonName(fd)
		value, present := members[name]
		if !present || value == nil {
			continue
		}
		said[fd.Number()] = true
		o.field(path+"."+name, value, fd, got)
	}
	for name := range members {
		if !hasMember(fields, name) {
			o.fault(path, "the answer has no field for %q", name)
		}
	}
	got.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if !said[fd.Number()] {
			o.fault(path, "%s is %v, and the upstream said nothing of it", fd.Name(), value)
		}
		return true
	})
}

func (o *oracle) field(path string, want any, fd protoreflect.FieldDescriptor, got protoreflect.Message) {
	switch {
	case fd.IsList():
		o.list(path, want, fd, got.Get(fd).List())
	case fd.HasPresence() && !got.Has(fd):
		o.fault(path, "not set, want %v", want)
	default:
		o.value(path, want, fd, got.Get(fd))
	}
}

func (o *oracle) list(path string, want any, fd protoreflect.FieldDescriptor, got protoreflect.List) {
	elements, ok := want.([]any)
	if !ok || len(elements) != got.Len() {
		o.fault(path, "got %d elements, want %v", got.Len(), want)
		return
	}
	for i, element := range elements {
		o.value(fmt.Sprintf("%s[%d]", path, i), element, fd, got.Get(i))
	}
}

func (o *oracle) value(path string, want any, fd protoreflect.FieldDescriptor, got protoreflect.Value) {
	if fd.Message() != nil {
		o.object(path, want, got.Message())
		return
	}
	o.leaves++
	var same bool
	switch fd.Kind() {
	case protoreflect.BoolKind:
		same = want == got.Bool()
	case protoreflect.EnumKind:
		value := fd.Enum().Values().ByNumber(got.Enum())
		text, _ := proto.GetExtension(value.Options(), gatewayv1.E_JsonValue).(string)
		same = want == text && text != ""
	case protoreflect.StringKind:
		if mapping(fd).GetDecimal() {
			same = sameDecimal(want, got.String())
		} else {
			same = want == got.String()
		}
	case protoreflect.Int64Kind:
		number, ok := want.(json.Number)
		same = ok && number.String() == strconv.FormatInt(got.Int(), 10)
	default:
		o.fault(path, "a field of kind %s, which no mirror has", fd.Kind())
		return
	}
	if !same {
		o.fault(path, "got %v, want %v", got, want)
	}
}

// sameDecimal wants the digits of a string as they are, and those of a number
// with the same value: JSON may write it with an exponent.
func sameDecimal(want any, got string) bool {
	number, isNumber := want.(json.Number)
	if !isNumber {
		return want == got
	}
	x, xOK := new(big.Rat).SetString(number.String())
	y, yOK := new(big.Rat).SetString(got)
	return xOK && yOK && x.Cmp(y) == 0
}

func mapping(fd protoreflect.FieldDescriptor) *gatewayv1.FieldMapping {
	m, _ := proto.GetExtension(fd.Options(), gatewayv1.E_Field).(*gatewayv1.FieldMapping)
	return m
}

func jsonName(fd protoreflect.FieldDescriptor) string {
	if name := mapping(fd).GetName(); name != "" {
		return name
	}
	return string(fd.Name())
}

func hasMember(fields protoreflect.FieldDescriptors, name string) bool {
	for i := range fields.Len() {
		if jsonName(fields.Get(i)) == name {
			return true
		}
	}
	return false
}

// mustJSON reads what this test wrote itself.
func mustJSON(text []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		panic(err)
	}
	return v
}
