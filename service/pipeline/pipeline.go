package pipeline

import (
	"context"
	"strings"

	"connectrpc.com/connect/v2"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/admission"
)

// Invoker answers a request that was authorized. Its methods are those whose source
// is the upstream. It is safe for concurrent use.
type Invoker interface {
	// Invoke fails with an error that rpcerror.ToCaller can map.
	Invoke(ctx context.Context, permit admission.Permit) (*Response, error)
}

// Func is a function that is an [Invoker].
type Func func(ctx context.Context, permit admission.Permit) (*Response, error)

// Invoke implements [Invoker].
func (f Func) Invoke(ctx context.Context, permit admission.Permit) (*Response, error) {
	return f(ctx, permit)
}

// Decorator is a step: it does its part around the steps behind it.
type Decorator func(next Invoker) Invoker

// Chain puts decorators around the last step. The first of them runs first.
func Chain(last Invoker, decorators ...Decorator) Invoker {
	for i := len(decorators) - 1; i >= 0; i-- {
		last = decorators[i](last)
	}
	return last
}

// Response is an answer in the forms in which callers get it: protobuf wire bytes
// of the method's response type, protobuf's JSON form of these, and the upstream's own
// JSON. It may be shared, so it must not be changed.
type Response struct {
	answer  Answer
	message protoreflect.MessageType
	// upstreamRequestID is the upstream's id of its part; "" for an answer that was
	// stored.
	upstreamRequestID string
}

// Answer is the content of a [Response].
type Answer struct {
	// Wire is the answer in protobuf's binary form, of the method's response type.
	Wire []byte
	// JSON is the upstream's answer.
	JSON []byte
	// Forms, if set, has both, and is asked in their place.
	Forms Forms
	// Omitted are the paths of the members that JSON has and Wire has not, because their
	// values do not fit into the message.
	Omitted []string
	// Untyped is why there is no Wire, where the answer is JSON and nothing else.
	Untyped error
}

// NewResponse makes the answer to a request that was authorized.
func NewResponse(permit admission.Permit, answer Answer, upstreamRequestID string) *Response {
	return &Response{answer: answer, message: permit.Method().Response, upstreamRequestID: upstreamRequestID}
}

// Untyped is the error for a caller that wants a message and not the upstream's own JSON;
// nil where the answer is both.
func (r *Response) Untyped() error { return r.answer.Untyped }

// Wire is the answer in protobuf's binary form. It fails with [Response.Untyped].
func (r *Response) Wire() ([]byte, error) {
	if r.answer.Forms == nil || r.answer.Untyped != nil {
		return r.answer.Wire, r.answer.Untyped
	}
	return r.answer.Forms.Wire()
}

// JSON is the upstream's answer. It fails for a stored one that is damaged.
func (r *Response) JSON() ([]byte, error) {
	if r.answer.Forms == nil {
		return r.answer.JSON, nil
	}
	return r.answer.Forms.JSON()
}

// MessageJSON is protobuf's JSON form of the answer. It fails with [Response.Untyped].
func (r *Response) MessageJSON() ([]byte, error) {
	if r.answer.Forms == nil || r.answer.Untyped != nil {
		wire, err := r.Wire()
		if err != nil {
			return nil, err
		}
		return MessageJSON(r.message, wire)
	}
	return r.answer.Forms.MessageJSON()
}

// Omitted are the paths of the members that the message lacks, because their values do
// not fit into it.
func (r *Response) Omitted() []string { return r.answer.Omitted }

// OmittedHeader names the members of an answer that could not be read, separated by
// commas.
const OmittedHeader = "Gateway-Answer-Omitted"

// SetHeaders sets [OmittedHeader], where there is something to name.
func (r *Response) SetHeaders(header *connect.Header) {
	if len(r.answer.Omitted) > 0 {
		header.Set(OmittedHeader, strings.Join(r.answer.Omitted, ", "))
	}
}

// UpstreamRequestID is the upstream's id of its part; "" for an answer that was
// stored.
func (r *Response) UpstreamRequestID() string { return r.upstreamRequestID }

// Message decodes the answer, where its wire bytes cannot be used.
func (r *Response) Message() (proto.Message, error) {
	wire, err := r.Wire()
	if err != nil {
		return nil, err
	}
	return decode(r.message, wire)
}

// ID is the id of the resource in the answer, "" where it has none.
func (r *Response) ID() string {
	decoded, err := r.Message()
	if err != nil {
		return ""
	}
	m := decoded.ProtoReflect()
	fields := m.Descriptor().Fields()
	if fields.Len() == 1 && fields.Get(0).Message() != nil && !fields.Get(0).IsList() {
		m = m.Get(fields.Get(0)).Message()
	}
	if id := m.Descriptor().Fields().ByName("id"); id != nil && id.Kind() == protoreflect.StringKind {
		return m.Get(id).String()
	}
	return ""
}
