package adminjson

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/fieldmask"
)

// fieldMaskPaths is the number of google.protobuf.FieldMask.paths.
const fieldMaskPaths = 1

// fieldSet is a set of fields, by their index in a plan.
type fieldSet [maxFields / 64]uint64

func (s *fieldSet) add(i int) { s[i/64] |= 1 << (i % 64) }

func (s *fieldSet) has(i int) bool { return s[i/64]&(1<<(i%64)) != 0 }

// contains reports whether all of other is in s.
func (s *fieldSet) contains(other *fieldSet) bool {
	for i := range s {
		if other[i]&^s[i] != 0 {
			return false
		}
	}
	return true
}

// readMask returns the fields that the mask of a message names. It is not
// masked when it has no mask, or one that is not set.
func readMask(p *plan, m protoreflect.Message) (named fieldSet, masked bool, err error) {
	if p.mask == nil || !m.Has(p.mask) {
		return named, false, nil
	}
	paths := fieldmask.Paths(m, p.mask)
	for i := range paths.Len() {
		path := paths.Get(i).String()
		f := p.byPath(path)
		var reason string
		switch {
		case strings.Contains(path, "."):
			reason = "must name a field, not a field of a field"
		case f == nil:
			reason = "names no field that can be sent"
		case named.has(f.index):
			reason = "names a field twice"
		default:
			named.add(f.index)
			continue
		}
		at := string(p.mask.Name()) + ".paths[" + strconv.Itoa(i) + "]"
		return named, true, &FieldError{Path: at, Reason: reason}
	}
	return named, true, nil
}

// byPath finds a field by its name in the .proto, as a mask has it.
func (p *plan) byPath(path string) *field {
	for i := range p.fields {
		if string(p.fields[i].desc.Name()) == path {
			return &p.fields[i]
		}
	}
	return nil
}

// named writes a field that the mask names: null clears it where it is not set.
func (e *encoder) named(f *field, m protoreflect.Message, start int) error {
	set := m.Has(f.desc)
	switch {
	case !set && f.nullable:
		e.null(f, start)
		return nil
	case !set && f.presence:
		return &FieldError{Reason: "is named by the mask and not set"}
	default:
		return e.send(f, m, start)
	}
}

// presentMask collects the members of a request for its mask.
type presentMask struct {
	fields []*field
	null   bool
}

func (p *presentMask) add(f *field) { p.fields = append(p.fields, f) }

// mask writes the mask of a message that has a null among its members: all that
// are there, so that absent ones stay untouched.
func (d *decoder) mask(p *plan, fr *frame) {
	if !d.strict || p.mask == nil || !fr.mask.null {
		return
	}
	start := d.open(protowire.AppendTag(nil, p.mask.Number(), protowire.BytesType))
	for _, f := range fr.mask.fields {
		d.dst = append(d.dst, tag1(fieldMaskPaths, protowire.BytesType))
		d.dst = protowire.AppendString(d.dst, string(f.desc.Name()))
	}
	d.close(start)
}
