package connectdoor

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/internal/lazyctx"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// call is one call and its stream, in one allocation.
type call struct {
	door    *Door
	form    *form
	ctx     context.Context
	timeout lazyctx.Context // where the client has set one
	longest time.Duration
	timed   bool
	writer  http.ResponseWriter
	request io.Reader        // the body
	bounded io.LimitedReader // of request
	info    connect.CallInfo

	asked    bool // the request was received
	sent     bool // the answer was
	compress bool // the client accepts it
}

// describe fills in what the pipeline has of a call before its messages.
func (c *call) describe(r *http.Request) {
	i := &c.info
	i.PeerAddr, i.Protocol, i.Codec = r.RemoteAddr, connect.ProtocolNameConnect, c.form.codec.Name()
	i.RequestEncoding, i.ResponseEncoding = connect.CompressionNameIdentity, connect.CompressionNameIdentity
	if accepts := r.Header["Accept-Encoding"]; accepted(accepts, c.door.options.Compressor.Name()) {
		c.compress, i.ResponseEncoding = true, c.door.options.Compressor.Name()
	}
	header := i.RequestHeader()
	for name, values := range r.Header {
		header.SetValues(name, values)
	}
	header.Set("Host", r.Host)
}

// Receive reads the request.
func (c *call) Receive(msg any) error {
	if c.asked {
		return io.EOF
	}
	c.asked = true
	most := int64(c.door.options.MaxRequestBytes)
	c.bounded = io.LimitedReader{R: c.request, N: most + 1}
	text := c.door.buffer()
	defer c.door.release(text)
	n, err := text.ReadFrom(&c.bounded)
	if err != nil {
		return connect.Errorf(c.codeOf(err), "read message: %s", err).WithCause(err)
	}
	if n > most {
		return connect.Errorf(connect.CodeResourceExhausted, "message is larger than configured max %d", most)
	}
	if err := c.form.codec.UnmarshalRead(c.ctx, text, msg); err != nil {
		return connect.Errorf(connect.CodeInvalidArgument, "unmarshal message: %s", err).WithCause(err)
	}
	c.info.ReceiveStats = connect.MessageStats{Size: int(n)}
	return nil
}

// SendHeaders does nothing: they go with the answer, or with an error, whose status
// is one of HTTP.
func (c *call) SendHeaders() error { return nil }

// Send sends the answer.
func (c *call) Send(msg any) error {
	if c.sent {
		return connect.NewError(connect.CodeInternal, "a unary call has one answer")
	}
	if e := c.form.encoder; e != nil {
		if data, ok, err := e.Encoded(msg); err != nil {
			return unencoded(err)
		} else if ok {
			return c.answer(data)
		}
	}
	text := c.door.buffer()
	defer c.door.release(text)
	if err := c.form.codec.MarshalWrite(c.ctx, text, msg); err != nil {
		return unencoded(err)
	}
	return c.answer(text.Bytes())
}

func unencoded(err error) error {
	return connect.Errorf(connect.CodeInternal, "marshal message: %s", err).WithCause(err)
}

// answer sends a message, compressed where that pays.
func (c *call) answer(data []byte) error {
	if !c.compress || len(data) < c.door.options.CompressMinBytes {
		c.info.SendStats = connect.MessageStats{Size: len(data)}
		return c.write(data)
	}
	small := c.door.buffer()
	defer c.door.release(small)
	w, err := c.door.options.Compressor.Compress(small)
	if err != nil {
		return unencoded(err)
	}
	if _, err = w.Write(data); err == nil {
		err = w.Close()
	}
	if err != nil {
		return unencoded(err)
	}
	c.writer.Header()["Content-Encoding"] = c.door.accepts
	c.info.SendStats = connect.MessageStats{Size: len(data), CompressedSize: small.Len()}
	return c.write(small.Bytes())
}

func (c *call) write(data []byte) error {
	c.setHeaders()
	c.sent = true
	if err := httpdoor.Write(c.writer, http.StatusOK, data); err != nil {
		code := c.codeOf(err)
		if code == connect.CodeUnknown { // Nothing but its client can end a connection.
			code = connect.CodeCanceled
		}
		return connect.Errorf(code, "write message: %s", err).WithCause(err)
	}
	return nil
}

// setHeaders are those of the protocol and of the call.
func (c *call) setHeaders() {
	header := c.writer.Header()
	header["Content-Type"] = c.form.contentType
	header["Accept-Encoding"] = c.door.accepts
	for name, values := range c.info.ResponseHeader().All() {
		if belongsToProtocol(name) {
			continue
		}
		if had := header[name]; had != nil {
			values = append(had, values...)
		}
		header[name] = values
	}
	for name, values := range c.info.ResponseTrailer().All() {
		if !belongsToProtocol(name) {
			header["Trailer-"+name] = values
		}
	}
}

// belongsToProtocol: a handler that sets one of these would break the message that
// carries it.
func belongsToProtocol(name string) bool {
	switch name {
	case "Content-Type", "Content-Length", "Content-Encoding", "Accept-Encoding", "Trailer", "Trailer-", "Date",
		"Connect-Content-Encoding", "Connect-Accept-Encoding", "Connect-Timeout-Ms", "Connect-Protocol-Version",
		"Grpc-Encoding", "Grpc-Accept-Encoding", "Grpc-Timeout", "Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin":
		return true
	default:
		return false
	}
}

// codeOf is the code of a failure of the connection.
func (c *call) codeOf(err error) connect.Code {
	switch end := c.ctx.Err(); {
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(end, context.DeadlineExceeded):
		return connect.CodeDeadlineExceeded
	case errors.Is(end, context.Canceled):
		return connect.CodeCanceled
	default:
		return connect.CodeUnknown
	}
}

// verdict is the error of a call for its client: what is not one of connect's says
// nothing beyond its code.
func verdict(err error) error {
	e, ok := errors.AsType[*connect.Error](err)
	switch {
	case err == nil, ok && !e.IsRemote():
		return err
	case ok:
		return connect.NewError(connect.CodeInternal, "").WithCause(err)
	case errors.Is(err, context.Canceled):
		return connect.NewError(connect.CodeCanceled, "").WithCause(err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return connect.NewError(connect.CodeDeadlineExceeded, "").WithCause(err)
	default:
		return connect.NewError(connect.CodeUnknown, "").WithCause(err)
	}
}
