package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// Endpoint is one operation of the upstream, compiled from a method. It is
// immutable and safe for concurrent use.
type Endpoint struct {
	name      protoreflect.FullName
	input     protoreflect.MessageDescriptor
	verb      string
	template  string
	segments  []segment
	variables []protoreflect.FieldDescriptor
	query     []parameter
	readers   map[string]*reader // of the query, by name
	body      *adminjson.Codec   // nil: no body
	endings   []ending           // of the body
	answer    *adminjson.Codec
	gone      goneAnswer
	secret    bool // The answer hands out a credential.
}

// Request is the HTTP request for one message. Equal requests to an endpoint are equal
// bytes.
type Request struct {
	// Verb is GET, POST or DELETE.
	Verb string
	// Path begins with a slash, is escaped, and is relative to the base URL.
	Path string
	// Query is encoded, without the question mark.
	Query string
	// Body is a JSON object, or nil for none.
	Body []byte

	// pending makes the body anew when the request is sent, because it says how long
	// it is until an end; nil where the body does not depend on the moment.
	pending func(now time.Time) ([]byte, error)
}

// RequestError is a message that cannot be sent, because of a value in it. It never
// repeats the value.
type RequestError struct {
	// Field is the path of the field in the request message.
	Field string
	// Reason says what the field must be.
	Reason string
}

// Error names the field and the fault.
func (e *RequestError) Error() string { return fmt.Sprintf("field %s: %s", e.Field, e.Reason) }

// Compile makes an Endpoint of a method that has a google.api.http rule. drift counts
// the parts of answers that the schema lacks; it may be nil.
//
// It accepts one rule per method: get and delete without a body, post with the
// body "*" or, when all fields are in the path, none. An error names the method
// and the fault.
func Compile(md protoreflect.MethodDescriptor, drift *adminjson.Drift) (*Endpoint, error) {
	e, err := compile(md, drift)
	if err != nil {
		return nil, fmt.Errorf("upstream endpoint of %s: %w", md.FullName(), err)
	}
	return e, nil
}

func compile(md protoreflect.MethodDescriptor, drift *adminjson.Drift) (*Endpoint, error) {
	if md.IsStreamingClient() || md.IsStreamingServer() {
		return nil, errors.New("streams have no REST endpoint")
	}
	rule, _ := proto.GetExtension(md.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule.GetPattern() == nil {
		return nil, errors.New("no google.api.http rule")
	}
	if len(rule.GetAdditionalBindings()) > 0 {
		return nil, errors.New("additional_bindings: more than one rule")
	}
	policy, _ := proto.GetExtension(md.Options(), optionsv1.E_Policy).(*optionsv1.Policy)
	e := &Endpoint{name: md.FullName(), input: md.Input(), secret: policy.GetSecret()}
	switch pattern := rule.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		e.verb, e.template = http.MethodGet, pattern.Get
	case *annotations.HttpRule_Post:
		e.verb, e.template = http.MethodPost, pattern.Post
	case *annotations.HttpRule_Delete:
		e.verb, e.template = http.MethodDelete, pattern.Delete
	default:
		return nil, errors.New("the verb is none of get, post and delete")
	}
	var err error
	if e.segments, err = compilePath(e.template, e.input); err != nil {
		return nil, err
	}
	inPath := map[protoreflect.Name]bool{}
	for _, s := range e.segments {
		if s.variable != nil {
			e.variables = append(e.variables, s.variable)
			inPath[s.variable.Name()] = true
		}
	}
	if err := e.compileInput(rule.GetBody(), inPath); err != nil {
		return nil, err
	}
	if e.verb == http.MethodDelete {
		e.gone = compileGone(e.segments, md.Output(), rule.GetResponseBody())
	}
	return e, e.compileOutput(md.Output(), rule.GetResponseBody(), drift)
}

func (e *Endpoint) compileInput(body string, inPath map[protoreflect.Name]bool) (err error) {
	post := e.verb == http.MethodPost
	switch {
	case body != "" && body != "*":
		return fmt.Errorf("body %q: only \"*\" or none", body)
	case body != "" && !post:
		return fmt.Errorf("a %s has no body", e.verb)
	case !post:
		if e.query, err = compileQuery(e.input, inPath); err == nil {
			e.readers = make(map[string]*reader, len(e.query))
			err = compileReaders(e.query, nil, e.readers)
		}
	case body == "*":
		names := make([]protoreflect.Name, len(e.variables))
		for i, field := range e.variables {
			names[i] = field.Name()
		}
		if e.endings, err = compileEndings(e.input); err != nil {
			return err
		}
		e.body, err = adminjson.Compile(e.input, adminjson.Without(names...))
	case e.input.Fields().Len() > len(inPath):
		return fmt.Errorf("%s has fields outside the path, but the post has no body", e.input.FullName())
	}
	return err
}

func (e *Endpoint) compileOutput(output protoreflect.MessageDescriptor, responseBody string, drift *adminjson.Drift) (err error) {
	options := []adminjson.Option{}
	if drift != nil {
		options = append(options, adminjson.WithDrift(drift))
	}
	if responseBody != "" {
		field := output.Fields().ByName(protoreflect.Name(responseBody))
		if field == nil || field.Kind() != protoreflect.MessageKind || field.Cardinality() == protoreflect.Repeated {
			return fmt.Errorf("response_body %q is not a message field of %s", responseBody, output.FullName())
		}
		options = append(options, adminjson.In(field.Name()))
	}
	e.answer, err = adminjson.Compile(output, options...)
	return err
}

// Verb returns GET, POST or DELETE.
func (e *Endpoint) Verb() string { return e.verb }

// Template returns the path with its variables in braces.
func (e *Endpoint) Template() string { return e.template }

// Variables returns the request's fields that are in the path, in its order.
func (e *Endpoint) Variables() []protoreflect.FieldDescriptor { return slices.Clone(e.variables) }

// String returns verb and template.
func (e *Endpoint) String() string { return e.verb + " " + e.template }

// writes reports whether a call may change something.
func (e *Endpoint) writes() bool { return e.verb != http.MethodGet }

// Request encodes a message of the method's input type. It depends on nothing but the
// message, and equal messages give equal bytes. For a message that cannot be sent the
// error is a *RequestError.
func (e *Endpoint) Request(m protoreflect.Message) (*Request, error) {
	if m.Descriptor() != e.input {
		return nil, fmt.Errorf("%s takes a %s, not a %s", e.name, e.input.FullName(), m.Descriptor().FullName())
	}
	path, err := expandPath(e.segments, m)
	if err != nil {
		return nil, err
	}
	query, err := encodeQuery(e.query, m)
	if err != nil {
		return nil, err
	}
	r := &Request{Verb: e.verb, Path: path, Query: query}
	if e.body == nil {
		return r, nil
	}
	r.Body, err = e.encodeBody(m, time.Now())
	if ended, ok := errors.AsType[endedError](err); ok {
		return nil, &RequestError{Field: string(ended.field), Reason: pastEnd}
	}
	if err != nil {
		return nil, err
	}
	for _, end := range e.endings {
		if m.Has(end.at) {
			r.pending = func(now time.Time) ([]byte, error) { return e.encodeBody(m, now) }
		}
	}
	return r, nil
}

// AppendCanonical appends the request of a message as "GET path?query": equal to that
// of another message exactly when both are the same request. It is for requests without
// a body. For a message that cannot be sent the error is a *RequestError.
func (e *Endpoint) AppendCanonical(dst []byte, m protoreflect.Message) ([]byte, error) {
	if m.Descriptor() != e.input || e.body != nil {
		return nil, fmt.Errorf("%s has no canonical form for a %s", e.name, m.Descriptor().FullName())
	}
	dst = append(append(dst, e.verb...), ' ')
	dst, err := appendPath(dst, e.segments, m)
	if err != nil {
		return nil, err
	}
	dst = append(dst, '?')
	return appendQuery(dst, len(dst), e.query, m)
}

// Decode turns the JSON of an answer into the wire bytes of the method's output
// type. Its errors are of type *Error: a read's answer that cannot be
// understood is Unavailable, a write's is OutcomeUnknown. With an error the answer has
// its JSON where that can be passed on, as [adminjson.Codec.Answer] says.
func (e *Endpoint) Decode(body []byte) (adminjson.Answer, error) {
	if !startsObject(body) {
		return adminjson.Answer{}, badAnswer(e.writes(), "the answer is not a JSON object", nil)
	}
	answer, err := e.answer.Answer(body)
	if err != nil {
		// The error names the members of the answer, which can be anything.
		return answer, badAnswer(e.writes(), "the answer does not match the operation", scrubbed(err, clean))
	}
	return answer, nil
}

// TellsAnswers reports whether the declaration says which member makes an answer one:
// without it, an error that came with 200 would pass for an empty answer.
func (e *Endpoint) TellsAnswers() bool { return e.answer.Essential() }

// Exactly returns the endpoint with a Decode that refuses an answer with any value of
// another type, where that of e leaves most of them out.
func (e *Endpoint) Exactly() *Endpoint {
	exact := *e
	exact.answer = e.answer.Exactly()
	return &exact
}
