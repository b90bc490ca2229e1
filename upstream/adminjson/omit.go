package adminjson

import (
	"bytes"
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

const (
	// maxOmitted bounds the members that an [Answer] names.
	maxOmitted = 16
	// maxOmittedPath bounds the path of one of them, in bytes. A path consists of
	// names of the schema, so that only a message within itself gets there.
	maxOmittedPath = 200
	// more stands for what has no room.
	more = "..."
)

// Answer is an answer that was read.
type Answer struct {
	// Wire is the message in protobuf's binary form.
	Wire []byte
	// JSON is the answer itself. It is the slice that was read, unless that began with a
	// byte order mark or was not UTF-8: then it is the same answer in UTF-8. A member
	// that the message has in redacted form alone is masked ([Unredacted]).
	JSON []byte
	// Omitted are the paths of the members whose values did not fit into the message
	// and were left out, such as "data[].name". Each is there once, whatever the
	// element; there are 16 at most, and "..." after them where there were more.
	Omitted []string
}

// Answer reads an answer. Its errors are those of [Codec.AppendWire]. With an error the
// answer has no Wire; it has its JSON and what would have to be left out where all
// that is wrong is a value that is never left out. Then it is an answer all the same,
// for those who take JSON.
func (c *Codec) Answer(json []byte) (Answer, error) {
	d, err := c.decode(nil, json, reading{exact: c.exact})
	if err == nil {
		return Answer{Wire: d.dst, JSON: d.json(), Omitted: d.omitted}, nil
	}
	if _, ok := errors.AsType[*TypeError](err); !ok || c.exact {
		return Answer{}, err
	}
	if d, again := c.decode(nil, json, reading{loose: true}); again == nil {
		return Answer{JSON: d.json(), Omitted: d.omitted}, err
	}
	return Answer{}, err
}

// Essential reports whether the JSON has to have a member: without one, any object
// passes for an answer.
func (c *Codec) Essential() bool {
	p := c.plan
	if c.in != nil {
		if p = c.in.message; p == nil || c.in.list {
			return false
		}
	}
	return p.needs != fieldSet{}
}

// Exactly returns a codec that refuses an answer with a value of another type, where
// c leaves that value out.
func (c *Codec) Exactly() *Codec { return &Codec{plan: c.plan, in: c.in, drift: c.drift, exact: true} }

// place is a position before a value, to go back to.
type place struct{ pos, end, depth int }

func (d *decoder) here() place { return place{d.pos, len(d.dst), d.depth} }

// leaveOut passes over a value that cannot be read, so that it is all that is lost.
// It returns the error where that must not be.
func (d *decoder) leaveOut(p *plan, f *field, err error, from place, element bool) error {
	wrong, ok := errors.AsType[*TypeError](err)
	if !ok || wrong.final {
		return err
	}
	if d.exact || f.essential || f.strict && !d.loose {
		wrong.final = true
		return err
	}
	d.pos, d.dst, d.depth = from.pos, d.dst[:from.end], from.depth
	d.skip()
	d.drift.add(p.desc.FullName(), f.name, TypeMismatch)
	d.omit(f, element)
	return nil
}

// enters says that the object or array which follows is the value of a field.
func (d *decoder) enters(f *field) {
	if !f.inChoice {
		d.path[d.depth] = f
	}
}

// omit takes note of a member of the object that is being read, or of an element of it.
func (d *decoder) omit(f *field, element bool) {
	if len(d.omitted) > maxOmitted {
		return
	}
	var room [maxOmittedPath]byte
	path := room[:0]
	// What is at zero is the whole JSON, which has no name.
	for _, outer := range d.path[min(1, d.depth):d.depth] {
		path = outer.appendPath(path, outer.list || outer.kind == kindMap)
	}
	path = f.appendPath(path, element)
	if len(path) > maxOmittedPath {
		path = append(path[:maxOmittedPath-len(more)], more...)
	}
	switch known := slices.Contains(d.omitted, string(path)); {
	case known:
	case len(d.omitted) == maxOmitted:
		d.omitted = append(d.omitted, more)
	default:
		d.omitted = append(d.omitted, string(path))
	}
}

func (f *field) appendPath(path []byte, element bool) []byte {
	if !f.unnamed {
		if len(path) > 0 {
			path = append(path, '.')
		}
		path = append(path, f.name...)
	}
	if element {
		path = append(path, "[]"...)
	}
	return path
}

// missing returns the error of an object that lacks one of the members that make it an
// answer.
func (d *decoder) missing(p *plan, seen *fieldSet) error {
	for i := range p.fields {
		if p.needs.has(i) && !seen.has(i) {
			return within(d.refuse(reasonMissing), p.fields[i].name)
		}
	}
	return nil
}

// refuse returns the error of an answer that is none, however lenient the reader.
func (d *decoder) refuse(reason string) error { return &TypeError{Reason: reason, final: true} }

// ByteOrderMark may stand in front of an answer: every client of the upstream passes
// over it.
const ByteOrderMark = "\uFEFF"

// repaired returns an answer that is not valid JSON without what every client of the
// upstream forgives it: a byte order mark in front, and text that is not UTF-8, for
// which U+FFFD stands in. Nil: there is more that is wrong.
func repaired(json []byte) []byte {
	json = bytes.TrimPrefix(json, []byte(ByteOrderMark))
	if jsontext.Value(json).IsValid(jsontext.AllowDuplicateNames(true)) {
		return json
	}
	out, err := jsontext.AppendFormat(nil, json, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err != nil {
		return nil
	}
	return out
}
