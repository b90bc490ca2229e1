// Package adminjson reads and writes the JSON of the Admin API as protobuf
// messages, by their descriptors and the options of admingateway/options/v1/options.proto.
//
// The mapping is the upstream's, not that of protojson: members are named as
// the fields are, times are Unix seconds, 64-bit integers are numbers, and
// enums have the upstream's own spelling.
//
// Answers are read leniently: a member that the schema lacks is skipped, and a value of
// another type is left out, unless it is essential to the answer; both are counted in a
// [Drift]. Requests are read strictly ([Codec.UnmarshalStrict]) and written
// only when every value of theirs can be sent ([Codec.AppendJSON]).
package adminjson

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// maxDepth bounds the nesting of objects and arrays, in members that are read into a
// message and in members that are written. Members that are skipped have no bound.
const maxDepth = 64

// Codec reads and writes one message type. It is immutable and safe for
// concurrent use.
type Codec struct {
	plan  *plan
	in    *field // The field that is all of the JSON; nil when the message is.
	drift *Drift
	exact bool
	// buffers holds *[]byte for the wire form that Unmarshal passes through.
	buffers sync.Pool
}

type options struct {
	without map[protoreflect.Name]bool
	in      protoreflect.Name
	drift   *Drift
}

// Option changes the codec that [Compile] makes.
type Option func(*options)

// Without leaves fields out: they are not written, and a member of such a name
// is unknown. It is meant for fields that an HTTP rule puts in the path or query.
// It is of the message itself, not of messages within it.
func Without(fields ...protoreflect.Name) Option {
	return func(o *options) {
		for _, f := range fields {
			o.without[f] = true
		}
	}
}

// In says that the JSON is the value of this field of the message, not the
// message itself: the body or response_body of an HTTP rule.
func In(field protoreflect.Name) Option {
	return func(o *options) { o.in = field }
}

// WithDrift counts the members of answers that the message lacks. By
// default nothing is counted.
func WithDrift(d *Drift) Option {
	return func(o *options) { o.drift = d }
}

// Compile makes the codec of a message type. The error names the field that has
// no mapping: an enum with a value that lacks its json_value, a map whose keys are
// not strings, a union whose parts have a member in common, a group, bytes, a
// float, or a kind of integer without a form of its own in JSON.
func Compile(md protoreflect.MessageDescriptor, opts ...Option) (*Codec, error) {
	o := options{without: map[protoreflect.Name]bool{}}
	for _, opt := range opts {
		opt(&o)
	}
	for _, name := range slices.Sorted(maps.Keys(o.without)) {
		if md.Fields().ByName(name) == nil {
			return nil, fmt.Errorf("adminjson: %s has no field %q to leave out", md.FullName(), name)
		}
	}
	if o.in != "" && md.Fields().ByName(o.in) == nil {
		return nil, fmt.Errorf("adminjson: %s has no field %q to be its JSON", md.FullName(), o.in)
	}
	c := compiler{plans: map[protoreflect.FullName]*plan{}, enums: map[protoreflect.FullName]*enum{}}
	// Not in c.plans: within itself the message has all of its fields.
	p := &plan{desc: md}
	if o.in != "" {
		f, err := c.field(md.Fields().ByName(o.in))
		if err != nil {
			return nil, err
		}
		return &Codec{plan: p, in: &f, drift: o.drift}, nil
	}
	if err := c.fill(p, o.without); err != nil {
		return nil, err
	}
	return &Codec{plan: p, drift: o.drift}, nil
}

// AppendWire appends the wire form of the message that json holds to dst, and
// returns dst as it was when there is an error: a [*SyntaxError] or a
// [*TypeError].
//
// Of members with one name, and of members of one oneof, the last is the one
// that counts. The order of fields is that of the JSON.
//
// A number may be in a string, and a whole number have a fraction of zero. Any other
// value of another type or out of range is left out, an element alone or a member
// alone, unless the field is essential, strict, decimal, or a secret
// (debug_redact). Text that is not UTF-8 is read with U+FFFD in its place.
func (c *Codec) AppendWire(dst, json []byte) ([]byte, error) {
	return c.appendWire(dst, json, false)
}

// Unmarshal reads an answer into m, which is reset first. Its errors are those
// of [Codec.AppendWire].
func (c *Codec) Unmarshal(json []byte, m proto.Message) error {
	return c.unmarshal(json, m, false)
}

// UnmarshalStrict reads a request into m, which is reset first. Whatever would
// be lost or changed is a [*FieldError]: a member that the message lacks or that
// is there twice, an unknown value of an enum, a value of another type or out of
// range, a null where the upstream takes none. Input that is not JSON is a
// [*SyntaxError].
//
// Where a nullable member is null and the message has a
// google.protobuf.FieldMask, that mask names the members which are there, so
// that [Codec.AppendJSON] sends the null. Without a null there is no mask.
func (c *Codec) UnmarshalStrict(json []byte, m proto.Message) error {
	return c.unmarshal(json, m, true)
}

func (c *Codec) unmarshal(json []byte, m proto.Message, strict bool) error {
	if m.ProtoReflect().Descriptor().FullName() != c.plan.desc.FullName() {
		return errors.New("adminjson: a codec of " + string(c.plan.desc.FullName()) + " was given another message")
	}
	buf, ok := c.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	wire, err := c.appendWire((*buf)[:0], json, strict)
	if err == nil {
		if err = proto.Unmarshal(wire, m); err != nil {
			err = fmt.Errorf("adminjson: wire form of %s: %w", c.plan.desc.FullName(), err)
		}
	}
	// An answer may hold a secret: the buffer does not keep it.
	clear(wire)
	if cap(wire) <= maxPooled {
		*buf = wire
		c.buffers.Put(buf)
	}
	return err
}

// maxPooled is the largest buffer, in bytes, that is reused for the next message.
const maxPooled = 1 << 20

// AppendJSON appends the upstream's JSON of m to dst, and returns dst as it was
// when there is an error: a [*FieldError] for a value that cannot be sent.
//
// Plain scalars are always written, other fields when they are set, repeated
// ones when they are not empty or annotated as REQUIRED (google.api). A
// plain enum that is zero is not set, nor is a plain decimal that is empty.
// Where m has a google.protobuf.FieldMask that is set, exactly the fields that
// it names are written, and one that is not set is written as null if it is
// nullable. With [In], a field that is not set is null.
func (c *Codec) AppendJSON(dst []byte, m protoreflect.Message) ([]byte, error) {
	if m.Descriptor() != c.plan.desc {
		return dst, errors.New("adminjson: a codec of " + string(c.plan.desc.FullName()) + " was given another message")
	}
	var out []byte
	var err error
	switch e := (encoder{dst: dst}); {
	case c.in == nil:
		err = e.message(c.plan, m)
		out = e.dst
	case c.in.presence && !m.Has(c.in.desc):
		out = append(dst, "null"...)
	default:
		err = within(e.value(c.in, m.Get(c.in.desc)), c.in.name)
		out = e.dst
	}
	if err != nil {
		return dst, err
	}
	return out, nil
}
