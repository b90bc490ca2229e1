// Package pathtemplate parses the templates of URL paths, such as
// "/organization/users/{user_id}". A segment is a literal, one variable, or "*". The
// wider syntax of google.api.http (patterns, verbs) would let a value span segments
// and is refused.
package pathtemplate

import (
	"errors"
	"fmt"
	"strings"
)

// Any is the literal of a segment that stands for every value.
const Any = "*"

// Segment is one segment of a template.
type Segment struct {
	// Literal is a word of ASCII letters, digits, "_", "-" and ".", or [Any]; "" for
	// a variable.
	Literal string
	// Variable is the text between the braces, which is not checked.
	Variable string
	// IsVariable tells the two apart.
	IsVariable bool
}

// Parse parses a template. The error names the segment, and not the template.
func Parse(template string) ([]Segment, error) {
	path, ok := strings.CutPrefix(template, "/")
	if !ok {
		return nil, errors.New("does not begin with a slash")
	}
	var segments []Segment
	for text := range strings.SplitSeq(path, "/") {
		name, opened := strings.CutPrefix(text, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case text == "":
			return nil, errors.New("has an empty segment")
		case opened && closed:
			segments = append(segments, Segment{Variable: name, IsVariable: true})
		case opened:
			return nil, fmt.Errorf("variable %q does not fill its segment", text)
		case text == Any || isLiteral(text):
			segments = append(segments, Segment{Literal: text})
		default:
			return nil, fmt.Errorf("segment %q is neither a plain literal nor {field}", text)
		}
	}
	return segments, nil
}

// Shape is a template without the names of its variables. Two templates match the
// same paths when they have the same shape.
func Shape(segments []Segment) string {
	var b strings.Builder
	for _, s := range segments {
		b.WriteByte('/')
		if s.IsVariable {
			b.WriteString("{}")
		} else {
			b.WriteString(s.Literal)
		}
	}
	return b.String()
}

func isLiteral(s string) bool {
	if s == "." || s == ".." {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '-', r == '.':
		default:
			return false
		}
	}
	return true
}
