package adminjson

import (
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The numbers of the fields in google/protobuf/struct.proto.
const (
	structFields = 1
	entryKey     = 1
	entryValue   = 2
	listValues   = 1

	valueNull   = 1
	valueNumber = 2
	valueString = 3
	valueBool   = 4
	valueStruct = 5
	valueList   = 6
)

// tag1 is the tag of a field with a number below 16, which is one byte.
func tag1(num protowire.Number, t protowire.Type) byte { return byte(num)<<3 | byte(t) }

// dynamic reads a value into a field of type Struct, ListValue or Value.
func (d *decoder) dynamic(f *field) error {
	c := d.peek()
	if f.kind == kindStruct && c != '{' || f.kind == kindListValue && c != '[' {
		return d.fail(f.kind.wants())
	}
	start := d.open(f.tag)
	var err error
	switch f.kind {
	case kindStruct:
		err = d.structFields()
	case kindListValue:
		err = d.listValues()
	default:
		err = d.anyValue()
	}
	d.close(start)
	return err
}

func (d *decoder) structFields() error {
	if err := d.enter(); err != nil {
		return err
	}
	for d.pos++; d.more('}'); {
		d.dst = append(d.dst, tag1(structFields, protowire.BytesType), 0)
		entry := len(d.dst)
		d.dst = append(d.dst, tag1(entryKey, protowire.BytesType))
		name := d.plainText()
		d.dst = protowire.AppendBytes(d.dst, name)
		d.colon()
		d.dst = append(d.dst, tag1(entryValue, protowire.BytesType), 0)
		value := len(d.dst)
		if err := d.anyValue(); err != nil {
			return within(err, clean(string(name)))
		}
		d.close(value)
		d.close(entry)
	}
	d.depth--
	return nil
}

func (d *decoder) listValues() error {
	if err := d.enter(); err != nil {
		return err
	}
	d.pos++
	for i := 0; d.more(']'); i++ {
		d.dst = append(d.dst, tag1(listValues, protowire.BytesType), 0)
		value := len(d.dst)
		if err := d.anyValue(); err != nil {
			return withinElement(err, i)
		}
		d.close(value)
	}
	d.depth--
	return nil
}

// anyValue reads any JSON as the content of a google.protobuf.Value.
func (d *decoder) anyValue() error {
	switch c := d.peek(); c {
	case '{':
		d.dst = append(d.dst, tag1(valueStruct, protowire.BytesType), 0)
		start := len(d.dst)
		if err := d.structFields(); err != nil {
			return err
		}
		d.close(start)
	case '[':
		d.dst = append(d.dst, tag1(valueList, protowire.BytesType), 0)
		start := len(d.dst)
		if err := d.listValues(); err != nil {
			return err
		}
		d.close(start)
	case '"':
		d.dst = append(d.dst, tag1(valueString, protowire.BytesType))
		d.bytes(d.text())
	case 't':
		d.dst = append(d.dst, tag1(valueBool, protowire.VarintType), 1)
		d.skip()
	case 'f':
		d.dst = append(d.dst, tag1(valueBool, protowire.VarintType), 0)
		d.skip()
	case 'n':
		d.dst = append(d.dst, tag1(valueNull, protowire.VarintType), 0)
		d.skip()
	default:
		v, reason := parseDouble(d.digits())
		if reason != "" {
			return d.fail(reason)
		}
		d.dst = append(d.dst, tag1(valueNumber, protowire.Fixed64Type))
		d.dst = protowire.AppendFixed64(d.dst, v)
	}
	return nil
}

// structValue writes a google.protobuf.Struct, its members ordered by name.
func (e *encoder) structValue(m protoreflect.Message) error {
	if err := e.enter(); err != nil {
		return err
	}
	fields := m.Get(m.Descriptor().Fields().ByNumber(structFields)).Map()
	members := make(map[string]protoreflect.Message, fields.Len())
	fields.Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
		members[k.String()] = v.Message()
		return true
	})
	e.dst = append(e.dst, '{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		if err := e.string(name); err != nil {
			return within(err, clean(name))
		}
		e.dst = append(e.dst, ':')
		if err := e.anyValue(members[name]); err != nil {
			return within(err, clean(name))
		}
	}
	e.dst = append(e.dst, '}')
	e.depth--
	return nil
}

func (e *encoder) listValue(m protoreflect.Message) error {
	if err := e.enter(); err != nil {
		return err
	}
	values := m.Get(m.Descriptor().Fields().ByNumber(listValues)).List()
	e.dst = append(e.dst, '[')
	for i := range values.Len() {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		if err := e.anyValue(values.Get(i).Message()); err != nil {
			return withinElement(err, i)
		}
	}
	e.dst = append(e.dst, ']')
	e.depth--
	return nil
}

// anyValue writes a google.protobuf.Value.
func (e *encoder) anyValue(m protoreflect.Message) error {
	fd := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if fd == nil {
		return &FieldError{Reason: "is a google.protobuf.Value without a kind"}
	}
	v := m.Get(fd)
	switch int(fd.Number()) {
	case valueNull:
		e.dst = append(e.dst, "null"...)
	case valueNumber:
		return e.double(v.Float())
	case valueString:
		return e.string(v.String())
	case valueBool:
		e.bool(v.Bool())
	case valueStruct:
		return e.structValue(v.Message())
	case valueList:
		return e.listValue(v.Message())
	}
	return nil
}

func (e *encoder) double(f float64) error {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return &FieldError{Reason: "must be a finite number"}
	}
	e.dst = appendDouble(e.dst, f)
	return nil
}
