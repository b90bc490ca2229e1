package grpcdoor

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
)

// stream is a [connect.ServerStream] over one of grpc-go's.
type stream struct {
	ctx  context.Context
	wire grpc.ServerStream
	// frames are those of the client.
	frames reader
	info   *connect.CallInfo
	codec  connect.Codec
	open   *opener
	// smallest is the size from which an answer is compressed.
	smallest int

	unary bool
	// single is a call with one request; asked says that it was received.
	single, asked bool
	headersSent   bool

	inbound *inbound
	// watched says that somebody else interrupts a Receive whose call has ended.
	watched atomic.Bool
	// interrupted says that Receive no longer waits for the client.
	interrupted atomic.Bool
	writes      *sync.WaitGroup
	late        <-chan struct{} // closed: Send does not wait either; nil: it never does
}

// Receive reads the next message into msg. For a call with one request it also
// checks that no other follows.
func (s *stream) Receive(msg any) error {
	if s.single && s.asked {
		return io.EOF
	}
	s.asked = true
	if s.info.Codec != s.codec.Name() {
		return connect.Errorf(connect.CodeUnimplemented, "this door has no codec %q", s.info.Codec)
	}
	f, err := s.read()
	if err != nil {
		return err
	}
	stats, err := s.open.open(f, func(message io.Reader) error {
		if err := s.codec.UnmarshalRead(s.ctx, message, msg); err != nil {
			return connect.NewError(connect.CodeInvalidArgument, "unmarshal the message").WithCause(err)
		}
		return nil
	})
	if stats.CompressedSize > 0 {
		s.info.RequestEncoding = connect.CompressionNameGzip
	}
	if err != nil {
		return err
	}
	s.info.ReceiveStats = stats
	return nil
}

// read waits for a frame, or for being interrupted.
func (s *stream) read() (frame, error) {
	if !s.watched.Load() {
		defer context.AfterFunc(s.inbound.Context, s.inbound.end)()
	}
	if !s.interrupted.Load() {
		f, err := s.receiveFrame()
		if err == nil || !s.interrupted.Load() {
			return f, err
		}
	}
	return frame{}, connect.NewError(connect.CodeCanceled, "interrupted")
}

// interrupt ends the wait for a frame. It is called by any goroutine.
func (s *stream) interrupt() {
	s.interrupted.Store(true)
	s.inbound.end()
}

func (s *stream) receiveFrame() (frame, error) {
	f, err := s.frames.next()
	if errors.Is(err, io.EOF) {
		if s.single {
			return f, connect.NewError(connect.CodeUnimplemented, "unary request has no message")
		}
		return f, io.EOF
	} else if err != nil {
		return f, fromTransport(s.ctx, err)
	}
	if !s.single {
		return f, nil
	}
	switch _, err := s.frames.next(); {
	case err == nil:
		return f, connect.NewError(connect.CodeUnimplemented, "unary request has several messages")
	case !errors.Is(err, io.EOF):
		return f, fromTransport(s.ctx, err)
	}
	return f, nil
}

// SendHeaders sends the headers of a stream. Those of a unary call go with its
// answer or its error.
func (s *stream) SendHeaders() error {
	if s.unary {
		return nil
	}
	if err := s.sendHeaders(); err != nil {
		return fromTransport(s.ctx, err)
	}
	return nil
}

// Send sends msg, and the headers before the first one.
func (s *stream) Send(msg any) error {
	select {
	case <-s.late: // A message may still be on its way, and one at a time is.
		return connect.NewError(connect.CodeDeadlineExceeded, "the time of the answer is over")
	default:
	}
	data, err := s.encode(msg)
	if err != nil {
		return connect.NewError(connect.CodeInternal, "marshal the message").WithCause(err)
	}
	if err := s.chooseEncoding(len(data)); err != nil {
		return err
	}
	if err := s.sendHeaders(); err != nil {
		return fromTransport(s.ctx, err)
	}
	if err := s.write(&frame{data: data}); err != nil {
		return err
	}
	s.info.SendStats = connect.MessageStats{Size: len(data)}
	return nil
}

// encode is a message in its binary form. One that has it already is not copied.
func (s *stream) encode(msg any) ([]byte, error) {
	if has, ok := s.codec.(Encoder); ok {
		if data, ok, err := has.Encoded(msg); ok || err != nil {
			return data, err
		}
	}
	var b bytes.Buffer
	err := s.codec.MarshalWrite(s.ctx, &b, msg)
	return b.Bytes(), err
}

// sendHeaders sends the headers before the first message.
func (s *stream) sendHeaders() error {
	if s.headersSent {
		return nil
	}
	s.headersSent = true
	return s.wire.SendHeader(sent(s.info.ResponseHeader()))
}

// write sends a frame. Of a stream, it waits for a client that does not take what came
// before, at most until the time of the answer is over. grpc-go gives the write up then:
// at the latest when the handler returns.
func (s *stream) write(f *frame) error {
	if s.unary { // The only message of an answer does not wait.
		if err := s.wire.SendMsg(f); err != nil {
			return fromTransport(s.ctx, err)
		}
		return nil
	}
	sent := make(chan error, 1)
	s.writes.Go(func() { sent <- s.wire.SendMsg(f) })
	select {
	case err := <-sent:
		if err != nil {
			return fromTransport(s.ctx, err)
		}
		return nil
	case <-s.late:
		return connect.NewError(connect.CodeDeadlineExceeded, "the client does not take the answer")
	}
}

// chooseEncoding keeps grpc-go from compressing a small answer. It answers in
// the compression of the request.
func (s *stream) chooseEncoding(size int) error {
	if s.headersSent || s.info.RequestEncoding == connect.CompressionNameIdentity {
		return nil
	}
	if !s.unary || size >= s.smallest {
		s.info.ResponseEncoding = s.info.RequestEncoding
		return nil
	}
	if err := grpc.SetSendCompressor(s.wire.Context(), encoding.Identity); err != nil {
		return connect.NewError(connect.CodeInternal, "choose the encoding of the answer").WithCause(err)
	}
	return nil
}

// setHeaders leaves the headers for grpc-go to send with the status.
func (s *stream) setHeaders() error {
	if s.headersSent {
		return nil
	}
	s.headersSent = true
	return s.wire.SetHeader(sent(s.info.ResponseHeader()))
}

// finish leaves headers, if none have gone, and trailers for grpc-go to send
// with the status of the call.
func (s *stream) finish() {
	_ = s.setHeaders() // It fails where the client has gone.
	s.wire.SetTrailer(sent(s.info.ResponseTrailer()))
}
