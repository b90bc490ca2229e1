package service_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// fastDoor opens the gRPC door of package grpcdoor onto server, and calls it with
// grpc-go's client; without TLS where the configurations are nil.
func fastDoor(t *testing.T, server *connect.Server, serverTLS, clientTLS *tls.Config) grpcClient {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	door := grpcdoor.New(server, grpcdoor.Options{Codec: service.BinaryCodec(), TLS: serverTLS})
	go func() { ended <- door.Serve(ctx, l) }()
	secure := insecure.NewCredentials()
	if clientTLS != nil {
		secure = credentials.NewTLS(clientTLS)
	}
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(secure))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return grpcClient{conn}
}

// grpcClient lets a connect client make unary calls with grpc-go.
type grpcClient struct{ conn *grpc.ClientConn }

func (c grpcClient) NewClientStream(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
	return &grpcCall{conn: c.conn, ctx: ctx, procedure: spec.Procedure}, nil
}

type grpcCall struct {
	conn      *grpc.ClientConn
	ctx       context.Context
	procedure string
	request   any
	done      bool
}

func (c *grpcCall) SendHeaders() error { return nil }
func (c *grpcCall) CloseSend() error   { return nil }
func (c *grpcCall) Close() error       { return nil }

func (c *grpcCall) Send(msg any) error {
	c.request = msg
	return nil
}

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

// TestReflectionNeedsItsPermission: a stream takes the road that a unary call
// takes.
func TestReflectionNeedsItsPermission(t *testing.T) {
	t.Parallel()
	methods := catalogtest.Gateway(t)
	log := new(records)
	server := open(t, methods, service.Options{
		Upstream: upstream.Unpaced(upstreamFunc(answerProject)), Reflection: true, Audit: log,
		Callers: newPolicy(t, methods, rootPolicy+accessPolicy[len("\ncallers:\n"):]),
	})
	client := reflectionv1.NewServerReflectionClient(fastDoor(t, server, nil, nil).conn)
	for name, want := range map[string]codes.Code{
		"root": codes.OK, "powerless": codes.OK, "elsewhere": codes.PermissionDenied, "forbidden": codes.PermissionDenied,
		"stranger": codes.Unauthenticated, "": codes.Unauthenticated,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		if name != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+tokenOf(name))
		}
		stream, err := client.ServerReflectionInfo(ctx)
		if err != nil {
			t.Fatal(err)
		}
		// Who is refused may be told so before this is sent.
		_ = stream.Send(&reflectionv1.ServerReflectionRequest{MessageRequest: &reflectionv1.ServerReflectionRequest_ListServices{}})
		answer, err := stream.Recv()
		if status.Code(err) != want {
			t.Errorf("%q got %v, want %s", name, err, want)
		}
		if services := answer.GetListServicesResponse().GetService(); want == codes.OK && len(services) < 30 {
			t.Errorf("%q was told of %d services", name, len(services))
		}
		_ = stream.CloseSend() // The refused have none.
		if _, err := stream.Recv(); want == codes.OK && !errors.Is(err, io.EOF) {
			t.Errorf("%q: the end: %v", name, err)
		}
	}
	if n := len(log.all()); n != 6 {
		t.Errorf("%d records of 6 calls", n)
	}
}
