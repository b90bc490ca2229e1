package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

type kind int

const (
	text kind = iota
	integer
	boolean
	list
	object
	// free is an object with any members, and scalars one whose members are strings,
	// numbers and booleans. Both stay as they came.
	free
	scalars
)

// typeName returns the kind's name in error messages.
func (k kind) typeName() string {
	return [...]string{"a string", "an integer", "a boolean", "an array", "an object", "an object", "an object"}[k]
}

// field declares one member of a request: of a body, of an object inside a
// body, or of a query. A member that is not declared is refused.
type field struct {
	name     string
	kind     kind
	required bool
	nullable bool
	enum     []string
	fields   []field // of an object
	elem     *field  // of a list
	word     string  // that may stand in place of a list

	// variants make an object a union: its member "type" names the variant that
	// declares its other members.
	variants []field

	// Bounds of a number's value, a string's length in characters, or a list's
	// number of items.
	bounded  bool
	min, max int64

	// fallback replaces an absent number. With zeroFallback it replaces an
	// explicit 0 too: official clients send limit=0 and mean "unset".
	fallback     int64
	zeroFallback bool
}

func str(name string) field  { return field{name: name, kind: text} }
func num(name string) field  { return field{name: name, kind: integer} }
func flag(name string) field { return field{name: name, kind: boolean} }

func listOf(name string, elem field) field { return field{name: name, kind: list, elem: &elem} }
func strList(name string) field            { return listOf(name, str("")) }
func obj(name string, fields ...field) field {
	return field{name: name, kind: object, fields: fields}
}

func mapOf(name string, k kind) field { return field{name: name, kind: k} }

func (f field) orWord(word string) field { f.word = word; return f }

func (f field) must() field   { f.required = true; return f }
func (f field) orNull() field { f.nullable = true; return f }
func (f field) oneOf(values ...string) field {
	f.enum = values
	return f
}

func (f field) between(low, high int64) field {
	f.bounded, f.min, f.max = true, low, high
	return f
}

// checkObject checks every declared member of raw and refuses the others. At is
// the path of the object in error messages, and empty for the root.
func checkObject(at string, fields []field, raw map[string]any) (values, *apiError) {
	out := make(values, len(raw))
	for name := range raw {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			return nil, unknownParameter(join(at, name))
		}
	}
	for _, f := range fields {
		v, present := raw[f.name]
		if !present {
			if f.required {
				return nil, badRequest(join(at, f.name), "missing_required_parameter",
					"Missing required parameter: '%s'.", join(at, f.name))
			}
			if f.fallback != 0 {
				out[f.name] = f.fallback
			}
			continue
		}
		checked, err := f.check(join(at, f.name), v)
		if err != nil {
			return nil, err
		}
		out[f.name] = checked
	}
	return out, nil
}

func unknownParameter(name string) *apiError {
	return badRequest(name, "unknown_parameter", "Unknown parameter: '%s'.", name)
}

func join(at, name string) string {
	if at == "" {
		return name
	}
	return at + "." + name
}

func (f field) check(at string, v any) (any, *apiError) {
	if v == nil {
		if f.nullable {
			return nil, nil
		}
		return nil, f.wrongType(at, v)
	}
	switch f.kind {
	case text:
		s, ok := v.(string)
		if !ok {
			return nil, f.wrongType(at, v)
		}
		if f.enum != nil && !slices.Contains(f.enum, s) {
			return nil, badRequest(at, "invalid_value",
				"Invalid value: '%s'. Supported values are: '%s'.", s, strings.Join(f.enum, "', '"))
		}
		return s, f.checkBounds(at, "length", int64(utf8.RuneCountInString(s)))
	case integer:
		n, ok := v.(json.Number)
		if !ok {
			return nil, f.wrongType(at, v)
		}
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if err != nil {
			return nil, f.wrongType(at, v)
		}
		if i == 0 && f.zeroFallback {
			return f.fallback, nil
		}
		return i, f.checkBounds(at, "value", i)
	case boolean:
		b, ok := v.(bool)
		if !ok {
			return nil, f.wrongType(at, v)
		}
		return b, nil
	case list:
		items, ok := v.([]any)
		if word, isText := v.(string); isText && f.word != "" && word == f.word {
			return word, nil
		}
		if !ok {
			return nil, f.wrongType(at, v)
		}
		if err := f.checkBounds(at, "number of items", int64(len(items))); err != nil {
			return nil, err
		}
		out := make([]any, len(items))
		for i, item := range items {
			checked, err := f.elem.check(at+"["+strconv.Itoa(i)+"]", item)
			if err != nil {
				return nil, err
			}
			out[i] = checked
		}
		return out, nil
	default:
		m, ok := v.(map[string]any)
		if !ok {
			return nil, f.wrongType(at, v)
		}
		return f.checkMap(at, m)
	}
}

func (f field) checkBounds(at, what string, n int64) *apiError {
	if !f.bounded {
		return nil
	}
	if n < f.min {
		return badRequest(at, "below_minimum", "Invalid '%s': its %s is %d, expected at least %d.", at, what, n, f.min)
	}
	if n > f.max {
		return badRequest(at, "above_maximum", "Invalid '%s': its %s is %d, expected at most %d.", at, what, n, f.max)
	}
	return nil
}

func (f field) wrongType(at string, v any) *apiError {
	got := "null"
	switch v := v.(type) {
	case string:
		got = "a string"
	case json.Number:
		got = "a decimal number"
		if !strings.ContainsAny(v.String(), ".eE") {
			got = "an integer"
		}
		if f.kind == integer && got == "an integer" {
			got = "an integer out of range"
		}
	case bool:
		got = "a boolean"
	case []any:
		got = "an array"
	case map[string]any:
		got = "an object"
	}
	return badRequest(at, "invalid_type", "Invalid type for '%s': expected %s, but got %s instead.", at, f.kind.typeName(), got)
}
