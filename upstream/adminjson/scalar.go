package adminjson

import (
	"math"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
)

// number appends a scalar without its tag.
func (d *decoder) number(f *field, v uint64) {
	if f.kind == kindDouble {
		d.dst = protowire.AppendFixed64(d.dst, v)
		return
	}
	d.dst = protowire.AppendVarint(d.dst, v)
}

// scalar reads a bool, a number or an enum as the wire has it. An unknown value
// of an enum is zero and not known.
func (d *decoder) scalar(p *plan, f *field) (v uint64, known bool, err error) {
	reason := ""
	switch c := d.peek(); f.kind {
	case kindBool:
		if c != 't' && c != 'f' {
			return 0, false, d.fail(f.kind.wants())
		}
		d.skip()
		if c == 't' {
			v = 1
		}
	case kindEnum:
		return d.enum(p, f)
	default:
		raw, ok := d.numeral()
		if !ok {
			return 0, false, d.fail(f.kind.wants())
		}
		switch f.kind {
		case kindInt32:
			v, reason = parseInt(raw, math.MinInt32, math.MaxInt32)
		case kindInt64:
			v, reason = parseInt(raw, math.MinInt64, math.MaxInt64)
		case kindUint32:
			v, reason = parseInt(raw, 0, math.MaxUint32)
		case kindUint64:
			v, reason = parseInt(raw, 0, math.MaxUint64)
		default:
			v, reason = parseDouble(raw)
		}
	}
	if reason != "" {
		return 0, false, d.fail(reason)
	}
	return v, true, nil
}

func (d *decoder) enum(p *plan, f *field) (v uint64, known bool, err error) {
	if d.peek() != '"' {
		return 0, false, d.fail(f.kind.wants())
	}
	name := d.plainText()
	n, known := f.enum.numbers[string(name)]
	if known {
		return uint64(int64(n)), true, nil
	}
	if d.strict {
		return 0, false, d.fail("has an unknown value")
	}
	d.drift.add(p.desc.FullName(), f.name, UnknownEnum)
	return 0, false, nil
}

// numeral reads a number, or in an answer a string that holds one.
func (d *decoder) numeral() (raw []byte, ok bool) {
	switch c := d.peek(); {
	case c == '"' && !d.strict:
		raw = d.plainText()
		return raw, isNumber(raw)
	case c == '-' || c-'0' <= 9:
		return d.digits(), true
	default:
		return nil, false
	}
}

func (d *decoder) string(f *field, zero bool) error {
	if d.peek() != '"' {
		return d.fail(f.kind.wants())
	}
	s, escaped := d.text()
	if len(s) == 0 && !zero {
		return nil
	}
	d.dst = append(d.dst, f.tag...)
	d.bytes(s, escaped)
	return nil
}

// bytes appends the text between quotes with its length in front.
func (d *decoder) bytes(s []byte, escaped bool) {
	if !escaped {
		d.dst = protowire.AppendBytes(d.dst, s)
		return
	}
	start := d.open(nil)
	d.dst = appendUnquoted(d.dst, s)
	d.close(start)
}

func (d *decoder) decimal(f *field) error {
	var raw []byte
	ok := false
	switch c := d.peek(); {
	case c == '"':
		raw = d.plainText()
		ok = isNumber(raw)
	case c == '-' || c-'0' <= 9:
		raw, ok = d.digits(), true
	}
	if !ok {
		return d.fail(f.kind.wants())
	}
	d.dst = append(d.dst, f.tag...)
	d.dst = protowire.AppendBytes(d.dst, raw)
	return nil
}

func (d *decoder) timestamp(f *field) error {
	raw, ok := d.numeral()
	if !ok {
		return d.fail(f.kind.wants())
	}
	seconds, nanos, reason := parseUnix(raw)
	if reason == "" && nanos != 0 && d.strict {
		reason = reasonWhole
	}
	if reason != "" {
		return d.fail(reason)
	}
	start := d.open(f.tag)
	if seconds != 0 {
		d.dst = append(d.dst, 1<<3|byte(protowire.VarintType))
		d.dst = protowire.AppendVarint(d.dst, uint64(seconds))
	}
	if nanos != 0 {
		d.dst = append(d.dst, 2<<3|byte(protowire.VarintType))
		d.dst = protowire.AppendVarint(d.dst, uint64(nanos))
	}
	d.close(start)
	return nil
}

// plainText reads a string and returns it unescaped.
func (d *decoder) plainText() []byte {
	raw, escaped := d.text()
	if escaped {
		return appendUnquoted(nil, raw)
	}
	return raw
}

// appendUnquoted appends a string, unescaped. The input is valid, so it cannot
// fail.
func appendUnquoted(dst, raw []byte) []byte {
	quoted := append(append(append(make([]byte, 0, len(raw)+2), '"'), raw...), '"')
	dst, _ = jsontext.AppendUnquote(dst, quoted)
	return dst
}
