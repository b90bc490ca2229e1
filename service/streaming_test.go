package service_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/doortest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

const (
	echo  = "/test.v1.Service/Echo"
	count = "/test.v1.Service/Count"
)

// streamingURL serves streams through all that a call of the one-port door comes
// through: Echo answers every message before it reads the next, and Count sends a
// second message once the first was seen.
func streamingURL(t *testing.T, seen <-chan struct{}) string {
	t.Helper()
	server := connect.NewServer(doortest.Interceptors(slog.New(slog.DiscardHandler), service.DefaultLongestCall)...)
	server.Register(connect.Method{
		Spec: connect.Spec{Procedure: echo, StreamType: connect.StreamTypeBidi},
		Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			for {
				var message wrapperspb.StringValue
				if err := stream.Receive(&message); errors.Is(err, io.EOF) {
					return nil
				} else if err != nil {
					return err
				}
				if err := stream.Send(&message); err != nil {
					return err
				}
			}
		},
	}, connect.Method{
		Spec: connect.Spec{Procedure: count, StreamType: connect.StreamTypeServer},
		Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(new(wrapperspb.StringValue)); err != nil {
				return err
			}
			if err := stream.Send(wrapperspb.String("first")); err != nil {
				return err
			}
			select {
			case <-seen:
			case <-ctx.Done():
				return ctx.Err()
			}
			return stream.Send(wrapperspb.String("second"))
		},
	})
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	port := httpdoor.New(service.NewHTTPHandler(server, catalogtest.Gateway(t)), httpdoor.Options{DrainTimeout: time.Second})
	go func() { ended <- port.Serve(ctx, l) }()
	t.Cleanup(func() {
		stop()
		<-ended //nolint:errcheck // It ends because it is stopped.
	})
	return "http://" + l.Addr().String()
}

// transportOf speaks one version of HTTP.
func transportOf(t *testing.T, version int) *http.Client {
	t.Helper()
	protocols := new(http.Protocols)
	protocols.SetHTTP1(version == 1)
	protocols.SetUnencryptedHTTP2(version == 2)
	transport := &http.Transport{Protocols: protocols}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// TestStreamsInBothDirections: nothing on the way keeps a message back until there
// are more, or reads to the end before it writes.
func TestStreamsInBothDirections(t *testing.T) {
	t.Parallel()
	url := streamingURL(t, nil)
	for name, options := range map[string][]connecthttp.Option{"Connect": nil, "gRPC": {connecthttp.WithGRPC()}, "gRPC-Web": {connecthttp.WithGRPCWeb()}} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		client := connect.NewClient(connecthttp.NewTransport(transportOf(t, 2), url, options...))
		stream, err := client.CallClientStream(ctx, connect.Spec{Procedure: echo, StreamType: connect.StreamTypeBidi})
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"one", "two", "three"} {
			if err := stream.Send(wrapperspb.String(text)); err != nil {
				t.Fatalf("%s: send %s: %v", name, text, err)
			}
			var back wrapperspb.StringValue
			if err := stream.Receive(&back); err != nil || back.GetValue() != text {
				t.Fatalf("%s: sent %s, got %q, %v", name, text, back.GetValue(), err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := stream.Receive(new(wrapperspb.StringValue)); !errors.Is(err, io.EOF) {
			t.Errorf("%s: after the end: %v", name, err)
		}
		if err := stream.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestStreamsArriveAsTheyAreSent, over every version of HTTP.
func TestStreamsArriveAsTheyAreSent(t *testing.T) {
	t.Parallel()
	for _, version := range []int{1, 2} {
		for name, options := range map[string][]connecthttp.Option{"Connect": nil, "gRPC-Web": {connecthttp.WithGRPCWeb()}} {
			seen := make(chan struct{})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			client := connect.NewClient(connecthttp.NewTransport(transportOf(t, version), streamingURL(t, seen), options...))
			stream, err := client.CallServerStream(ctx, connect.Spec{Procedure: count, StreamType: connect.StreamTypeServer}, new(wrapperspb.StringValue))
			if err != nil {
				t.Fatal(err)
			}
			var message wrapperspb.StringValue
			if err := stream.Receive(&message); err != nil || message.GetValue() != "first" {
				t.Fatalf("%s over HTTP/%d: %q, %v", name, version, message.GetValue(), err)
			}
			close(seen)
			if err := stream.Receive(&message); err != nil || message.GetValue() != "second" {
				t.Errorf("%s over HTTP/%d: %q, %v", name, version, message.GetValue(), err)
			}
			if err := stream.Close(); err != nil {
				t.Errorf("%s over HTTP/%d: %v", name, version, err)
			}
		}
	}
}
