package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"connectrpc.com/connect/v2"
)

// stream is a call whose answer is a stream. Its server runs in a goroutine that ends
// before Close returns, or before Receive returns the end.
type stream struct {
	transport *Transport
	spec      connect.Spec
	ctx       context.Context //nolint:containedctx // A stream is one call.
	cancel    context.CancelFunc
	begin     sync.Once
	request   any
	answers   chan any
	done      chan struct{}
	err       error // set before done is closed
}

func newStream(ctx context.Context, t *Transport, spec connect.Spec) *stream {
	s := &stream{transport: t, spec: spec, answers: make(chan any), done: make(chan struct{})}
	s.ctx, s.cancel = context.WithCancel(ctx)
	return s
}

// SendHeaders implements [connect.ClientStream].
func (s *stream) SendHeaders() error { return nil }

// Send keeps the request.
func (s *stream) Send(msg any) error {
	s.request = msg
	return nil
}

// CloseSend implements [connect.ClientStream].
func (s *stream) CloseSend() error { return nil }

// Receive begins the call, and waits for a message of its answer.
func (s *stream) Receive(dst any) error {
	s.begin.Do(func() { go s.run() })
	select {
	case msg := <-s.answers:
		return s.transport.Server.Copy(dst, msg)
	case <-s.done:
		s.cancel()
		if s.err != nil {
			return s.err
		}
		return io.EOF
	}
}

// Close ends the call, and waits for its end.
func (s *stream) Close() error {
	s.cancel()
	s.begin.Do(func() { close(s.done) }) // It was never made.
	<-s.done
	return nil
}

func (s *stream) run() {
	defer close(s.done)
	defer func() {
		if panicked := recover(); panicked != nil { // Outside of the interceptor that recovers.
			s.err = connect.NewError(connect.CodeInternal, "internal error").WithCause(fmt.Errorf("panic: %v", panicked))
		}
	}()
	s.err = s.transport.call(s.ctx, s.spec, (*streamServer)(s))
}

// streamServer is the server's side of a stream.
type streamServer stream

// SendHeaders implements [connect.ServerStream].
func (s *streamServer) SendHeaders() error { return nil }

// Receive gives the request, once.
func (s *streamServer) Receive(dst any) error {
	if s.request == nil {
		return io.EOF
	}
	request := s.request
	s.request = nil
	return s.transport.Server.Copy(dst, request)
}

// errGone is the error of a server whose client does not read any more.
var errGone = errors.New("console: the page is closed")

// Send waits until the page has taken the message.
func (s *streamServer) Send(msg any) error {
	select {
	case s.answers <- msg:
		return nil
	case <-s.ctx.Done():
		return fmt.Errorf("%w: %w", errGone, context.Cause(s.ctx))
	}
}
