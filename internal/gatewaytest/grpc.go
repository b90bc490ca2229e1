package gatewaytest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"strings"
	"testing"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// FastGRPC opens the gRPC door of package grpcdoor onto a server, and calls it with
// grpc-go's client; without TLS where the configurations are nil.
func FastGRPC(tb testing.TB, server *connect.Server, serverTLS, clientTLS *tls.Config) GRPCClient {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan error, 1)
	door := grpcdoor.New(server, grpcdoor.Options{Codec: service.BinaryCodec(), TLS: serverTLS})
	go func() { ended <- door.Serve(ctx, l) }()
	secure := insecure.NewCredentials()
	if clientTLS != nil {
		secure = credentials.NewTLS(clientTLS)
	}
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(secure))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := conn.Close(); err != nil {
			tb.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return GRPCClient{Conn: conn}
}

// GRPCClient is a [connect.Transport] that makes unary calls with grpc-go.
type GRPCClient struct {
	// Conn is the connection of grpc-go.
	Conn *grpc.ClientConn
}

// NewClientStream implements [connect.Transport].
func (c GRPCClient) NewClientStream(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
	return &grpcCall{conn: c.Conn, ctx: ctx, procedure: spec.Procedure}, nil
}

type grpcCall struct {
	conn      *grpc.ClientConn
	ctx       context.Context
	procedure string
	request   any
	done      bool
}

// SendHeaders implements [connect.ClientStream].
func (c *grpcCall) SendHeaders() error { return nil }

// CloseSend implements [connect.ClientStream].
func (c *grpcCall) CloseSend() error { return nil }

// Close implements [connect.ClientStream].
func (c *grpcCall) Close() error { return nil }

// Send implements [connect.ClientStream].
func (c *grpcCall) Send(msg any) error {
	c.request = msg
	return nil
}

// Receive implements [connect.ClientStream].
func (c *grpcCall) Receive(msg any) error {
	if c.done {
		return io.EOF
	}
	c.done = true
	info, _ := connect.CallInfoForClientContext(c.ctx)
	out := make(metadata.MD)
	for key, values := range info.RequestHeader().All() {
		out[strings.ToLower(key)] = values
	}
	var header, trailer metadata.MD
	err := c.conn.Invoke(metadata.NewOutgoingContext(c.ctx, out), c.procedure, c.request, msg, grpc.Header(&header), grpc.Trailer(&trailer))
	for key, values := range header {
		info.ResponseHeader().SetValues(key, values)
	}
	for key, values := range trailer {
		info.ResponseTrailer().SetValues(key, values)
	}
	if err == nil {
		return nil
	}
	said := status.Convert(err).Proto()
	e := connect.NewError(connect.Code(said.GetCode()), said.GetMessage()).WithRemote()
	for _, detail := range said.GetDetails() {
		packed, err := connectproto.NewErrorDetail(detail)
		if err != nil {
			return err
		}
		e = e.WithDetail(packed)
	}
	return e
}
