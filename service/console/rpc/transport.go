package rpc

import (
	"context"
	"errors"
	"io"
	"net/http"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/door"
)

// Server is what a [Transport] calls.
type Server struct {
	// Server has the methods.
	Server *connect.Server
	// Copy copies a message that the server has sent or gets, whatever form it has.
	Copy func(dst, src any) error
}

// Transport makes calls for one person. It may be used by several goroutines.
type Transport struct {
	// Server is called.
	Server Server
	// Token is the credential of the calls, "" for none.
	Token string
	// Connection is that of the browser.
	Connection door.Connection
	// Peer is the browser's address, and Forwarded the headers in which proxies name the
	// address behind theirs.
	Peer      string
	Forwarded http.Header
	// Stored asks for stored answers alone: nothing is spent.
	Stored bool
	// Notes take note of how the answers were come by; nil does not.
	Notes *Notes
}

// NewClientStream implements [connect.Transport].
func (t *Transport) NewClientStream(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
	switch spec.StreamType {
	case connect.StreamTypeUnary:
		return &unary{transport: t, ctx: ctx, spec: spec}, nil
	case connect.StreamTypeServer:
		return newStream(ctx, t, spec), nil
	default:
		return nil, errors.New("console: no page sends a stream")
	}
}

// call makes a call of the server.
func (t *Transport) call(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
	info := &connect.CallInfo{Spec: spec, PeerAddr: t.Peer, Protocol: door.ProtocolConsole, Codec: "proto"}
	header := info.RequestHeader()
	for name, values := range t.Forwarded {
		header.SetValues(name, values)
	}
	if t.Token != "" {
		header.Set("Authorization", "Bearer "+t.Token)
	}
	client, _ := connect.CallInfoForClientContext(ctx)
	if client != nil {
		for name, values := range client.RequestHeader().All() {
			header.SetValues(name, values)
		}
	}
	if t.Stored {
		header.Set("Cache-Control", "only-if-cached")
	}
	err := t.Server.Server.Call(door.WithConnection(ctx, onBehalf{t.Connection}), spec.Procedure, info, stream)
	if t.Notes != nil {
		t.Notes.add(info.ResponseHeader())
		t.Notes.lack(err)
	}
	if client != nil {
		for name, values := range info.ResponseHeader().All() {
			client.ResponseHeader().SetValues(name, values)
		}
	}
	return err
}

// unary is a call with one answer. It is made by Receive.
type unary struct {
	transport *Transport
	ctx       context.Context //nolint:containedctx // A stream is one call.
	spec      connect.Spec
	request   any
	answer    any
	called    bool
}

// SendHeaders implements [connect.ClientStream].
func (u *unary) SendHeaders() error { return nil }

// Send keeps the request.
func (u *unary) Send(msg any) error {
	u.request = msg
	return nil
}

// CloseSend implements [connect.ClientStream].
func (u *unary) CloseSend() error { return nil }

// Receive makes the call.
func (u *unary) Receive(dst any) error {
	if u.called {
		return io.EOF
	}
	u.called = true
	if err := u.transport.call(u.ctx, u.spec, (*unaryServer)(u)); err != nil {
		return err
	}
	if u.answer == nil {
		return errors.New("console: a call without an answer")
	}
	return u.transport.Server.Copy(dst, u.answer)
}

// Close implements [connect.ClientStream].
func (u *unary) Close() error { return nil }

// unaryServer is the server's side of a unary call.
type unaryServer unary

// SendHeaders implements [connect.ServerStream].
func (u *unaryServer) SendHeaders() error { return nil }

// Receive gives the request, once.
func (u *unaryServer) Receive(dst any) error {
	if u.request == nil {
		return io.EOF
	}
	request := u.request
	u.request = nil
	return u.transport.Server.Copy(dst, request)
}

// Send keeps the answer.
func (u *unaryServer) Send(msg any) error {
	u.answer = msg
	return nil
}
