package door

import (
	"context"
	"errors"
	"io"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/lazyctx"
)

// farewell is how long after the end of a stream its last message may take.
const farewell = 30 * time.Second

// WithDeadline is the interceptor that ends a call whose caller set no earlier
// deadline: after longest, or, where the answer is a stream, after longestStream;
// also a call that waits for its client.
func WithDeadline(longest, longestStream time.Duration) connect.ServerInterceptor {
	waiting := new(waits)
	return func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			most := longest
			if spec.StreamType == connect.StreamTypeServer {
				most = longestStream
			}
			call := new(boundCall)
			call.Begin(ctx, time.Now().Add(most))
			defer call.End(nil)
			connection, ok := ConnectionOf(ctx)
			if ok && spec.StreamType == connect.StreamTypeServer {
				end, _ := call.Deadline()
				connection.ExtendTo(end.Add(farewell))
				defer func() { connection.ExtendTo(time.Now().Add(farewell)) }()
			}
			bound := &call.stream
			bound.ServerStream, bound.ctx, bound.waits = stream, &call.Context, waiting
			if ok && connection.Waits() {
				bound.connection = connection
			}
			err := next(&call.Context, spec, bound) //nolint:contextcheck // It is made of ctx.
			if err != nil && ok && !bound.begun {
				connection.AbandonRequest()
			}
			return err
		}
	}
}

// boundCall is the context of a call and its stream, in one allocation.
type boundCall struct {
	lazyctx.Context
	stream BoundStream
}

// BoundStream is a stream that waits for its client no longer than a context
// lasts. A Receive that fails after that has failed because of it, whatever the door
// calls it.
type BoundStream struct {
	connect.ServerStream
	ctx context.Context
	// connection is nil where Receive does not wait.
	connection Connection
	// begun says that something was read or written.
	begun bool
	// waits looks after the wait; nil: the wait ends with ctx at once.
	waits *waits
	wait  wait
}

// Bind makes a stream end with ctx, which is made of the call's, and at once.
func Bind(ctx context.Context, stream connect.ServerStream) *BoundStream {
	bound := &BoundStream{ServerStream: stream, ctx: ctx}
	if connection, ok := ConnectionOf(ctx); ok && connection.Waits() {
		bound.connection = connection
	}
	return bound
}

// SendHeaders sends them.
func (s *BoundStream) SendHeaders() error {
	s.begun = true
	return s.ServerStream.SendHeaders()
}

// Send sends a message.
func (s *BoundStream) Send(msg any) error {
	s.begun = true
	return s.ServerStream.Send(msg)
}

// Receive waits for a message, at most until the end of the context.
func (s *BoundStream) Receive(msg any) error {
	s.begun = true
	// For the time of the wait alone: calls that are not allowed do not wait for their
	// client.
	switch {
	case s.connection == nil:
	case s.waits == nil:
		defer context.AfterFunc(s.ctx, s.connection.Interrupt)()
	default:
		s.wait.ctx, s.wait.connection = s.ctx, s.connection //nolint:fatcontext // It is not made anew.
		s.waits.begin(&s.wait)
		defer s.wait.end()
	}
	err := s.ServerStream.Receive(msg)
	// Nothing is begun for a request whose time has passed when it is here: nobody
	// waits for its answer, however quick that would be.
	if (err == nil || !errors.Is(err, io.EOF)) && s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return err
}
