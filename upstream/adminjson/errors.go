package adminjson

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// SyntaxError says that the input is not one JSON value: truncated, malformed,
// not UTF-8, or followed by something else. It holds nothing of the input's
// values.
type SyntaxError struct {
	// Path is the member at which the input stops being JSON, such as
	// "data[3].name"; empty at the top.
	Path string
	// Offset is the number of bytes that were read before that.
	Offset int64

	truncated bool
}

func (e *SyntaxError) Error() string {
	what := "invalid JSON"
	if e.truncated {
		what = "truncated JSON"
	}
	return fmt.Sprintf("%s%s at byte %d", prefix(e.Path), what, e.Offset)
}

// Unwrap returns [io.ErrUnexpectedEOF] for input that ends too early, and nil
// for every other error.
func (e *SyntaxError) Unwrap() error {
	if e.truncated {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// TypeError says that an answer is none, or cannot be understood: a member that makes it
// one is missing, one that must not be left out is of another type or out of range,
// or the nesting has no end. It never holds the value, which may be a secret.
type TypeError struct {
	// Path is the member, such as "data[3].created_at"; empty at the top.
	Path string
	// Reason is the fault, as the end of a sentence that starts with Path.
	Reason string

	// final says that it cannot be made good by leaving a value out.
	final bool
}

func (e *TypeError) Error() string { return prefix(e.Path) + e.Reason }

func (e *TypeError) within(path string) { e.Path = join(path, e.Path) }

// FieldError names the value that a caller must change in a request: in the JSON that
// [Codec.UnmarshalStrict] read, or in the message that [Codec.AppendJSON] was
// to write. It never holds the value.
type FieldError struct {
	// Path is the member, such as "limits[0].amount"; empty for the whole.
	Path string
	// Reason is the fault, as the end of a sentence that starts with Path.
	Reason string
}

func (e *FieldError) Error() string { return prefix(e.Path) + e.Reason }

func (e *FieldError) within(path string) { e.Path = join(path, e.Path) }

func prefix(path string) string {
	if path == "" {
		return "adminjson: "
	}
	return "adminjson: " + path + ": "
}

// within puts a path in front of the path of an error, so that a path is made
// only after a failure.
func within(err error, path string) error {
	if e, ok := err.(interface{ within(path string) }); ok {
		e.within(path)
	}
	return err
}

func withinElement(err error, i int) error {
	return within(err, "["+strconv.Itoa(i)+"]")
}

func join(outer, inner string) string {
	if inner == "" || inner[0] == '[' {
		return outer + inner
	}
	return outer + "." + inner
}

// syntaxError repeats the place of jsontext's error, and nothing else.
func syntaxError(err error) *SyntaxError {
	e := &SyntaxError{truncated: errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		e.Offset, e.Path = s.ByteOffset, pointerPath(s.JSONPointer)
	}
	return e
}

// pointerPath spells a JSON pointer as the other paths are spelled.
func pointerPath(p jsontext.Pointer) string {
	path := ""
	for token := range p.Tokens() {
		if _, err := strconv.ParseUint(token, 10, 32); err == nil {
			path += "[" + token + "]"
		} else if token = clean(token); path == "" {
			path = token
		} else {
			path += "." + token
		}
		if len(path) > 4*maxName {
			return path + "…"
		}
	}
	return path
}

// maxName bounds the part of an unknown name that is kept, in bytes.
const maxName = 64

// clean makes a name from outside fit to be logged: short, printable, UTF-8.
func clean(name string) string {
	if len(name) > maxName {
		name = name[:maxName]
		for len(name) > 0 && !utf8.ValidString(name[len(name)-1:]) && !utf8.ValidString(name) {
			name = name[:len(name)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
}
