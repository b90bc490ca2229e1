package adminjson

import (
	"fmt"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
)

// kind is how a value is spelled: in JSON and on the wire.
type kind int

const (
	kindBool kind = iota
	kindInt32
	kindInt64
	kindUint32
	kindUint64
	kindDouble
	kindString
	kindDecimal
	kindEnum
	kindTimestamp
	kindStruct
	kindListValue
	kindValue
	kindArray
	kindMessage
	kindChoice
	kindMap
)

// wants returns the reason of an error for JSON that a kind does not accept.
func (k kind) wants() string {
	switch k {
	case kindBool:
		return "must be true or false"
	case kindInt32, kindInt64, kindUint32, kindUint64:
		return "must be a whole number"
	case kindDouble:
		return "must be a number"
	case kindString, kindEnum:
		return "must be a string"
	case kindDecimal:
		return "must be a decimal number"
	case kindTimestamp:
		return "must be a time in Unix seconds"
	case kindArray, kindListValue:
		return "must be an array"
	case kindStruct, kindMessage, kindMap:
		return "must be an object"
	case kindValue:
		return "must be a JSON value"
	default:
		return "must be of another type"
	}
}

// packs says whether repeated values may share one record on the wire.
func (k kind) packs() bool { return k <= kindDouble || k == kindEnum }

// plan is everything about a message that the codec needs, looked up once.
type plan struct {
	desc protoreflect.MessageDescriptor
	// fields are the members, in the order of declaration.
	fields []field
	// byName finds a member by its name in JSON.
	byName map[string]int
	// mask is the field that names the fields to send; nil in most messages.
	mask protoreflect.FieldDescriptor
	// array is set when the message stands for a JSON array: its only field.
	array *field
	// needs are the fields that make an object of an answer one.
	needs fieldSet
	// choice is set when the message stands for a JSON value of several types.
	choice *choice
	// union is the oneof whose messages have their members in this object; nil in
	// most messages.
	union *union
	// hidden is the name of a member that the message does not have because it has the
	// redacted form of it alone; "" in most messages.
	hidden string
	// payloads choose among members of a oneof, by the index of the oneof.
	payloads map[int]*union
}

// field is everything about a member that the codec needs.
type field struct {
	desc     protoreflect.FieldDescriptor
	name     string // In JSON.
	key      []byte // The name as it is written, with its colon.
	tag      []byte // The start of a record on the wire.
	index    int    // In plan.fields.
	kind     kind
	list     bool
	packed   bool
	presence bool // Zero is not the same as absent.
	nullable bool
	required bool
	// essential fields are in every answer; strict ones are never left out of it.
	essential, strict bool
	unnamed           bool // An element, which has no name in JSON: of an array or a map.
	inChoice          bool // A member of a json_choice: all of the value that has it.
	oneof             int  // The index of a oneof, -1 for none.
	enum              *enum
	message           *plan  // For kindMessage, kindArray and kindChoice.
	value             *field // For kindMap: what its members have as their values.
	variant           *union // Of which the field is a variant; nil: a member of its own.
}

type enum struct {
	numbers map[string]protoreflect.EnumNumber
	names   map[protoreflect.EnumNumber]string
}

// A message has fewer fields than bits here, so that what was seen of it needs
// no memory of its own.
const (
	maxFields = 256
	maxOneofs = 64
)

// compiler makes plans; a type that holds itself has one plan.
type compiler struct {
	plans map[protoreflect.FullName]*plan
	enums map[protoreflect.FullName]*enum
}

// message makes the plan of a message that is the value of a field.
func (c *compiler) message(md protoreflect.MessageDescriptor) (*plan, error) {
	if p := c.plans[md.FullName()]; p != nil {
		return p, nil
	}
	p := &plan{desc: md}
	c.plans[md.FullName()] = p
	return p, c.fill(p, nil)
}

// fill adds the fields to a plan, but for the ones that are left out.
func (c *compiler) fill(p *plan, without map[protoreflect.Name]bool) error {
	fds := p.desc.Fields()
	if fds.Len() > maxFields || p.desc.Oneofs().Len() > maxOneofs {
		return fmt.Errorf("adminjson: %s: more than %d fields or %d oneofs", p.desc.FullName(), maxFields, maxOneofs)
	}
	if err := c.unions(p); err != nil {
		return err
	}
	p.fields = make([]field, 0, fds.Len())
	p.byName = make(map[string]int, fds.Len())
	for i := range fds.Len() {
		fd := fds.Get(i)
		if without[fd.Name()] {
			continue
		}
		if isUnsent(fd) {
			continue
		}
		if fieldmask.Is(fd) {
			if p.mask != nil || fd.IsList() {
				return fmt.Errorf("adminjson: %s: a message has one google.protobuf.FieldMask at most", fd.FullName())
			}
			p.mask = fd
			continue
		}
		f, err := c.field(fd)
		if err != nil {
			return err
		}
		f.index = len(p.fields)
		if f.variant = p.variantOf(fd); f.variant != nil {
			p.fields = append(p.fields, f)
			continue
		}
		if _, taken := p.byName[f.name]; taken {
			return fmt.Errorf("adminjson: %s: another field has the JSON name %q", fd.FullName(), f.name)
		}
		p.byName[f.name] = f.index
		p.fields = append(p.fields, f)
		if f.essential {
			p.needs.add(f.index)
		}
	}
	p.hidden = p.hides()
	if isArray(p.desc) {
		if fds.Len() != 1 || len(p.fields) != 1 || !p.fields[0].list {
			return fmt.Errorf("adminjson: %s: json_array needs one field, a repeated one", p.desc.FullName())
		}
		p.array = &p.fields[0]
		p.array.unnamed = true
	}
	if isChoice(p.desc) {
		if err := p.choose(); err != nil {
			return err
		}
	}
	return p.join()
}

func (c *compiler) field(fd protoreflect.FieldDescriptor) (field, error) {
	f := field{
		desc:     fd,
		name:     string(fd.Name()),
		list:     fd.IsList(),
		presence: fd.HasPresence(),
		oneof:    -1,
	}
	mapping, _ := proto.GetExtension(fd.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	if mapping.GetName() != "" {
		f.name = mapping.GetName()
	}
	f.nullable = mapping.GetNullable()
	options, _ := fd.Options().(*descriptorpb.FieldOptions)
	f.essential = mapping.GetEssential()
	// Whoever gets a key gets the whole key, and money is never wrong.
	f.strict = f.essential || mapping.GetStrict() || mapping.GetDecimal() || options.GetDebugRedact()
	declared, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	for _, b := range declared {
		f.required = f.required || b == annotations.FieldBehavior_REQUIRED
	}
	if o := fd.ContainingOneof(); o != nil && !o.IsSynthetic() {
		f.oneof = o.Index()
	}
	if err := c.kind(&f, mapping.GetDecimal()); err != nil {
		return field{}, err
	}
	key, err := appendString(nil, f.name)
	if err != nil {
		return field{}, fmt.Errorf("adminjson: %s: JSON name: %w", fd.FullName(), err)
	}
	f.key = append(key, ':')
	f.packed = f.list && f.kind.packs() && fd.IsPacked()
	f.tag = protowire.AppendTag(nil, fd.Number(), f.wireType())
	return f, nil
}

func (f *field) wireType() protowire.Type {
	switch {
	case f.packed || !f.kind.packs():
		return protowire.BytesType
	case f.kind == kindDouble:
		return protowire.Fixed64Type
	default:
		return protowire.VarintType
	}
}

func (c *compiler) kind(f *field, decimal bool) (err error) {
	fd := f.desc
	if decimal && fd.Kind() != protoreflect.StringKind {
		return fmt.Errorf("adminjson: %s: only a string may be decimal", fd.FullName())
	}
	if fd.IsMap() {
		return c.mapKind(f)
	}
	switch fd.Kind() {
	case protoreflect.BoolKind:
		f.kind = kindBool
	case protoreflect.Int32Kind:
		f.kind = kindInt32
	case protoreflect.Int64Kind:
		f.kind = kindInt64
	case protoreflect.Uint32Kind:
		f.kind = kindUint32
	case protoreflect.Uint64Kind:
		f.kind = kindUint64
	case protoreflect.DoubleKind:
		f.kind = kindDouble
	case protoreflect.StringKind:
		f.kind = kindString
		if decimal {
			f.kind = kindDecimal
		}
	case protoreflect.EnumKind:
		f.kind = kindEnum
		f.enum, err = c.enum(fd)
	case protoreflect.MessageKind:
		err = c.messageKind(f)
	default:
		return fmt.Errorf("adminjson: %s: the kind %s has no mapping", fd.FullName(), fd.Kind())
	}
	return err
}

func (c *compiler) messageKind(f *field) (err error) {
	md := f.desc.Message()
	switch md.FullName() {
	case "google.protobuf.Timestamp":
		f.kind = kindTimestamp
	case "google.protobuf.Struct":
		f.kind = kindStruct
	case "google.protobuf.ListValue":
		f.kind = kindListValue
	case "google.protobuf.Value":
		f.kind = kindValue
	default:
		if md.ParentFile().Package() == "google.protobuf" {
			return fmt.Errorf("adminjson: %s: %s has no mapping", f.desc.FullName(), md.FullName())
		}
		f.kind = kindMessage
		switch {
		case isArray(md):
			f.kind = kindArray
		case isChoice(md):
			f.kind = kindChoice
		}
		f.message, err = c.message(md)
	}
	return err
}

func (c *compiler) enum(fd protoreflect.FieldDescriptor) (*enum, error) {
	ed := fd.Enum()
	if e := c.enums[ed.FullName()]; e != nil {
		return e, nil
	}
	values := ed.Values()
	e := &enum{
		numbers: make(map[string]protoreflect.EnumNumber, values.Len()),
		names:   make(map[protoreflect.EnumNumber]string, values.Len()),
	}
	for i := range values.Len() {
		v := values.Get(i)
		name, _ := proto.GetExtension(v.Options(), optionsv1.E_JsonValue).(string)
		if name == "" {
			if v.Number() == 0 {
				continue
			}
			return nil, fmt.Errorf("adminjson: %s: %s.%s has no json_value", fd.FullName(), ed.FullName(), v.Name())
		}
		if _, taken := e.numbers[name]; taken {
			return nil, fmt.Errorf("adminjson: %s: two values of %s have the json_value %q", fd.FullName(), ed.FullName(), name)
		}
		e.numbers[name] = v.Number()
		if _, taken := e.names[v.Number()]; !taken {
			e.names[v.Number()] = name
		}
	}
	c.enums[ed.FullName()] = e
	return e, nil
}

// isUnsent says whether a field is the gateway's own, and no member of the JSON.
func isUnsent(fd protoreflect.FieldDescriptor) bool {
	mapping, _ := proto.GetExtension(fd.Options(), optionsv1.E_Field).(*optionsv1.FieldMapping)
	return mapping.GetEnds() != "" || mapping.GetConsent() != nil
}

func isArray(md protoreflect.MessageDescriptor) bool {
	is, _ := proto.GetExtension(md.Options(), optionsv1.E_JsonArray).(bool)
	return is
}
