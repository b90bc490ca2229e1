package door

import (
	"bytes"
	"fmt"
	"math/bits"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The bounds of what a request is made of, whatever its form. They are far beyond what
// any method takes, and hold before anything is built: an element of a byte or two on
// the wire is dozens of bytes in memory.
const (
	// MaxElements bounds the elements of all lists and maps of a request, and the
	// messages in it.
	MaxElements = 10_000
	// MaxElementBytes bounds a text in a list.
	MaxElementBytes = 64 << 10
	// maxNesting bounds messages within messages.
	maxNesting = 100
	// maxField bounds the name of a field that the request itself spells.
	maxField = 64
)

// ElementsError refuses a request that has more elements than one may have, or a larger
// one, or one that is nested too deeply.
type ElementsError struct {
	// Field is the path of the field with the element beyond the bound.
	Field string
	// Reason says which bound it is.
	Reason string
}

// Error names the field and the bound.
func (e *ElementsError) Error() string { return "field " + e.Field + ": " + e.Reason }

func tooMany(field string) error {
	return &ElementsError{field, fmt.Sprintf("has an element beyond the %d that a request may have", MaxElements)}
}

func tooLarge(field string) error {
	return &ElementsError{field, fmt.Sprintf("has an element of more than %d bytes", MaxElementBytes)}
}

// CheckWire counts the elements of a message of a type in Protobuf's binary form. Its
// error is an [*ElementsError]. What is not of that form is for the decoder to refuse.
func CheckWire(data []byte, of protoreflect.MessageDescriptor) error {
	if len(data) <= MaxElements { // An element has a byte at least.
		return nil
	}
	left := MaxElements
	return checkWire(data, of, "", maxNesting, &left)
}

func checkWire(data []byte, of protoreflect.MessageDescriptor, path string, depth int, left *int) error {
	if depth == 0 {
		return &ElementsError{strings.TrimSuffix(path, "."), "is nested too deeply"}
	}
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return nil
		}
		data = data[n:]
		size := protowire.ConsumeFieldValue(number, kind, data)
		if size < 0 {
			return nil
		}
		field := of.Fields().ByNumber(number)
		value := data[:size]
		data = data[size:]
		if field == nil || field.Cardinality() != protoreflect.Repeated && field.Message() == nil {
			continue
		}
		name := path + string(field.Name())
		if kind == protowire.BytesType {
			value, _ = protowire.ConsumeBytes(value)
		}
		if *left -= elements(field, kind, value); *left < 0 {
			return tooMany(name)
		}
		if field.IsList() && wireType(field) == protowire.BytesType && field.Message() == nil && len(value) > MaxElementBytes {
			return tooLarge(name)
		}
		if field.Message() != nil && kind == protowire.BytesType {
			if err := checkWire(value, field.Message(), name+".", depth-1, left); err != nil {
				return err
			}
		}
	}
	return nil
}

// packed says that a field on the wire is a list of numbers.
func packed(field protoreflect.FieldDescriptor, kind protowire.Type) bool {
	return field.IsList() && kind == protowire.BytesType && wireType(field) != protowire.BytesType
}

// elements is how many elements there are in the value of a field on the wire.
func elements(field protoreflect.FieldDescriptor, kind protowire.Type, value []byte) int {
	if !packed(field, kind) {
		return 1
	}
	switch wireType(field) {
	case protowire.Fixed32Type:
		return len(value) / 4
	case protowire.Fixed64Type:
		return len(value) / 8
	default: // The last byte of each has no continuation bit.
		n := 0
		for len(value) >= 8 {
			n += bits.OnesCount64(^uint64At(value) & 0x8080808080808080)
			value = value[8:]
		}
		for _, b := range value {
			n += int(^b >> 7)
		}
		return n
	}
}

func uint64At(b []byte) uint64 {
	n, _ := protowire.ConsumeFixed64(b)
	return n
}

// wireType is that of one element of a field.
func wireType(field protoreflect.FieldDescriptor) protowire.Type {
	switch field.Kind() {
	case protoreflect.Fixed32Kind, protoreflect.Sfixed32Kind, protoreflect.FloatKind:
		return protowire.Fixed32Type
	case protoreflect.Fixed64Kind, protoreflect.Sfixed64Kind, protoreflect.DoubleKind:
		return protowire.Fixed64Type
	case protoreflect.StringKind, protoreflect.BytesKind, protoreflect.MessageKind, protoreflect.GroupKind:
		return protowire.BytesType
	default:
		return protowire.VarintType
	}
}

// CheckJSON counts the elements and the members of a JSON text, as CheckWire does. Its
// error is an [*ElementsError]; what is not JSON is for the decoder to refuse.
func CheckJSON(text []byte) error {
	// Each but the first of an array or object has a comma in front of it.
	if most := bytes.Count(text, []byte{','}) + bytes.Count(text, []byte{'['}) + bytes.Count(text, []byte{'{'}); most <= MaxElements && len(text) <= MaxElementBytes {
		return nil
	}
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	for left := MaxElements; ; {
		before := d.InputOffset()
		token, err := d.ReadToken()
		if err != nil { // The end, or what the decoder refuses with better words.
			return nil //nolint:nilerr // As above.
		}
		depth := d.StackDepth()
		if token.Kind() == '[' || token.Kind() == '{' {
			depth--
		}
		in, _ := d.StackIndex(depth)
		name, ends := in == '{' && isName(d, depth), token.Kind() == ']' || token.Kind() == '}'
		if name || ends || depth == 0 {
			continue
		}
		if left--; left < 0 {
			return tooMany(fieldAt(d))
		}
		if in == '[' && token.Kind() == '"' && d.InputOffset()-before > MaxElementBytes {
			return tooLarge(fieldAt(d))
		}
	}
}

// isName says that the token that was read is the name of a member: of names and values,
// the odd ones.
func isName(d *jsontext.Decoder, depth int) bool {
	_, n := d.StackIndex(depth)
	return n%2 == 1
}

// fieldAt is the path to the list or map that is being read, without its indices.
func fieldAt(d *jsontext.Decoder) string {
	var names []string
	for name := range d.StackPointer().Tokens() {
		if name != "" && strings.Trim(name, "0123456789") == "" {
			break
		}
		names = append(names, name)
	}
	path := strings.ToValidUTF8(strings.Join(names, "."), "")
	if len(path) > maxField {
		path = strings.ToValidUTF8(path[:maxField], "")
	}
	return path
}
