package adminjson

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
)

// union is a oneof whose fields a member in JSON tells apart.
type union struct {
	oneof protoreflect.OneofDescriptor
	// discriminator is the name of that member, and key the name as it is written, with
	// its colon.
	discriminator string
	key           []byte
	// variants are the fields of the oneof, by the discriminator's value.
	variants map[string]*field
	// names are the values, in the order of the fields.
	names []string
}

// unions finds the unions of a message.
func (c *compiler) unions(p *plan) error {
	oneofs := p.desc.Oneofs()
	for i := range oneofs.Len() {
		declared, _ := proto.GetExtension(oneofs.Get(i).Options(), optionsv1.E_Union).(*optionsv1.Union)
		if declared == nil {
			continue
		}
		u := &union{oneof: oneofs.Get(i), discriminator: declared.GetDiscriminator(), variants: make(map[string]*field)}
		key, err := appendString(nil, u.discriminator)
		if err != nil || u.discriminator == "" {
			return fmt.Errorf("adminjson: %s: a union needs a discriminator", u.oneof.FullName())
		}
		u.key = append(key, ':')
		switch {
		case declared.GetNested():
			if p.payloads == nil {
				p.payloads = make(map[int]*union)
			}
			p.payloads[i] = u
		case p.union != nil:
			return fmt.Errorf("adminjson: %s: a message has one union at most that is not nested", u.oneof.FullName())
		default:
			p.union = u
		}
	}
	return nil
}

// variantOf returns the union whose variants stand in the message's own object, if
// the field is one of them.
func (p *plan) variantOf(fd protoreflect.FieldDescriptor) *union {
	if p.union != nil && fd.ContainingOneof() == p.union.oneof {
		return p.union
	}
	return nil
}

// join connects unions with the fields of their oneofs, and refuses an inline one
// whose parts have a member in common.
func (p *plan) join() error {
	for i := range p.fields {
		f := &p.fields[i]
		u := f.variant
		if u == nil && f.oneof >= 0 {
			u = p.payloads[f.oneof]
		}
		if u == nil {
			continue
		}
		u.variants[f.name] = f
		u.names = append(u.names, f.name)
		if f.variant == nil {
			continue
		}
		if f.kind != kindMessage || f.message.union != nil || f.message.mask != nil {
			return fmt.Errorf("adminjson: %s: a variant is a plain message", f.desc.FullName())
		}
		for name := range f.message.byName {
			if _, taken := p.byName[name]; taken || name == u.discriminator {
				return fmt.Errorf("adminjson: %s: the object has another member %q", f.desc.FullName(), name)
			}
		}
	}
	for _, u := range p.payloads {
		if i, ok := p.byName[u.discriminator]; ok {
			p.fields[i].strict = true
		}
	}
	if p.union != nil {
		if _, taken := p.byName[p.union.discriminator]; taken {
			return fmt.Errorf("adminjson: %s: the discriminator is a field", p.union.oneof.FullName())
		}
	}
	return nil
}

// has says whether a member is read with the variant, and not with the object.
func (u *union) has(chosen *field, name []byte) bool {
	if u == nil {
		return false
	}
	if string(name) == u.discriminator {
		return true
	}
	if chosen == nil {
		return false
	}
	_, ok := chosen.message.byName[string(name)]
	return ok
}

// chosen finds the variant of the object that starts here; nil where the message
// has no union, or where an answer has a variant that it lacks.
func (d *decoder) chosen(p *plan) (*field, error) {
	if p.union == nil {
		return nil, nil
	}
	value, ok := d.find(d.pos, p.union.discriminator)
	chosen := p.union.variants[string(value)]
	switch {
	case chosen != nil:
		return chosen, nil
	case d.strict:
		return nil, within(d.fail(p.union.wants()), p.union.discriminator)
	case !ok && !d.loose:
		return nil, within(d.refuse(p.union.wants()), p.union.discriminator)
	}
	d.drift.add(p.desc.FullName(), p.union.discriminator, UnknownEnum)
	return nil, nil
}

// wants returns the reason of an error for another discriminator.
func (u *union) wants() string { return "must be one of " + strings.Join(u.names, ", ") }

// find returns the string that a member has in the object that starts at start; of
// several the last. It is not ok where there is none, or one that is no string.
func (d *decoder) find(start int, name string) (value []byte, ok bool) {
	s := scanner{src: d.src, pos: start + 1}
	for s.more('}') {
		raw, escaped := s.text()
		s.colon()
		if unquoted(raw, escaped) != name {
			s.skip()
			continue
		}
		if s.peek() != '"' {
			s.skip()
			value, ok = nil, false
			continue
		}
		raw, escaped = s.text()
		value, ok = []byte(unquoted(raw, escaped)), true
	}
	return value, ok
}

func unquoted(raw []byte, escaped bool) string {
	if escaped {
		return string(appendUnquoted(nil, raw))
	}
	return string(raw)
}

// variant reads the members of the object that starts at start which are the
// variant's, as a record of its own. The decoder's position stays behind the object.
func (d *decoder) variant(chosen *field, start int) error {
	behind := d.pos
	record := d.open(chosen.tag)
	fr := frame{base: len(d.dst), object: start}
	for d.pos = start + 1; d.more('}'); {
		name := d.plainText()
		d.colon()
		i, ok := chosen.message.byName[string(name)]
		if !ok {
			d.skip() // The object's own, and read with it.
			continue
		}
		f := &chosen.message.fields[i]
		if err := d.member(chosen.message, f, &fr); err != nil {
			return within(err, f.name)
		}
	}
	if !d.strict && !fr.seen.contains(&chosen.message.needs) {
		return d.missing(chosen.message, &fr.seen)
	}
	d.forget(&fr)
	d.close(record)
	d.pos = behind
	return nil
}

// payload lets the discriminator choose among the members of a oneof that an
// answer has, of which f is the latest. Where it names none of them, the latest
// counts.
func (d *decoder) payload(u *union, f *field, fr *frame) {
	value, _ := d.find(fr.object, u.discriminator)
	chosen := u.variants[string(value)]
	if chosen == nil {
		return
	}
	at := len(d.dst)
	if f != chosen {
		if fr.seen.has(chosen.index) {
			fr.drop(f.desc.Number(), at)
		}
		return
	}
	for _, name := range u.names {
		if other := u.variants[name]; other != f {
			fr.drop(other.desc.Number(), at)
		}
	}
}

// variant writes the members of a union's message into the object that starts at
// start, behind the discriminator.
func (e *encoder) variant(f *field, m protoreflect.Message, start int) error {
	e.next(start)
	e.dst = append(e.dst, f.variant.key...)
	e.dst = append(e.dst, f.key[:len(f.key)-1]...) // Without its colon, the name is the value.
	return e.members(f.message, m, start)
}
