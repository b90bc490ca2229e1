package service

import (
	"context"
	"errors"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// Upstream sends one request to the Admin API.
type Upstream interface {
	// Do returns any 2xx answer whole; everything else is an *upstream.Error.
	Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error)
}

// Validator checks a request against the rules of its schema.
type Validator interface {
	// Validate reports a broken rule as a *protovalidate.ValidationError.
	Validate(msg proto.Message) error
}

// road serves every method of a catalog.
type road struct {
	upstream  Upstream
	validator Validator
}

// handler is the innermost step of the road for one method: decode, validate,
// call the upstream, encode.
func (r *road) handler(m *Method) connect.ServerFunc {
	return func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
		request := m.Request.New()
		if err := stream.Receive(request.Interface()); err != nil {
			return err
		}
		if err := r.validator.Validate(request.Interface()); err != nil {
			return err
		}
		call, err := m.Endpoint.Request(request)
		if err != nil {
			return err
		}
		reply, err := r.upstream.Do(ctx, m.Endpoint, call)
		if err != nil {
			return err
		}
		wire, err := m.Endpoint.Decode(reply.Body)
		if err != nil {
			if bad, ok := errors.AsType[*upstream.Error](err); ok {
				bad.Status, bad.RequestID = reply.Status, reply.RequestID
			}
			return err
		}
		return stream.Send(&answer{wire: wire, kind: m.Response})
	}
}

// spec is what the doors need to know of the method.
func (m *Method) spec() connect.Spec {
	level := connect.IdempotencyUnknown
	if m.Read {
		level = connect.IdempotencyNoSideEffects
	}
	return connect.Spec{
		StreamType:       connect.StreamTypeUnary,
		IdempotencyLevel: level,
		Schema:           m.Descriptor,
		Procedure:        m.Procedure,
	}
}
