package adminjson

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// mapKind makes the plan of a map: an object whose members have any names.
func (c *compiler) mapKind(f *field) error {
	if f.desc.MapKey().Kind() != protoreflect.StringKind {
		return fmt.Errorf("adminjson: %s: the keys of a map are strings", f.desc.FullName())
	}
	value, err := c.field(f.desc.MapValue())
	if err != nil {
		return err
	}
	value.name, value.unnamed, value.strict = f.name, true, f.strict
	f.kind, f.value = kindMap, &value
	return nil
}

// mapping reads an object as the entries of a map. A request that need not have the
// map cannot say that it is empty: in a message, that is the same as absent.
func (d *decoder) mapping(p *plan, f *field) error {
	if d.peek() != '{' {
		return d.fail(kindMap.wants())
	}
	d.enters(f)
	if err := d.enter(); err != nil {
		return err
	}
	members := 0
	for d.pos++; d.more('}'); members++ {
		name := d.plainText()
		d.colon()
		if d.peek() == 'n' && f.value.kind != kindValue {
			if d.strict {
				return within(d.fail(reasonNull), clean(string(name)))
			}
			d.drift.add(p.desc.FullName(), f.name, UnexpectedNull)
			d.skip()
			continue
		}
		from := d.here()
		start := d.open(f.tag)
		d.dst = append(d.dst, tag1(entryKey, protowire.BytesType))
		d.dst = protowire.AppendBytes(d.dst, name)
		if err := d.single(p, f.value, true); err == nil {
			d.close(start)
		} else if err := d.leaveOut(p, f.value, err, from, false); err != nil {
			return within(err, clean(string(name)))
		}
	}
	d.depth--
	if members == 0 && d.strict && !f.required {
		return d.fail("must not be empty")
	}
	return nil
}

// mapping writes a map as an object, its members ordered by name.
func (e *encoder) mapping(f *field, values protoreflect.Map) error {
	if err := e.enter(); err != nil {
		return err
	}
	keys := make([]protoreflect.MapKey, 0, values.Len())
	values.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	e.dst = append(e.dst, '{')
	start := len(e.dst)
	for _, key := range keys {
		e.next(start)
		if err := e.string(key.String()); err != nil {
			return within(err, clean(key.String()))
		}
		e.dst = append(e.dst, ':')
		if err := e.single(f.value, values.Get(key)); err != nil {
			return within(err, clean(key.String()))
		}
	}
	e.dst = append(e.dst, '}')
	e.depth--
	return nil
}
