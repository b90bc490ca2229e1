package grpcdoor

import (
	"context"
	"crypto/tls"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/tap"
)

// ServerInfo is the CallInfo.TransportInfo of a call through this door.
type ServerInfo struct {
	tls       *tls.ConnectionState
	interrupt context.CancelFunc
}

// Interrupt makes a Receive or Send of the call that waits for the client fail,
// and those that follow. The status still goes out. It may be called more than
// once, by any goroutine.
func (i *ServerInfo) Interrupt() {
	if i != nil && i.interrupt != nil {
		i.interrupt()
	}
}

// TLS is the state of the connection, nil without TLS. The certificates in it are
// those of all calls on the connection: nobody changes them.
func (i *ServerInfo) TLS() *tls.ConnectionState {
	if i == nil {
		return nil
	}
	return i.tls
}

// call serves one call.
func (d *Door) call(_ any, wire grpc.ServerStream) error {
	ctx, release := withOwnDeadline(wire.Context())
	defer release()
	procedure, _ := grpc.Method(ctx)
	info := d.info(ctx, procedure)
	s := &stream{
		ctx:      ctx,
		wire:     wire,
		info:     info,
		codec:    d.options.Codec,
		open:     opener{d.gzip, d.options.MaxRequestBytes},
		smallest: d.options.CompressMinBytes,
		unary:    info.Spec.StreamType == connect.StreamTypeUnary,
		single:   info.Spec.StreamType&connect.StreamTypeClient == 0,
	}
	err := d.dispatch(ctx, s)
	s.finish()
	return toStatus(err)
}

type interruptKey struct{}

// interruptible gives grpc-go the context on whose end its reads and writes of a
// call give up: one that can be ended. There is no other way to it from the
// outside, and a call that waits for its client knows nothing of the deadline
// that the server gives it. It ends with grpc-go's own, at the end of the call.
func interruptible(wire context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cancel := context.WithCancel(wire)
	return context.WithValue(ctx, interruptKey{}, cancel), nil
}

// withOwnDeadline gives a context that is exceeded when its deadline passes.
// grpc-go cancels a call's own then, often before that has noticed, and a call
// whose time was up would look like one that its client gave up.
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

// info is what the road learns of a call before its messages.
func (d *Door) info(ctx context.Context, procedure string) *connect.CallInfo {
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
	server := &ServerInfo{}
	server.interrupt, _ = ctx.Value(interruptKey{}).(context.CancelFunc)
	if p, ok := peer.FromContext(ctx); ok {
		i.PeerAddr = p.Addr.String()
		if secured, ok := p.AuthInfo.(credentials.TLSInfo); ok {
			server.tls = &secured.State
		}
	}
	i.TransportInfo = server
	return i
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
