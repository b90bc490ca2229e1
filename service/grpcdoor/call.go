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
	"github.com/admin-gateway/admin-gateway/service/door"
)

// ServerInfo is the CallInfo.TransportInfo of a call through this door, and its
// [door.Connection].
type ServerInfo struct {
	tls         *tls.ConnectionState
	call        connguard.Call // of no connection, where it is not on a listener of the door
	once        sync.Once
	interrupted chan struct{}
	answer      *answerTime
}

// Interrupt makes a Receive that waits for the client, and all that follow, fail
// with CANCELED. What is sent still goes out. It may be called more than once, by
// any goroutine.
func (i *ServerInfo) Interrupt() {
	if i != nil && i.interrupted != nil {
		i.once.Do(func() { close(i.interrupted) })
	}
}

// Waits says that a Receive can wait for the client.
func (i *ServerInfo) Waits() bool { return true }

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

// call serves one call. Reads counts the reads that still wait for a client
// after their call has ended.
func (d *Door) call(wire grpc.ServerStream, reads *sync.WaitGroup) error {
	ctx, release := withOwnDeadline(wire.Context())
	defer release()
	procedure, _ := grpc.Method(ctx)
	info, server := d.info(ctx, procedure)
	defer server.call.End()
	defer server.answer.stop()
	s := &stream{
		ctx:      ctx,
		wire:     wire,
		info:     info,
		codec:    d.options.Codec,
		open:     d.opener,
		smallest: d.options.CompressMinBytes,
		unary:    info.Spec.StreamType == connect.StreamTypeUnary,
		single:   info.Spec.StreamType&connect.StreamTypeClient == 0,
		reads:    reads,
		over:     server.interrupted,
		late:     server.answer.over,
	}
	err := d.dispatch(door.WithConnection(ctx, server), s)
	s.finish()
	return toStatus(err)
}

// withOwnDeadline gives a context that is exceeded when its deadline passes.
// grpc-go cancels a call's own then, often before that has noticed, and a call
// whose deadline passed would look like one that its client canceled.
func withOwnDeadline(wire context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := wire.Deadline()
	if !ok {
		return wire, func() {}
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(wire), deadline)
	stop := context.AfterFunc(wire, func() {
		if time.Now().Before(deadline) {
			cancel()
		}
	})
	return ctx, func() { stop(); cancel() }
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

// info is the CallInfo of a call: all that the pipeline has before the
// messages.
func (d *Door) info(ctx context.Context, procedure string) (*connect.CallInfo, *ServerInfo) {
	spec, ok := d.specs[procedure]
	if !ok {
		spec = connect.Spec{Procedure: procedure, StreamType: connect.StreamTypeBidi}
	}
	i := &connect.CallInfo{
		Spec:             spec,
		Protocol:         connect.ProtocolNameGRPC,
		RequestEncoding:  connect.CompressionNameIdentity,
		ResponseEncoding: connect.CompressionNameIdentity,
	}
	md, _ := metadata.FromIncomingContext(ctx)
	received(i.RequestHeader(), md)
	i.Codec = codecName(i.RequestHeader().Get("Content-Type"))
	server := &ServerInfo{interrupted: make(chan struct{}), call: connOf(ctx).call(), answer: newAnswerTime()}
	if p, ok := peer.FromContext(ctx); ok {
		i.PeerAddr = p.Addr.String()
		if secured, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			server.tls = &secured.State
		}
	}
	i.TransportInfo = server
	return i, server
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
