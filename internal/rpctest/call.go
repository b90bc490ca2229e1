// Package rpctest makes one call through interceptors, without a door and without a
// gateway. It is for tests alone.
package rpctest

import (
	"context"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectinprocess"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/admin-gateway/admin-gateway/service/door"
)

// Call is a unary call.
type Call struct {
	// Procedure is called; "" is a procedure that no catalog has.
	Procedure string
	// Header has names and values in turn.
	Header []string
	// Interceptors stand in front of Handler, outermost first.
	Interceptors []connect.ServerInterceptor
	// Handler serves the call. Without one the call is answered.
	Handler connect.ServerFunc
	// WithoutConnection leaves out the connection that every door offers.
	WithoutConnection bool
}

// Do makes the call. It returns the headers of the answer, and the error of the
// outermost interceptor as it is.
func (c Call) Do(ctx context.Context) (*connect.Header, error) {
	var failed error
	outermost := func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			failed = next(ctx, spec, stream)
			return failed
		}
	}
	handler := c.Handler
	if handler == nil {
		handler = Answer
	}
	spec := connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: c.Procedure}
	if spec.Procedure == "" {
		spec.Procedure = "/test.v1.Service/Method"
	}
	server := connect.NewServer(append([]connect.ServerInterceptor{outermost}, c.Interceptors...)...)
	server.Register(connect.Method{Spec: spec, Handler: handler}) //nolint:forbidigo // A handler of a test.
	if !c.WithoutConnection {
		ctx = door.WithConnection(ctx, door.InProcess{})
	}
	ctx, info := connect.NewClientContext(ctx)
	for i := 0; i < len(c.Header); i += 2 {
		info.RequestHeader().Add(c.Header[i], c.Header[i+1])
	}
	err := connect.NewClient(connectinprocess.New(server)).CallUnary(ctx, spec, &emptypb.Empty{}, &emptypb.Empty{})
	if failed != nil {
		err = failed
	}
	return info.ResponseHeader(), err
}

// Answer is a handler that answers with an empty message.
func Answer(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
	if err := stream.Receive(&emptypb.Empty{}); err != nil {
		return err
	}
	return stream.Send(&emptypb.Empty{})
}
