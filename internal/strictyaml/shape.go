package strictyaml

import (
	"encoding"
	"reflect"
	"strings"
	"time"
)

// shapeKind is how the values of a type are written.
type shapeKind int

const (
	scalarShape shapeKind = iota
	objectShape
	listShape
	dictionaryShape
	streamShape // A List.
)

// shape is how the values of one type are written.
type shape struct {
	kind shapeKind
	// Of an object: the number of the field for each key, and the keys, in their order.
	fields map[string]int
	known  string
}

// shapes are those of a type and of all that it holds. They do not change once they are
// made.
type shapes map[reflect.Type]*shape

// add adds the shape of a type, and of all below it.
func (s shapes) add(t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s[t] != nil {
		return
	}
	is := new(shape)
	s[t] = is
	switch pointer := reflect.PointerTo(t); {
	case pointer.Implements(reflect.TypeFor[stream]()):
		is.kind = streamShape
		s.add(reflect.Zero(pointer).Interface().(stream).element()) //nolint:forcetypeassert // It implements it.
	case pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
	case t.Kind() == reflect.Struct:
		is.kind = objectShape
		is.fields = make(map[string]int, t.NumField())
		names := make([]string, t.NumField())
		for i := range names {
			names[i] = t.Field(i).Tag.Get("yaml") // Each field has one.
			is.fields[names[i]] = i
			s.add(t.Field(i).Type)
		}
		is.known = strings.Join(names, ", ")
	case t.Kind() == reflect.Slice:
		is.kind = listShape
		s.add(t.Elem())
	case t.Kind() == reflect.Map:
		is.kind = dictionaryShape
		s.add(t.Elem())
	}
}

// lists are the keys of an object whose values are read in parts.
func (s shapes) lists(t reflect.Type) map[string]bool {
	keys := make(map[string]bool)
	for key, i := range s[t].fields {
		if is := s[t.Field(i).Type]; is != nil && is.kind == streamShape {
			keys[key] = true
		}
	}
	return keys
}

// Described is a value that describes its form.
type Described interface {
	// Form describes it: "a size such as 64MiB".
	Form() string
}

// Form says how a value of this one's type is written: "a duration such as 30s
// or 24h". It is for errors about other values.
func Form(value any) string { return describe(reflect.ValueOf(value)) }

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
