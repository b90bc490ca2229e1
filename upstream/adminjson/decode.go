package adminjson

import (
	"bytes"
	"errors"
	"math/bits"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
)

// The reasons that several errors have.
const (
	reasonRange   = "is out of range"
	reasonWhole   = "must be a whole number"
	reasonNull    = "must not be null"
	reasonDepth   = "is nested too deeply"
	reasonMissing = "is missing"
)

// decoder writes the wire form of the JSON in src to dst. It walks JSON that
// jsontext has found to be valid, so it does not check the syntax again.
type decoder struct {
	scanner
	dst   []byte
	drift *Drift
	depth int
	reading
	// path has, for each object or array that is being read, the field that it is the
	// value of.
	path    [maxDepth + 1]*field
	omitted []string
	hidden  []span
}

// reading is how strictly JSON is read. The zero value is for an answer.
type reading struct {
	strict bool // A request.
	exact  bool // Of an answer nothing is left out,
	loose  bool // or all but what is essential.
}

func (c *Codec) appendWire(dst, json []byte, strict bool) ([]byte, error) {
	d, err := c.decode(dst, json, reading{strict: strict, exact: c.exact})
	if err != nil {
		return dst, err
	}
	return d.dst, nil
}

// decode returns the decoder that has read json.
func (c *Codec) decode(dst, json []byte, how reading) (d decoder, err error) {
	if !jsontext.Value(json).IsValid(jsontext.AllowDuplicateNames(!how.strict)) {
		var valid []byte
		if !how.strict {
			valid = repaired(json)
		}
		if valid == nil {
			return d, invalid(json, how.strict)
		}
		json = valid
	}
	d = decoder{scanner: scanner{src: json}, dst: dst, drift: c.drift, reading: how}
	if how.strict {
		d.drift = nil
	}
	switch first := d.peek(); {
	case c.in != nil && first == 'n':
		err = d.null(c.plan, c.in)
	case c.in != nil:
		err = d.field(c.plan, c.in)
	case c.plan.array != nil:
		err = d.array(c.plan)
	case c.plan.choice != nil:
		err = d.chosenMember(c.plan)
	default:
		err = d.object(c.plan)
	}
	return d, err
}

// invalid returns the error of JSON that is not valid.
func invalid(json []byte, strict bool) error {
	r := jsontext.NewDecoder(bytes.NewReader(json), jsontext.AllowDuplicateNames(!strict))
	_, err := r.ReadValue()
	if err == nil {
		return &SyntaxError{Offset: r.InputOffset()} // Something follows the value.
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok && errors.Is(err, jsontext.ErrDuplicateName) {
		return &FieldError{Path: pointerPath(s.JSONPointer), Reason: "must not occur twice"}
	}
	return syntaxError(err)
}

// fail returns an error at the decoder's position.
func (d *decoder) fail(reason string) error {
	if d.strict {
		return &FieldError{Reason: reason}
	}
	return &TypeError{Reason: reason}
}

func (d *decoder) enter() error {
	if d.depth++; d.depth <= maxDepth {
		return nil
	}
	if d.strict {
		return d.fail(reasonDepth)
	}
	return d.refuse(reasonDepth)
}

// frame is the state of an object that is being read.
type frame struct {
	base   int // Where its records start.
	object int // Where it starts in the JSON.
	seen   fieldSet
	oneofs uint64
	// stale has, for a field, the end of its records that no longer count.
	stale map[protowire.Number]int
	mask  presentMask
}

// object reads an object as the records of a message, without a length.
func (d *decoder) object(p *plan) error {
	if d.peek() != '{' {
		return d.fail(kindMessage.wants())
	}
	if err := d.enter(); err != nil {
		return err
	}
	fr := frame{base: len(d.dst), object: d.pos}
	chosen, err := d.chosen(p)
	if err != nil {
		return err
	}
	next := 0 // Members mostly come in the order of the fields.
	for d.pos++; d.more('}'); {
		name := d.plainText()
		d.colon()
		var f *field
		if next < len(p.fields) && string(name) == p.fields[next].name {
			f = &p.fields[next]
		} else if i, ok := p.byName[string(name)]; ok {
			f = &p.fields[i]
		} else if p.union.has(chosen, name) {
			d.skip()
			continue
		} else if err := d.unknown(p, name); err != nil {
			return err
		} else {
			continue
		}
		next = f.index + 1
		if err := d.member(p, f, &fr); err != nil {
			return within(err, f.name)
		}
	}
	if chosen != nil {
		if err := d.variant(chosen, fr.object); err != nil {
			return err
		}
	}
	d.depth--
	if !d.strict && !fr.seen.contains(&p.needs) {
		return d.missing(p, &fr.seen)
	}
	d.mask(p, &fr)
	d.forget(&fr)
	return nil
}

// unknown passes over a member that the message does not have.
func (d *decoder) unknown(p *plan, name []byte) error {
	if d.strict {
		return within(d.fail("is unknown"), clean(string(name)))
	}
	if p.hidden != "" && string(name) == p.hidden {
		d.hide(p)
		return nil
	}
	if d.drift != nil {
		d.drift.add(p.desc.FullName(), string(name), UnknownField)
	}
	d.skip()
	return nil
}

// member reads the value of a member and keeps track of the records it replaces.
func (d *decoder) member(p *plan, f *field, fr *frame) error {
	if fr.seen.has(f.index) {
		fr.drop(f.desc.Number(), len(d.dst))
	}
	fr.seen.add(f.index)
	if d.strict && p.mask != nil {
		fr.mask.add(f)
	}
	if d.peek() == 'n' && f.kind != kindValue {
		fr.mask.null = true
		return d.null(p, f)
	}
	from := d.here()
	if err := d.field(p, f); err != nil {
		return d.leaveOut(p, f, err, from, false)
	}
	if f.oneof >= 0 && len(d.dst) > from.end {
		one := uint64(1) << f.oneof
		if fr.oneofs&one != 0 {
			if err := d.second(p, f, fr); err != nil {
				return err
			}
		}
		fr.oneofs |= one
	}
	return nil
}

// second is called for a member of a oneof that already has one.
func (d *decoder) second(p *plan, f *field, fr *frame) error {
	if d.strict {
		return d.fail("must not occur together with another of " + string(f.desc.ContainingOneof().Name()))
	}
	d.drift.add(p.desc.FullName(), f.name, SecondOneof)
	if u := p.payloads[f.oneof]; u != nil {
		d.payload(u, f, fr)
	}
	return nil
}

// drop says that the records of a field which end at or before at do not count.
func (fr *frame) drop(number protowire.Number, at int) {
	if fr.stale == nil {
		fr.stale = make(map[protowire.Number]int)
	}
	fr.stale[number] = at
}

// null reads a null as the absence of a field.
func (d *decoder) null(p *plan, f *field) error {
	switch {
	case d.strict && !f.nullable:
		return d.fail(reasonNull)
	case !d.strict && f.essential:
		return d.refuse(reasonNull)
	}
	d.skip()
	if !f.presence && !f.list && f.kind != kindMap {
		d.drift.add(p.desc.FullName(), f.name, UnexpectedNull)
	}
	return nil
}

// forget removes the records that a later member of the same name replaced:
// the wire form would merge or join values that JSON replaces.
func (d *decoder) forget(fr *frame) {
	if fr.stale == nil {
		return
	}
	kept := d.dst[:fr.base]
	for at := fr.base; at < len(d.dst); {
		num, _, n := protowire.ConsumeField(d.dst[at:])
		if at >= fr.stale[num] {
			kept = append(kept, d.dst[at:at+n]...)
		}
		at += n
	}
	d.dst = kept
}

// field reads a value that is not null.
func (d *decoder) field(p *plan, f *field) error {
	switch {
	case f.list:
		return d.list(p, f)
	case f.kind == kindMap:
		return d.mapping(p, f)
	default:
		return d.single(p, f, f.presence)
	}
}

// array reads an array as the records of a message that stands for one.
func (d *decoder) array(p *plan) error {
	if d.peek() != '[' {
		return d.fail(kindArray.wants())
	}
	if err := d.enter(); err != nil {
		return err
	}
	if err := d.list(p, p.array); err != nil {
		return err
	}
	d.depth--
	return nil
}

func (d *decoder) list(p *plan, f *field) error {
	if d.peek() != '[' {
		return d.fail(kindArray.wants())
	}
	mark, start := len(d.dst), 0
	if f.packed {
		start = d.open(f.tag)
	}
	d.pos++
	for i := 0; d.more(']'); i++ {
		from := d.here()
		err := d.element(p, f)
		if err != nil {
			err = d.leaveOut(p, f, err, from, true)
		}
		if err != nil {
			return withinElement(err, i)
		}
	}
	switch {
	case !f.packed:
	case len(d.dst) == start:
		d.dst = d.dst[:mark]
	default:
		d.close(start)
	}
	return nil
}

func (d *decoder) element(p *plan, f *field) error {
	if d.src[d.pos] == 'n' && f.kind != kindValue {
		if d.strict || f.essential {
			return d.fail(reasonNull)
		}
		d.drift.add(p.desc.FullName(), f.name, UnexpectedNull)
		d.skip()
		return nil
	}
	if !f.packed {
		return d.single(p, f, true)
	}
	v, _, err := d.scalar(p, f)
	if err == nil {
		d.number(f, v)
	}
	return err
}

// single reads one value as a record. A scalar that is zero has one only when
// zero and absent differ.
func (d *decoder) single(p *plan, f *field, zero bool) error {
	switch f.kind {
	case kindString:
		return d.string(f, zero)
	case kindDecimal:
		return d.decimal(f)
	case kindTimestamp:
		return d.timestamp(f)
	case kindMessage:
		d.enters(f)
		start := d.open(f.tag)
		err := d.object(f.message)
		d.close(start)
		return err
	case kindArray:
		d.enters(f)
		start := d.open(f.tag)
		err := d.array(f.message)
		d.close(start)
		return err
	case kindChoice:
		d.enters(f)
		return d.choice(f)
	case kindStruct, kindListValue, kindValue:
		return d.dynamic(f)
	default:
		v, known, err := d.scalar(p, f)
		if err != nil || v == 0 && !zero || !known && !f.list {
			return err
		}
		d.dst = append(d.dst, f.tag...)
		d.number(f, v)
		return nil
	}
}

// open appends a tag and one byte for a length, and returns the start of the content,
// for close.
func (d *decoder) open(tag []byte) (start int) {
	d.dst = append(d.dst, tag...)
	d.dst = append(d.dst, 0)
	return len(d.dst)
}

// close writes the length of the content that was appended since open, and inserts
// bytes for it where one is not enough.
func (d *decoder) close(start int) {
	n := len(d.dst) - start
	if n < 0x80 {
		d.dst[start-1] = byte(n)
		return
	}
	more := (bits.Len(uint(n))+6)/7 - 1
	var room [9]byte
	d.dst = append(d.dst, room[:more]...)
	copy(d.dst[start+more:], d.dst[start:start+n])
	protowire.AppendVarint(d.dst[:start-1], uint64(n))
}
