// Package strictyaml reads configuration files: a key that is not used is an
// error, and every error names file, line and column.
package strictyaml

import (
	"encoding"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const (
	// MaxBytes bounds a file.
	MaxBytes = 4 << 20
	// maxNodes bounds the values after a file's aliases are expanded.
	maxNodes = 1 << 20
	// maxDepth bounds how deep values lie in each other.
	maxDepth = 32
	// maxErrors bounds how many errors are returned at once.
	maxErrors = 20
)

// Error is a fault of a file, at a place in it.
type Error struct {
	// File is the name that [Unmarshal] was given.
	File string
	// Line and Column count from 1; 0 when the fault has no place.
	Line, Column int
	// Message says what is wrong.
	Message string
}

// Error is file:line:column: message, as compilers write it.
func (e *Error) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Message
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Line, e.Column, e.Message)
}

// Document is a file that was read. It has the places of its values.
type Document struct {
	file string
	root *yaml.Node
}

// Unmarshal reads a file's text into out, a pointer to a struct whose fields
// have yaml tags. Text without a document leaves out as it is. An unknown key, a
// key twice, a value of another type and a second document are errors, all of
// which are returned at once, each as an [*Error].
func Unmarshal(file string, text []byte, out any) (*Document, error) {
	doc := &Document{file: file}
	if len(text) > MaxBytes {
		return doc, &Error{File: file, Message: fmt.Sprintf("is larger than %d bytes", MaxBytes)}
	}
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	var root yaml.Node
	if err := decoder.Decode(&root); err != nil {
		if root.Kind == 0 && strings.TrimSpace(withoutComments(text)) == "" {
			return doc, nil
		}
		return doc, syntaxError(file, err)
	}
	if err := decoder.Decode(new(yaml.Node)); err == nil {
		return doc, &Error{File: file, Message: "holds more than one document"}
	}
	if root.Content[0].Tag == "!!null" {
		return doc, nil
	}
	doc.root = root.Content[0]
	d := &decoding{file: file, nodes: maxNodes}
	d.value(doc.root, reflect.ValueOf(out).Elem(), 0)
	return doc, errors.Join(d.faults...)
}

// ReadFile reads a file of at most [MaxBytes] and one byte, which [Unmarshal]
// then refuses. A path that is not a regular file is an error, because a pipe
// might never end.
func ReadFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, MaxBytes+1))
	return text, errors.Join(err, file.Close())
}

// Fault is an error about the value at a path of keys (string) and indexes
// (int), or about the nearest that is there.
func (d *Document) Fault(message string, path ...any) *Error {
	e := &Error{File: d.file, Message: message}
	node := d.root
	for node != nil {
		node = resolve(node)
		e.Line, e.Column = node.Line, node.Column
		if len(path) == 0 {
			return e
		}
		node, path = child(node, path[0]), path[1:]
	}
	return e
}

func child(node *yaml.Node, step any) *yaml.Node {
	switch step := step.(type) {
	case string:
		for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
			if node.Content[i].Value == step {
				return node.Content[i+1]
			}
		}
	case int:
		if node.Kind == yaml.SequenceNode && step >= 0 && step < len(node.Content) {
			return node.Content[step]
		}
	}
	return nil
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

type decoding struct {
	file   string
	nodes  int
	faults []error
}

func (d *decoding) fail(node *yaml.Node, format string, args ...any) {
	if len(d.faults) < maxErrors {
		d.faults = append(d.faults, &Error{File: d.file, Line: node.Line, Column: node.Column, Message: fmt.Sprintf(format, args...)})
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
	if scalar(into) {
		d.scalar(node, into)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		d.object(node, into, depth)
	case reflect.Slice:
		if node.Kind != yaml.SequenceNode {
			d.fail(node, "must be a list")
			return
		}
		list := reflect.MakeSlice(into.Type(), len(node.Content), len(node.Content))
		for i, element := range node.Content {
			d.value(element, list.Index(i), depth+1)
		}
		into.Set(list)
	case reflect.Map:
		d.dictionary(node, into, depth)
	default:
		d.fail(node, "cannot be read into %s", into.Type())
	}
}

// scalar returns whether the value is written as one scalar.
func scalar(v reflect.Value) bool {
	if _, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return true
	}
	return v.Kind() != reflect.Struct && v.Kind() != reflect.Slice && v.Kind() != reflect.Map
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
		*target = node.Value
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

// Described is a value that describes its form.
type Described interface {
	// Form describes it: "a size such as 64MiB".
	Form() string
}

// Form says how a value of this one's type is written: "a duration such as 30s
// or 24h". It is for errors about other values.
func Form(value any) string { return describe(reflect.ValueOf(value)) }

var errNoBool = errors.New("neither true nor false")

// describe returns the form of a type.
func describe(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case Described:
		return value.Form()
	case time.Duration:
		return "a duration such as 30s or 24h"
	case time.Time:
		return "a time such as 2026-12-31T23:59:59Z"
	}
	switch v.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Bool:
		return "true or false"
	case reflect.Float64:
		return "a number"
	case reflect.Int:
		return "a whole number"
	default:
		return "a " + v.Kind().String()
	}
}

func (d *decoding) object(node *yaml.Node, into reflect.Value, depth int) {
	if node.Kind != yaml.MappingNode {
		d.fail(node, "must have keys: %s", strings.Join(keys(into.Type()), ", "))
		return
	}
	seen := make(map[string]bool)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field, ok := fieldOf(into, key.Value)
		switch {
		case !ok:
			d.fail(key, "unknown key %q; known keys: %s", clipped(key.Value), strings.Join(keys(into.Type()), ", "))
		case seen[key.Value]:
			d.fail(key, "the key %q occurs twice", key.Value)
		default:
			seen[key.Value] = true
			d.value(value, field, depth+1)
		}
	}
}

func fieldOf(v reflect.Value, key string) (reflect.Value, bool) {
	i := slices.Index(keys(v.Type()), key)
	if i < 0 {
		return reflect.Value{}, false
	}
	return v.Field(i), true
}

// keys are the tags of a struct's fields, each of which has one.
func keys(t reflect.Type) []string {
	names := make([]string, t.NumField())
	for i := range names {
		names[i] = t.Field(i).Tag.Get("yaml")
	}
	return names
}

// clipped bounds an unknown key in an error.
func clipped(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}

// syntaxError takes the line out of the library's message, which has no
// column.
func syntaxError(file string, err error) error {
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	var line int
	if _, scanErr := fmt.Sscanf(text, "line %d:", &line); scanErr == nil {
		_, text, _ = strings.Cut(text, ": ")
		return &Error{File: file, Line: line, Column: 1, Message: text}
	}
	return &Error{File: file, Message: text}
}

func withoutComments(text []byte) string {
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") && strings.TrimSpace(line) != "---" {
			b.WriteString(line)
		}
	}
	return b.String()
}
