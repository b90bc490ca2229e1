package service_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"strconv"
	"sync"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
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
	spelled := spellingOf(got.Descriptor())
	if spelled.array {
		elements := got.Descriptor().Fields().Get(0)
		o.list(path, want, elements, got.Get(elements).List())
		return
	}
	if spelled.choice {
		fd := got.WhichOneof(got.Descriptor().Oneofs().Get(0))
		if fd == nil {
			o.fault(path, "nothing is chosen, want %v", want)
			return
		}
		o.value(path, want, fd, got.Get(fd))
		return
	}
	members, ok := want.(map[string]any)
	if !ok {
		o.fault(path, "the upstream has %T where the answer has a message", want)
		return
	}
	said := make(map[protoreflect.FieldNumber]bool)
	if spelled.discriminator != "" {
		members = o.variant(path, members, spelled, got, said)
	}
	for name, value := range members {
		fd := spelled.fields[name]
		if fd == nil {
			o.fault(path, "the answer has no field for %q", name)
		} else if value != nil {
			said[fd.Number()] = true
			o.field(path+"."+name, value, fd, got)
		}
	}
	got.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		if !said[fd.Number()] {
			o.fault(path, "%s is %v, and the upstream said nothing of it", fd.Name(), value)
		}
		return true
	})
}

// variant compares the members of a union's message, and returns the others.
func (o *oracle) variant(path string, members map[string]any, spelled *spelling, got protoreflect.Message, said map[protoreflect.FieldNumber]bool) map[string]any {
	fd := got.Descriptor().Fields().ByName(protoreflect.Name(fmt.Sprint(members[spelled.discriminator])))
	if fd == nil || !got.Has(fd) {
		o.fault(path, "the variant %v is not set", members[spelled.discriminator])
		return nil
	}
	said[fd.Number()] = true
	own, others := make(map[string]any), make(map[string]any)
	for name, value := range members {
		switch {
		case name == spelled.discriminator:
		case spellingOf(fd.Message()).fields[name] != nil:
			own[name] = value
		default:
			others[name] = value
		}
	}
	o.object(path, own, got.Get(fd).Message())
	return others
}

// entries compares a map.
func (o *oracle) entries(path string, want any, fd protoreflect.FieldDescriptor, got protoreflect.Map) {
	members, ok := want.(map[string]any)
	if !ok || len(members) != got.Len() {
		o.fault(path, "got %d entries, want %v", got.Len(), want)
		return
	}
	for name, value := range members {
		key := protoreflect.ValueOfString(name).MapKey()
		if !got.Has(key) {
			o.fault(path+"."+name, "not set, want %v", value)
			continue
		}
		o.value(path+"."+name, value, fd.MapValue(), got.Get(key))
	}
}

func (o *oracle) field(path string, want any, fd protoreflect.FieldDescriptor, got protoreflect.Message) {
	switch {
	case fd.IsMap():
		o.entries(path, want, fd, got.Get(fd).Map())
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
		text, _ := proto.GetExtension(value.Options(), optionsv1.E_JsonValue).(string)
		same = want == text && text != ""
	case protoreflect.StringKind:
		if spellingOf(fd.ContainingMessage()).decimal[fd] {
			same = sameDecimal(want, got.String())
		} else {
			same = want == got.String()
		}
	case protoreflect.DoubleKind:
		number, ok := want.(json.Number)
		same = ok && number.String() == strconv.FormatFloat(got.Float(), 'g', -1, 64)
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		number, ok := want.(json.Number)
		same = ok && number.String() == strconv.FormatInt(got.Int(), 10)
	default:
		o.fault(path, "a field of kind %s, which no message of the upstream has", fd.Kind())
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

// spelling is how a message is written as JSON.
type spelling struct {
	array, choice bool
	// discriminator names the variant of a union, whose members are the object's.
	discriminator string
	fields        map[string]protoreflect.FieldDescriptor // by their members
	decimal       map[protoreflect.FieldDescriptor]bool
}

// spellings are those that were read so far: *spelling by message descriptor.
// Reading options takes longer than comparing the values.
var spellings sync.Map

func spellingOf(message protoreflect.MessageDescriptor) *spelling {
	if known, ok := spellings.Load(message); ok {
		return known.(*spelling) //nolint:forcetypeassert // It holds nothing else.
	}
	s := &spelling{fields: make(map[string]protoreflect.FieldDescriptor), decimal: make(map[protoreflect.FieldDescriptor]bool)}
	s.array, _ = proto.GetExtension(message.Options(), optionsv1.E_JsonArray).(bool)
	s.choice, _ = proto.GetExtension(message.Options(), optionsv1.E_JsonChoice).(bool)
	for i := range message.Oneofs().Len() {
		union, _ := proto.GetExtension(message.Oneofs().Get(i).Options(), optionsv1.E_Union).(*optionsv1.Union)
		if union != nil && !union.GetNested() {
			s.discriminator = union.GetDiscriminator()
		}
	}
	for i := range message.Fields().Len() {
		fd := message.Fields().Get(i)
		mapping, _ := proto.GetExtension(fd.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
		name := cmp.Or(mapping.GetName(), string(fd.Name()))
		if s.fields[name] != nil {
			panic(fmt.Sprintf("two fields of %s are %q", message.FullName(), name))
		}
		s.fields[name] = fd
		s.decimal[fd] = mapping.GetDecimal()
	}
	spellings.Store(message, s)
	return s
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
