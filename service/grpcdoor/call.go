package grpcdoor

import (
	"context"
	"crypto/tls"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"github.com/admin-gateway/admin-gateway/internal/connguard"
	"github.com/admin-gateway/admin-gateway/internal/lazyctx"
	"github.com/admin-gateway/admin-gateway/service/door"
)

// ServerInfo is the CallInfo.TransportInfo of a call through this door, and its
// [door.Connection].
type ServerInfo struct {
	tls    *tls.ConnectionState
	call   connguard.Call // of no connection, where it is not on a listener of the door
	stream *stream
	answer *answerTime // nil: the answer is one message, which does not wait
}

// Interrupt makes a Receive that waits for the client, and all that follow, fail
// with CANCELED. What is sent still goes out. It may be called more than once, by
// any goroutine.
func (i *ServerInfo) Interrupt() {
	if i != nil && i.stream != nil {
		i.stream.interrupt()
	}
}

// Waits says that a Receive can wait for the client, and that who asks looks after it
// ([door.Connection]).
func (i *ServerInfo) Waits() bool {
	i.stream.watched.Store(true)
	return true
}

// Trust implements [door.Connection].
func (i *ServerInfo) Trust(caller string) error { return i.call.Authenticated(caller) }

// Probe implements [door.Connection].
func (i *ServerInfo) Probe() { i.call.Probe() }

// ExtendTo gives the messages of a stream until end: a Send that then still waits for
// the client fails. It may be called more than once, by any goroutine, and not once it
// has struck.
func (i *ServerInfo) ExtendTo(end time.Time) {
	if i != nil && i.answer != nil {
		i.answer.extendTo(end)
	}
}

// AbandonRequest does nothing: HTTP/2 answers a request that has not come whole.
func (i *ServerInfo) AbandonRequest() {}

// TLS is the state of the connection, nil without TLS. All calls on the
// connection share the certificates in it: they are never changed.
func (i *ServerInfo) TLS() *tls.ConnectionState {
	if i == nil {
		return nil
	}
	return i.tls
}

// served is what a call is made of, in one allocation: it is the context of the call with
// its connection, too.
type served struct {
	context.Context
	root   lazyctx.Context
	info   connect.CallInfo
	server ServerInfo
	stream stream
}

// Value implements [context.Context].
func (c *served) Value(key any) any {
	if door.IsKey(key) {
		return door.Connection(&c.server)
	}
	return c.Context.Value(key)
}

// call serves one call, which was not over before. What it leaves behind is one of writes.
func (d *Door) call(wire grpc.ServerStream, in *inbound, writes *sync.WaitGroup) error {
	c := new(served)
	c.Context = in.Context
	defer in.end()
	if _, ok := c.Deadline(); ok {
		// grpc-go cancels a call's context when its deadline passes, often before that has
		// noticed, and the call would look like one that its client canceled.
		c.root.BeginApart(c.Context)
		defer c.root.End(nil)
		c.Context = &c.root
	}
	procedure, _ := grpc.Method(wire.Context())
	d.describe(procedure, c, in.header)
	defer c.server.call.End()
	s := &c.stream
	s.ctx, s.wire, s.inbound, s.info, s.writes = c, wire, in, &c.info, writes
	frames, err := newReader(wire.Context(), d.options.MaxRequestBytes)
	if err != nil {
		return toStatus(err)
	}
	s.frames = frames
	s.codec, s.open, s.smallest = d.options.Codec, d.opener, d.options.CompressMinBytes
	s.unary = c.info.Spec.StreamType == connect.StreamTypeUnary
	s.single = c.info.Spec.StreamType&connect.StreamTypeClient == 0
	if !s.unary {
		defer context.AfterFunc(in.Context, in.end)() // A Send waits, too.
		c.server.answer = newAnswerTime()
		defer c.server.answer.stop()
		s.late = c.server.answer.over
	}
	err = d.dispatch(c, s)
	s.finish()
	return toStatus(err)
}

// dispatch makes a panic outside of the interceptors the failure of one call,
// as it is on the other doors; grpc-go would end the process.
func (d *Door) dispatch(ctx context.Context, s *stream) (err error) {
	defer func() {
		if recover() != nil {
			d.options.Logger.ErrorContext(ctx, "panic", "method", s.info.Spec.Procedure, "stack", string(debug.Stack()))
			err = connect.NewError(connect.CodeInternal, "")
		}
	}()
	return d.server.Call(ctx, s.info.Spec.Procedure, s.info, s)
}

// describe fills in the CallInfo of a call: all that the pipeline has before the
// messages.
func (d *Door) describe(procedure string, c *served, header metadata.MD) {
	spec, ok := d.specs[procedure]
	if !ok {
		spec = connect.Spec{Procedure: procedure, StreamType: connect.StreamTypeBidi}
	}
	i := &c.info
	i.Spec = spec
	i.Protocol = connect.ProtocolNameGRPC
	i.RequestEncoding, i.ResponseEncoding = connect.CompressionNameIdentity, connect.CompressionNameIdentity
	received(i.RequestHeader(), header)
	i.Codec = codecName(i.RequestHeader().Get("Content-Type"))
	c.server.stream = &c.stream
	if p, ok := peer.FromContext(c); ok {
		at, _ := p.Addr.(address)
		c.server.call = at.conn.call()
		i.PeerAddr = p.Addr.String()
		if secured, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			c.server.tls = &secured.State
		}
	}
	i.TransportInfo = &c.server
}

// codecName is the subtype of "application/grpc+subtype; parameters".
func codecName(contentType string) string {
	contentType, _, _ = strings.Cut(contentType, ";")
	_, subtype, ok := strings.Cut(contentType, "+")
	if !ok {
		return connect.CodecNameProto
	}
	return strings.ToLower(strings.TrimSpace(subtype))
}
