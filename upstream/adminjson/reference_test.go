package adminjson_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// The reference decoder: encoding/json's tokens into maps that keep their order,
// and those into a message by reflection. It is slow, and knows nothing of the
// wire.

// member is one of an object, whose value is a []member, a []any, a string, a
// json.Number, a bool or nil.
type member struct {
	name  string
	value any
}

// A value that does not fit is left out; a refusal is of the whole answer.
var (
	errReference = errors.New("a value does not fit")
	errRefused   = errors.New("the reference refuses it")
)

func reference(src []byte, m *dynamicpb.Message) error {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	v, err := parseTree(d)
	if err != nil {
		return err
	}
	members, ok := v.([]member)
	if !ok {
		return errReference
	}
	return refObject(members, m, 1)
}

func parseTree(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		members := []member{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			value, err := parseTree(d)
			if err != nil {
				return nil, err
			}
			members = append(members, member{fmt.Sprint(name), value})
		}
		_, err = d.Token()
		return members, err
	case json.Delim('['):
		values := []any{}
		for d.More() {
			value, err := parseTree(d)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		_, err = d.Token()
		return values, err
	}
	return token, nil
}

func refObject(members []member, m *dynamicpb.Message, depth int) error {
	if depth > 64 {
		return errRefused
	}
	if err := refEssential(members, m.Descriptor().Fields()); err != nil {
		return err
	}
	for i, mb := range members {
		into := m
		if slices.ContainsFunc(members[i+1:], func(later member) bool { return later.name == mb.name }) {
			into = dynamicpb.NewMessage(m.Descriptor()) // Replaced later, but not to be wrong either.
		}
		fds := m.Descriptor().Fields()
		for i := range fds.Len() {
			fd := fds.Get(i)
			name := fieldMapping(fd).GetName()
			if name == "" {
				name = string(fd.Name())
			}
			if name != mb.name {
				continue
			}
			if err := refLenient(fd, refField(fd, mb.value, into, depth)); err != nil {
				return err
			}
		}
	}
	return nil
}

// refEssential refuses an object without a member that makes it an answer.
func refEssential(members []member, fds protoreflect.FieldDescriptors) error {
	for i := range fds.Len() {
		mapping := fieldMapping(fds.Get(i))
		if !mapping.GetEssential() {
			continue
		}
		name := cmp.Or(mapping.GetName(), string(fds.Get(i).Name()))
		there := false
		for _, mb := range members {
			if mb.name == name {
				there = true
				if mb.value == nil {
					return errRefused
				}
			}
		}
		if !there {
			return errRefused
		}
	}
	return nil
}

// refLenient forgets that a value does not fit, where it may be left out.
func refLenient(fd protoreflect.FieldDescriptor, err error) error {
	if !errors.Is(err, errReference) {
		return err
	}
	mapping := fieldMapping(fd)
	options, _ := fd.Options().(*descriptorpb.FieldOptions)
	if mapping.GetEssential() || mapping.GetStrict() || mapping.GetDecimal() || options.GetDebugRedact() {
		return errRefused
	}
	return nil
}

func refField(fd protoreflect.FieldDescriptor, value any, m *dynamicpb.Message, depth int) error {
	if fd.IsList() && value != nil {
		values, ok := value.([]any)
		if !ok {
			return errReference
		}
		return refList(fd, values, m.Mutable(fd).List(), depth)
	}
	v, set, err := refValue(fd, value, depth)
	if err == nil && set {
		m.Set(fd, v)
	}
	return err
}

func refList(fd protoreflect.FieldDescriptor, values []any, list protoreflect.List, depth int) error {
	for _, value := range values {
		v, set, err := refValue(fd, value, depth)
		if value == nil && !set && fieldMapping(fd).GetEssential() {
			return errRefused
		}
		misfit := err != nil
		if err = refLenient(fd, err); err != nil {
			return err
		}
		switch {
		case misfit:
		case set:
			list.Append(v)
		case value != nil: // An enum that is not known.
			list.Append(protoreflect.ValueOfEnum(0))
		}
	}
	return nil
}

func refValue(fd protoreflect.FieldDescriptor, value any, depth int) (v protoreflect.Value, set bool, err error) {
	if value == nil && (fd.Message() == nil || fd.Message().FullName() != "google.protobuf.Value") {
		return v, false, nil
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		b, ok := value.(bool)
		return protoreflect.ValueOfBool(b), ok, refuse(ok)
	case protoreflect.StringKind:
		if fieldMapping(fd).GetDecimal() {
			n, ok := refNumber(value)
			return protoreflect.ValueOfString(n), ok, refuse(ok)
		}
		s, ok := value.(string)
		return protoreflect.ValueOfString(s), ok, refuse(ok)
	case protoreflect.EnumKind:
		return refEnum(fd, value)
	case protoreflect.MessageKind:
		m := dynamicpb.NewMessage(fd.Message())
		return protoreflect.ValueOfMessage(m), true, refMessage(value, m, depth)
	case protoreflect.DoubleKind:
		n, ok := refNumber(value)
		f, err := strconv.ParseFloat(n, 64)
		return protoreflect.ValueOfFloat64(f), true, refuse(ok && err == nil)
	default:
		n, ok := refNumber(value)
		if !ok {
			return v, false, errReference
		}
		return refInt(fd.Kind(), n)
	}
}

func refuse(ok bool) error {
	if ok {
		return nil
	}
	return errReference
}

// refNumber is a number, or a string that encoding/json reads as one.
func refNumber(value any) (string, bool) {
	if n, ok := value.(json.Number); ok {
		return n.String(), true
	}
	s, ok := value.(string)
	var n json.Number
	if !ok || s == "" || strings.TrimSpace(s) != s || json.Unmarshal([]byte(s), &n) != nil || s[0] == '"' || s == "null" {
		return "", false
	}
	return s, true
}

// refRat is exact. An exponent beyond a thousand is beyond every range here.
func refRat(n string) (*big.Rat, bool) {
	mantissa, exponent, _ := strings.Cut(strings.ToLower(n), "e")
	r, ok := new(big.Rat).SetString(mantissa)
	if !ok || exponent == "" || r.Sign() == 0 {
		return r, ok
	}
	e, err := strconv.Atoi(exponent)
	if err != nil || e > 1000 || e < -1000 {
		if strings.HasPrefix(exponent, "-") {
			return big.NewRat(int64(r.Sign()), 1<<62), true
		}
		return nil, false
	}
	return r.SetString(mantissa + "e" + exponent)
}

func refInt(kind protoreflect.Kind, n string) (v protoreflect.Value, set bool, err error) {
	r, ok := refRat(n)
	if !ok || !r.IsInt() {
		return v, false, errReference
	}
	i := r.Num()
	switch kind {
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(i.Int64())), true, refuse(i.IsInt64() && int64(int32(i.Int64())) == i.Int64())
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(i.Int64()), true, refuse(i.IsInt64())
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(i.Uint64())), true, refuse(i.IsUint64() && uint64(uint32(i.Uint64())) == i.Uint64())
	default:
		return protoreflect.ValueOfUint64(i.Uint64()), true, refuse(i.IsUint64())
	}
}

func refEnum(fd protoreflect.FieldDescriptor, value any) (v protoreflect.Value, set bool, err error) {
	s, ok := value.(string)
	if !ok {
		return v, false, errReference
	}
	values := fd.Enum().Values()
	for i := range values.Len() {
		if name, _ := proto.GetExtension(values.Get(i).Options(), optionsv1.E_JsonValue).(string); name != "" && name == s {
			return protoreflect.ValueOfEnum(values.Get(i).Number()), true, nil
		}
	}
	return v, false, nil
}

func refMessage(value any, m *dynamicpb.Message, depth int) error {
	md := m.Descriptor()
	switch md.FullName() {
	case "google.protobuf.Timestamp":
		return refTimestamp(value, m)
	case "google.protobuf.Value":
		return refAny(value, m, depth)
	}
	tooDeep := depth >= 64
	switch values := value.(type) {
	case []any:
		isArray, _ := proto.GetExtension(md.Options(), optionsv1.E_JsonArray).(bool)
		if !isArray && md.FullName() != "google.protobuf.ListValue" {
			return errReference
		}
		if tooDeep {
			return errRefused
		}
		fd := md.Fields().Get(0)
		return refList(fd, values, m.Mutable(fd).List(), depth+1)
	case []member:
		if isArray, _ := proto.GetExtension(md.Options(), optionsv1.E_JsonArray).(bool); isArray || md.FullName() == "google.protobuf.ListValue" {
			return errReference
		}
		if tooDeep {
			return errRefused
		}
		if md.FullName() != "google.protobuf.Struct" {
			return refObject(values, m, depth+1)
		}
		fields := m.Mutable(md.Fields().Get(0)).Map()
		for _, mb := range values {
			v := fields.NewValue()
			if err := refAny(mb.value, v.Message(), depth+1); err != nil {
				return err
			}
			fields.Set(protoreflect.ValueOfString(mb.name).MapKey(), v)
		}
		return nil
	}
	return errReference
}

func refAny(value any, m protoreflect.Message, depth int) error {
	fd := m.Descriptor().Fields().ByName
	switch v := value.(type) {
	case nil:
		m.Set(fd("null_value"), protoreflect.ValueOfEnum(0))
	case bool:
		m.Set(fd("bool_value"), protoreflect.ValueOfBool(v))
	case string:
		m.Set(fd("string_value"), protoreflect.ValueOfString(v))
	case json.Number:
		f, err := v.Float64()
		m.Set(fd("number_value"), protoreflect.ValueOfFloat64(f))
		return refuse(err == nil)
	case []any:
		list := dynamicpb.NewMessage(fd("list_value").Message())
		err := refMessage(v, list, depth)
		m.Set(fd("list_value"), protoreflect.ValueOfMessage(list))
		return err
	case []member:
		object := dynamicpb.NewMessage(fd("struct_value").Message())
		err := refMessage(v, object, depth)
		m.Set(fd("struct_value"), protoreflect.ValueOfMessage(object))
		return err
	}
	return nil
}

func refTimestamp(value any, m *dynamicpb.Message) error {
	n, ok := refNumber(value)
	if !ok {
		return errReference
	}
	r, ok := refRat(n)
	if !ok {
		return errReference
	}
	// Nanoseconds, with what is beyond them cut off; then whole seconds below.
	r.Mul(r, big.NewRat(1e9, 1))
	nanos := new(big.Int).Quo(r.Num(), r.Denom())
	seconds, rest := new(big.Int).DivMod(nanos, big.NewInt(1e9), new(big.Int))
	if !seconds.IsInt64() || seconds.Int64() < -62135596800 || seconds.Int64() > 253402300799 {
		return errReference
	}
	fds := m.Descriptor().Fields()
	m.Set(fds.ByName("seconds"), protoreflect.ValueOfInt64(seconds.Int64()))
	m.Set(fds.ByName("nanos"), protoreflect.ValueOfInt32(int32(rest.Int64())))
	return nil
}
