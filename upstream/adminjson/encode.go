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
	if err := e.enter(); err != nil {
		return err
	}
	named, masked, err := readMask(p, m)
	if err != nil {
		return err
	}
	e.dst = append(e.dst, '{')
	start := len(e.dst)
	for i := range p.fields {
		f := &p.fields[i]
		if masked {
			if named.has(i) {
				err = e.named(f, m, start)
			}
		} else if f.sends(m) {
			err = e.member(f, m.Get(f.desc), start)
		}
		if err != nil {
			return within(err, f.name)
		}
	}
	e.dst = append(e.dst, '}')
	e.depth--
	return nil
}

// sends says whether a field is written where no mask says so.
func (f *field) sends(m protoreflect.Message) bool {
	switch {
	case f.list:
		return f.required || m.Has(f.desc)
	case f.presence, f.kind == kindEnum, f.kind == kindDecimal:
		return m.Has(f.desc)
	default:
		return true
	}
}

// member writes the name and the value of a field. The first member of an object
// starts where the object does.
func (e *encoder) member(f *field, v protoreflect.Value, start int) error {
	e.key(f, start)
	return e.value(f, v)
}

func (e *encoder) key(f *field, start int) {
	if len(e.dst) > start {
		e.dst = append(e.dst, ',')
	}
	e.dst = append(e.dst, f.key...)
}

func (e *encoder) value(f *field, v protoreflect.Value) error {
	if f.list {
		return e.list(f, v.List())
	}
	return e.single(f, v)
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
	case kindArray, kindMessage:
		return e.message(f.message, v.Message())
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
