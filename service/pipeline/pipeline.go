package pipeline

import (
	"context"
	"fmt"

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
// of the method's response type, and the upstream's own JSON. It may be shared, so
// it must not be changed.
type Response struct {
	wire, json []byte
	message    protoreflect.MessageType
	// upstreamRequestID is the upstream's id of its part; "" for an answer that was
	// stored.
	upstreamRequestID string
}

// NewResponse makes the answer to a request that was authorized.
func NewResponse(permit admission.Permit, wire, json []byte, upstreamRequestID string) *Response {
	return &Response{wire: wire, json: json, message: permit.Method().Response, upstreamRequestID: upstreamRequestID}
}

// Wire is the answer in protobuf's binary form.
func (r *Response) Wire() []byte { return r.wire }

// JSON is the upstream's answer.
func (r *Response) JSON() []byte { return r.json }

// UpstreamRequestID is the upstream's id of its part; "" for an answer that was
// stored.
func (r *Response) UpstreamRequestID() string { return r.upstreamRequestID }

// Message decodes the answer, where its wire bytes cannot be used.
func (r *Response) Message() (proto.Message, error) {
	m := r.message.New().Interface()
	if err := proto.Unmarshal(r.wire, m); err != nil {
		return nil, fmt.Errorf("answer of %d bytes is not a %s: %w", len(r.wire), r.message.Descriptor().FullName(), err)
	}
	return m, nil
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
