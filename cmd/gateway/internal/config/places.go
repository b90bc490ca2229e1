package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
)

// KeyError is a fault of the value of a key.
type KeyError struct {
	// Key is its path, such as upstream.budget.buckets[2].methods[0].
	Key string
	// Err says what is wrong. It has no secret.
	Err error
	// Place is where the value is: file:line:column, or a variable; "" if that is not known.
	Place string
}

// AtKey makes a [KeyError].
func AtKey(key string, err error) error { return &KeyError{Key: key, Err: err} }

// Error implements error.
func (e *KeyError) Error() string {
	text := "config key " + e.Key + ": " + e.Err.Error()
	if e.Place != "" {
		return e.Place + ": " + text
	}
	return text
}

// Unwrap returns what is wrong.
func (e *KeyError) Unwrap() error { return e.Err }

// Places know where the values of a config are from.
type Places struct {
	file string
	doc  *strictyaml.Document // nil: there is no file
	// variables are those that were set, by the keys whose values they replace.
	variables map[string]string
}

// Locate returns the error with the place of each [KeyError] that it is made of: errors
// that were joined each have their own. A key that is nowhere has the place of what it
// would be in.
func (p *Places) Locate(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, each := range joined.Unwrap() {
			all = append(all, p.Locate(each))
		}
		return errors.Join(all...)
	}
	fault, ok := err.(*KeyError) //nolint:errorlint // The same.
	if !ok || fault.Place != "" {
		return err
	}
	return &KeyError{Key: fault.Key, Err: fault.Err, Place: p.of(fault.Key)}
}

// of is the place of a key: that of the variable that sets it or what it is in, or a part
// of it, and otherwise that in the file.
func (p *Places) of(key string) string {
	for set, variable := range p.variables {
		if set == key || isBelow(set, key) || isBelow(key, set) {
			return "environment variable " + variable
		}
	}
	if p.doc == nil {
		return ""
	}
	at := p.doc.Fault("", pathOf(key)...)
	if at.Line == 0 { // A file without a value.
		return p.file + ":1:1"
	}
	return fmt.Sprintf("%s:%d:%d", p.file, at.Line, at.Column)
}

// isBelow tells whether a key is below outer.
func isBelow(outer, key string) bool {
	rest, below := strings.CutPrefix(key, outer)
	return below && rest != "" && (rest[0] == '.' || rest[0] == '[')
}

// pathOf are the keys and indexes of a path.
func pathOf(key string) []any {
	var path []any
	for part := range strings.SplitSeq(key, ".") {
		name, rest, indexed := strings.Cut(part, "[")
		path = append(path, name)
		for indexed {
			var index string
			index, rest, _ = strings.Cut(rest, "]")
			if n, err := strconv.Atoi(index); err == nil {
				path = append(path, n)
			}
			_, rest, indexed = strings.Cut(rest, "[")
		}
	}
	return path
}
