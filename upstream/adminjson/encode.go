package adminjson

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// encoder appends the JSON of a message to dst.
type encoder struct {
	dst   []byte
	depth int
}

func (e *encoder) enter() error {
	if e.depth++; e.depth > maxDepth {
		return &FieldError{Reason: reasonDepth}
	}
	return nil
}

func (e *encoder) message(p *plan, m protoreflect.Message) error {
	if p.array != nil {
		if err := e.enter(); err != nil {
			return err
		}
		if err := e.list(p.array, m.Get(p.array.desc).List()); err != nil {
			return err
		}
		e.depth--
		return nil
	}
	if p.choice != nil {
		return e.choice(p, m)
	}
	if err := e.enter(); err != nil {
		return err
	}
	e.dst = append(e.dst, '{')
	if err := e.members(p, m, len(e.dst)); err != nil {
		return err
	}
	e.dst = append(e.dst, '}')
	e.depth--
	return nil
}

// members writes the members of a message, in an object that starts at start.
func (e *encoder) members(p *plan, m protoreflect.Message, start int) error {
	named, masked, err := readMask(p, m)
	if err != nil {
		return err
	}
	if p.union != nil && !masked && m.WhichOneof(p.union.oneof) == nil {
		return &FieldError{Path: p.union.discriminator, Reason: p.union.wants()}
	}
	for i := range p.fields {
		f := &p.fields[i]
		if masked {
			if named.has(i) {
				err = e.named(f, m, start)
			}
		} else if f.sends(m) {
			err = e.send(f, m, start)
		}
		switch {
		case err == nil:
		case f.variant != nil:
			return err // Its members are the object's.
		default:
			return within(err, f.name)
		}
	}
	return nil
}

// sends says whether a field is written where no mask says so.
func (f *field) sends(m protoreflect.Message) bool {
	switch {
	case f.list, f.kind == kindMap:
		return f.required || m.Has(f.desc)
	case f.nulls():
		return true
	case f.presence, f.kind == kindEnum, f.kind == kindDecimal:
		return m.Has(f.desc)
	default:
		return true
	}
}

// nulls says whether a field that is not set is written as null where no mask says
// so: the upstream wants the member, and takes null in it.
func (f *field) nulls() bool { return f.presence && f.required && f.nullable }

// member writes the name and the value of a field. The first member of an object
// starts where the object does.
func (e *encoder) member(f *field, v protoreflect.Value, start int) error {
	e.key(f, start)
	return e.value(f, v)
}

// send writes a field that is sent without a mask.
func (e *encoder) send(f *field, m protoreflect.Message, start int) error {
	switch {
	case f.variant != nil:
		return e.variant(f, m.Get(f.desc).Message(), start)
	case f.nulls() && !m.Has(f.desc):
		e.null(f, start)
		return nil
	default:
		return e.member(f, m.Get(f.desc), start)
	}
}

// null writes the name of a field and null.
func (e *encoder) null(f *field, start int) {
	e.key(f, start)
	e.dst = append(e.dst, "null"...)
}

func (e *encoder) key(f *field, start int) {
	e.next(start)
	e.dst = append(e.dst, f.key...)
}

// next writes the comma before a member that is not the first.
func (e *encoder) next(start int) {
	if len(e.dst) > start {
		e.dst = append(e.dst, ',')
	}
}

func (e *encoder) value(f *field, v protoreflect.Value) error {
	switch {
	case f.list:
		return e.list(f, v.List())
	case f.kind == kindMap:
		return e.mapping(f, v.Map())
	default:
		return e.single(f, v)
	}
}

func (e *encoder) list(f *field, values protoreflect.List) error {
	e.dst = append(e.dst, '[')
	for i := range values.Len() {
		if i > 0 {
			e.dst = append(e.dst, ',')
		}
		if err := e.single(f, values.Get(i)); err != nil {
			return withinElement(err, i)
		}
	}
	e.dst = append(e.dst, ']')
	return nil
}

func (e *encoder) single(f *field, v protoreflect.Value) error {
	switch f.kind {
	case kindBool:
		e.bool(v.Bool())
	case kindInt32, kindInt64:
		e.dst = strconv.AppendInt(e.dst, v.Int(), 10)
	case kindUint32, kindUint64:
		e.dst = strconv.AppendUint(e.dst, v.Uint(), 10)
	case kindDouble:
		return e.double(v.Float())
	case kindString:
		return e.string(v.String())
	case kindDecimal:
		s := []byte(v.String())
		if !isNumber(s) {
			return &FieldError{Reason: f.kind.wants()}
		}
		e.dst = append(e.dst, s...)
	case kindEnum:
		return e.enum(f, v.Enum())
	case kindTimestamp:
		return e.timestamp(v.Message())
	case kindStruct:
		return e.structValue(v.Message())
	case kindListValue:
		return e.listValue(v.Message())
	case kindValue:
		return e.anyValue(v.Message())
	case kindArray, kindMessage, kindChoice:
		return e.message(f.message, v.Message())
	case kindMap: // Never one of several; [encoder.value] writes it.
	}
	return nil
}

func (e *encoder) bool(v bool) { e.dst = strconv.AppendBool(e.dst, v) }

func (e *encoder) string(s string) error {
	dst, err := appendString(e.dst, s)
	if err != nil {
		return err
	}
	e.dst = dst
	return nil
}

func appendString(dst []byte, s string) ([]byte, error) {
	out, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		return dst, &FieldError{Reason: "must be valid UTF-8"}
	}
	return out, nil
}

func (e *encoder) enum(f *field, n protoreflect.EnumNumber) error {
	name, ok := f.enum.names[n]
	if !ok {
		if n == 0 {
			return &FieldError{Reason: "must not be unspecified"}
		}
		return &FieldError{Reason: "has an unknown value"}
	}
	return e.string(name)
}

func (e *encoder) timestamp(m protoreflect.Message) error {
	fields := m.Descriptor().Fields()
	seconds, nanos := m.Get(fields.ByNumber(1)).Int(), m.Get(fields.ByNumber(2)).Int()
	if seconds < minTimestamp || seconds > maxTimestamp {
		return &FieldError{Reason: reasonRange}
	}
	if nanos != 0 {
		return &FieldError{Reason: "must be a whole number of seconds"}
	}
	e.dst = strconv.AppendInt(e.dst, seconds, 10)
	return nil
}
