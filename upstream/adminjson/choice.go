package adminjson

import (
	"cmp"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// choice is a message that stands for a JSON value of one of several types.
type choice struct {
	text, boolean, integer, double, array, object *field
}

func isChoice(md protoreflect.MessageDescriptor) bool {
	is, _ := proto.GetExtension(md.Options(), optionsv1.E_JsonChoice).(bool)
	return is
}

// choose makes the plan of a json_choice.
func (p *plan) choose() error {
	oneofs := p.desc.Oneofs()
	if oneofs.Len() != 1 || oneofs.Get(0).IsSynthetic() || oneofs.Get(0).Fields().Len() != p.desc.Fields().Len() || p.union != nil {
		return fmt.Errorf("adminjson: %s: json_choice needs one oneof and nothing else", p.desc.FullName())
	}
	c := &choice{}
	for i := range p.fields {
		f := &p.fields[i]
		place := c.place(f.kind)
		if place == nil {
			return fmt.Errorf("adminjson: %s: no member of a json_choice", f.desc.FullName())
		}
		if *place != nil {
			return fmt.Errorf("adminjson: %s: %s has the same type in JSON", f.desc.FullName(), (*place).desc.Name())
		}
		*place = f
		f.inChoice = true
	}
	p.choice = c
	return nil
}

// place is where a member of a kind belongs; nil for a kind that has no place.
func (c *choice) place(k kind) **field {
	switch k {
	case kindString, kindEnum:
		return &c.text
	case kindBool:
		return &c.boolean
	case kindInt64:
		return &c.integer
	case kindDouble:
		return &c.double
	case kindArray:
		return &c.array
	case kindMessage, kindStruct:
		return &c.object
	default:
		return nil
	}
}

// of returns the member for the value that starts here; nil where no member has
// its type.
func (c *choice) of(d *decoder) *field {
	switch d.peek() {
	case '"':
		return c.text
	case 't', 'f':
		return c.boolean
	case '[':
		return c.array
	case '{':
		return c.object
	default:
		return c.number(d)
	}
}

// number returns the member for a number: a whole one that fits is the integer.
func (c *choice) number(d *decoder) *field {
	if c.integer == nil || c.double == nil {
		return cmp.Or(c.integer, c.double)
	}
	ahead := d.scanner
	if _, reason := parseInt(ahead.digits(), math.MinInt64, math.MaxInt64); reason == "" {
		return c.integer
	}
	return c.double
}

// choice reads a value as the record of a message. An answer's enum value that the
// schema lacks leaves the whole message out.
func (d *decoder) choice(f *field) error {
	before := len(d.dst)
	start := d.open(f.tag)
	empty := len(d.dst)
	if err := d.chosenMember(f.message); err != nil {
		return err
	}
	if len(d.dst) == empty {
		d.dst = d.dst[:before]
		return nil
	}
	d.close(start)
	return nil
}

// chosenMember reads a value into the member that has its type.
func (d *decoder) chosenMember(p *plan) error {
	member := p.choice.of(d)
	if member == nil {
		return d.fail(kindChoice.wants())
	}
	return d.single(p, member, true)
}

// choice writes the member that is set.
func (e *encoder) choice(p *plan, m protoreflect.Message) error {
	set := m.WhichOneof(p.desc.Oneofs().Get(0))
	for i := range p.fields {
		if f := &p.fields[i]; f.desc == set {
			return e.single(f, m.Get(f.desc))
		}
	}
	return &FieldError{Reason: "must have a value"}
}
