package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/admin-gateway/admin-gateway/internal/many"
	"github.com/admin-gateway/admin-gateway/internal/nearest"
)

// decoding reads a tree into a value, and collects the faults.
type decoding struct {
	doc    *Document
	lines  func(line int) int // of the file, for those of the tree
	nodes  int                // how many values may come
	faults []error
	// borrowed says that texts of the tree share memory that others need: one that is
	// kept is copied.
	borrowed bool
	texts    many.Texts
}

// text is a text of the tree, to keep.
func (d *decoding) text(s string) string {
	if d.borrowed {
		return d.texts.Keep(s)
	}
	return s
}

func (d *decoding) fail(node *yaml.Node, format string, args ...any) {
	if len(d.faults) < maxErrors {
		d.faults = append(d.faults, &Error{
			File: d.doc.file, Line: d.lines(node.Line), Column: node.Column, Message: fmt.Sprintf(format, args...),
		})
	}
}

func (d *decoding) value(node *yaml.Node, into reflect.Value, depth int) {
	if d.nodes--; d.nodes < 0 || depth > maxDepth {
		if len(d.faults) == 0 {
			d.fail(node, "holds more values, or values deeper in each other, than any configuration needs")
		}
		return
	}
	if node.Kind == yaml.AliasNode {
		// Its faults are faults of this use: elsewhere it may be valid.
		target := *node.Alias
		target.Line, target.Column = node.Line, node.Column
		node = &target
	}
	if into.Kind() == reflect.Pointer {
		into.Set(reflect.New(into.Type().Elem()))
		into = into.Elem()
	}
	shape := d.doc.shapes[into.Type()]
	switch shape.kind {
	case scalarShape:
		d.scalar(node, into)
	case objectShape:
		d.object(node, into, shape, depth)
	case streamShape:
		d.stream(node, into)
	case listShape:
		if node.Kind != yaml.SequenceNode {
			d.fail(node, "must be a list")
			return
		}
		list := reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content))
		for i, element := range node.Content {
			d.value(element, list.Index(i), depth+1)
		}
		into.Set(list)
	case dictionaryShape:
		d.dictionary(node, into, depth)
	}
}

func (d *decoding) scalar(node *yaml.Node, into reflect.Value) {
	if node.Kind != yaml.ScalarNode {
		d.fail(node, "must be %s", describe(into))
		return
	}
	target := into.Addr().Interface()
	var err error
	switch target := target.(type) {
	case *time.Duration:
		*target, err = time.ParseDuration(node.Value)
	case *string:
		// A text that YAML takes for a number or a date stays a text.
		if node.Tag == "!!null" {
			err = errors.New("null")
		}
		*target = d.text(node.Value)
	case encoding.TextUnmarshaler:
		err = target.UnmarshalText([]byte(node.Value))
	case *bool:
		*target = node.Value == "true"
		if !*target && node.Value != "false" {
			err = errNoBool
		}
	case *int:
		*target, err = strconv.Atoi(node.Value)
	case *float64:
		*target, err = strconv.ParseFloat(node.Value, 64)
		if math.IsNaN(*target) || math.IsInf(*target, 0) {
			err = strconv.ErrRange
		}
	default:
		err = errors.ErrUnsupported
	}
	if err != nil {
		d.fail(node, "must be %s", describe(into))
	}
}

var errNoBool = errors.New("neither true nor false")

// meant asks whether a known key was meant; "" once there are enough faults.
func (d *decoding) meant(key string, shape *shape) string {
	if len(d.faults) >= maxErrors {
		return ""
	}
	return nearest.Hint(key, strings.Split(shape.known, ", "))
}

func (d *decoding) object(node *yaml.Node, into reflect.Value, shape *shape, depth int) {
	if node.Kind != yaml.MappingNode {
		d.fail(node, "must have keys: %s", shape.known)
		return
	}
	var room [32]bool // Keeps most objects off the heap.
	seen := append(room[:0], make([]bool, len(shape.fields))...)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field, ok := shape.fields[key.Value]
		switch {
		case !ok:
			d.fail(key, "unknown key %q; known keys: %s%s", clipped(key.Value), shape.known, d.meant(key.Value, shape))
		case seen[field]:
			d.fail(key, "the key %q occurs twice", key.Value)
		default:
			seen[field] = true
			d.value(value, into.Field(field), depth+1)
		}
	}
}

// dictionary reads a mapping whose keys are the author's own. Its type is a map from
// texts.
func (d *decoding) dictionary(node *yaml.Node, into reflect.Value, depth int) {
	if node.Kind != yaml.MappingNode {
		d.fail(node, "must be keys with values")
		return
	}
	entries := reflect.MakeMapWithSize(into.Type(), len(node.Content)/2)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := reflect.ValueOf(d.text(node.Content[i].Value))
		if node.Content[i].Kind != yaml.ScalarNode || entries.MapIndex(key).IsValid() {
			d.fail(node.Content[i], "the key %q occurs twice, or is no text", clipped(node.Content[i].Value))
			continue
		}
		value := reflect.New(into.Type().Elem()).Elem()
		d.value(node.Content[i+1], value, depth+1)
		entries.SetMapIndex(key, value)
	}
	into.Set(entries)
}

// clipped bounds an unknown key in an error.
func clipped(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
