package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

const (
	// maxQuery bounds a query that is read, in bytes.
	maxQuery = 64 << 10
	// maxParameters bounds the parameters of a query that is read; the values of
	// a list count each.
	maxParameters = 1024
	// maxParameterName bounds the part of an unknown name that an error repeats, in
	// bytes.
	maxParameterName = 64
)

// Parse is the inverse of [Endpoint.Request]: it resets m, a message of the method's
// input type, and fills it from the request of a client of the upstream. Values are
// those of the path's variables, as [Router.Match] gives them.
//
// It is strict. A member or parameter that is unknown, occurs twice, or has another
// type or form gives a *RequestError, with the name as the client spelled it; a body
// that is not JSON gives an *adminjson.SyntaxError. No body means an object without
// members. The validation rules of the message's fields are not checked.
func (e *Endpoint) Parse(m protoreflect.Message, values []string, query string, body []byte) error {
	if m.Descriptor() != e.input {
		return fmt.Errorf("%s takes a %s, not a %s", e.name, e.input.FullName(), m.Descriptor().FullName())
	}
	if len(values) != len(e.variables) {
		return fmt.Errorf("%s has %d path variables, not %d", e.name, len(e.variables), len(values))
	}
	if err := e.parseBody(m, body); err != nil {
		return err
	}
	if err := e.parseQuery(m, query); err != nil {
		return err
	}
	for i, field := range e.variables {
		m.Set(field, protoreflect.ValueOfString(values[i]))
	}
	return nil
}

// HasBody reports whether requests have a body.
func (e *Endpoint) HasBody() bool { return e.body != nil }

func (e *Endpoint) parseBody(m protoreflect.Message, body []byte) error {
	if len(body) == 0 {
		proto.Reset(m.Interface())
		return nil
	}
	if e.body == nil {
		return &RequestError{Field: "body", Reason: "must be empty: this operation takes none"}
	}
	err := e.body.UnmarshalStrict(body, m.Interface())
	if field, ok := errors.AsType[*adminjson.FieldError](err); ok {
		if field.Path == "" {
			return &RequestError{Field: "body", Reason: field.Reason}
		}
		return &RequestError{Field: field.Path, Reason: field.Reason}
	}
	return err
}

// reader is a parameter that a query may have, under one of its names.
type reader struct {
	within []protoreflect.FieldDescriptor // the messages that hold the field
	field  protoreflect.FieldDescriptor
	parse  func(string) (protoreflect.Value, error)
}

// compileReaders finds parameters by the names that clients send: those that Request
// writes, and a list's also without its brackets.
func compileReaders(parameters []parameter, within []protoreflect.FieldDescriptor, readers map[string]*reader) error {
	for i := range parameters {
		p := &parameters[i]
		if p.text == nil {
			nested := append(within[:len(within):len(within)], p.field)
			if err := compileReaders(p.nested, nested, readers); err != nil {
				return err
			}
			continue
		}
		parse, err := parser(p.field)
		if err != nil {
			return fmt.Errorf("%s: %w", p.field.FullName(), err)
		}
		key, err := url.QueryUnescape(p.key)
		if err != nil {
			return fmt.Errorf("%s: %w", p.field.FullName(), err)
		}
		names := []string{key}
		if p.field.IsList() {
			names = append(names, strings.TrimSuffix(key, "[]"))
		}
		for _, name := range names {
			if other := readers[name]; other != nil {
				return fmt.Errorf("%s and %s are the same query parameter", other.field.FullName(), p.field.FullName())
			}
			readers[name] = &reader{within, p.field, parse}
		}
	}
	return nil
}

func (e *Endpoint) parseQuery(m protoreflect.Message, query string) error {
	if len(query) > maxQuery {
		return &RequestError{Field: "query", Reason: fmt.Sprintf("must not be longer than %d bytes", maxQuery)}
	}
	var seen map[*reader]bool
	count := 0
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		if count++; count > maxParameters {
			return &RequestError{Field: "query", Reason: fmt.Sprintf("must not have more than %d parameters", maxParameters)}
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return &RequestError{Field: shownName(rawName), Reason: "is not escaped correctly"}
		}
		r := e.readers[name]
		if r == nil {
			return &RequestError{Field: shownName(name), Reason: "is not a parameter of this operation"}
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return &RequestError{Field: name, Reason: "is not escaped correctly"}
		}
		if !r.field.IsList() {
			if seen[r] {
				return &RequestError{Field: name, Reason: "must not occur twice"}
			}
			if seen == nil {
				seen = make(map[*reader]bool)
			}
			seen[r] = true
		}
		parsed, err := r.parse(value)
		if err != nil {
			return &RequestError{Field: name, Reason: err.Error()}
		}
		r.set(m, parsed)
	}
	return nil
}

func (r *reader) set(m protoreflect.Message, value protoreflect.Value) {
	for _, field := range r.within {
		m = m.Mutable(field).Message()
	}
	if r.field.IsList() {
		m.Mutable(r.field).List().Append(value)
		return
	}
	m.Set(r.field, value)
}

// shownName returns a name that a client chose as an error may repeat it.
func shownName(name string) string { return cut(clean(name), maxParameterName) }
