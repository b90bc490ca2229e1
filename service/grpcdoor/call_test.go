package grpcdoor_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectproto"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// failures are errors of a handler, by name.
func failures(t *testing.T) map[string]error {
	t.Helper()
	detailed := connect.NewError(connect.CodeResourceExhausted, "wait – 100 % of it is used")
	for _, m := range []proto.Message{
		&errdetails.ErrorInfo{Reason: "CALLER_LIMIT", Domain: "admin-gateway", Metadata: map[string]string{"key": "value"}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(time.Second)},
	} {
		detail, err := connectproto.NewErrorDetail(m)
		if err != nil {
			t.Fatal(err)
		}
		detailed = detailed.WithDetail(detail)
	}
	all := map[string]error{
		"details":          detailed.WithCause(errors.New("secret")),
		"wrapped":          fmt.Errorf("secret: %w", detailed),
		"no message":       connect.NewError(connect.CodeNotFound, ""),
		"another server's": connect.NewError(connect.CodeNotFound, "secret").WithRemote(),
		"plain":            errors.New("secret"),
		"canceled":         fmt.Errorf("secret: %w", context.Canceled),
		"too late":         fmt.Errorf("secret: %w", context.DeadlineExceeded),
		"long":             connect.NewError(connect.CodeInternal, strings.Repeat("long ", 500)),
	}
	for code := connect.CodeCanceled; code <= connect.CodeUnauthenticated; code++ {
		all["code "+code.String()] = connect.NewError(code, "a message")
	}
	return all
}

// TestErrorsAreThoseOfTheOnePortDoor: the same client gets the same status,
// headers and trailers through both doors, byte for byte.
func TestErrorsAreThoseOfTheOnePortDoor(t *testing.T) {
	t.Parallel()
	all := failures(t)
	server := serving(func(ctx context.Context, name string) (string, error) {
		info, _ := connect.CallInfoForServerContext(ctx)
		info.ResponseHeader().Set("X-Request-Id", "req_1")
		info.ResponseTrailer().Set("X-Audit", "kept")
		return "", all[name]
	})
	fast, slow := dial(t, serve(t, server, grpcdoor.Options{}).address), dial(t, onePort(t, server))
	for name := range all {
		var fastHeader, fastTrailer, slowHeader, slowTrailer metadata.MD
		_, got := invoke(t, fast, name, grpc.Header(&fastHeader), grpc.Trailer(&fastTrailer))
		_, want := invoke(t, slow, name, grpc.Header(&slowHeader), grpc.Trailer(&slowTrailer))
		if got == nil || strings.Contains(got.Error(), "secret") {
			t.Errorf("%s: a client reads %v", name, got)
		}
		if d := cmp.Diff(status.Convert(want).Proto(), status.Convert(got).Proto(), protocmp.Transform()); d != "" {
			t.Errorf("%s: status (-one port +this door):\n%s", name, d)
		}
		if g, w := fastTrailer["grpc-status-details-bin"], slowTrailer["grpc-status-details-bin"]; !slices.Equal(g, w) {
			t.Errorf("%s: details %q, want %q", name, g, w)
		}
		for _, md := range []metadata.MD{fastHeader, fastTrailer, slowHeader, slowTrailer} {
			forget(md)
		}
		if d := cmp.Diff(slowHeader, fastHeader); d != "" {
			t.Errorf("%s: headers (-one port +this door):\n%s", name, d)
		}
		if d := cmp.Diff(slowTrailer, fastTrailer); d != "" {
			t.Errorf("%s: trailers (-one port +this door):\n%s", name, d)
		}
	}
}

// forget drops what belongs to the protocol.
func forget(md metadata.MD) {
	maps.DeleteFunc(md, func(key string, _ []string) bool {
		return key == "date" || key == "content-type" || key == "trailer" || strings.HasPrefix(key, "grpc-")
	})
}

// TestMessagesThatAreNotUTF8 keep their details.
func TestMessagesThatAreNotUTF8(t *testing.T) {
	t.Parallel()
	detail, err := connectproto.NewErrorDetail(&errdetails.ErrorInfo{Reason: "R"})
	if err != nil {
		t.Fatal(err)
	}
	server := serving(func(context.Context, string) (string, error) {
		return "", connect.NewError(connect.CodeNotFound, "no \xff").WithDetail(detail)
	})
	_, got := invoke(t, dial(t, serve(t, server, grpcdoor.Options{}).address), "")
	if s := status.Convert(got); s.Code() != codes.NotFound || s.Message() != "no \ufffd" || len(s.Details()) != 1 {
		t.Errorf("%v with %v", got, s.Details())
	}
}

// TestMetadataBothWays: what a client sends arrives under canonical names, and
// what a handler sets arrives at the client, as through the one-port door.
func TestMetadataBothWays(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var arrived map[string][]string
	server := serving(func(ctx context.Context, _ string) (string, error) {
		info, _ := connect.CallInfoForServerContext(ctx)
		mu.Lock()
		defer mu.Unlock()
		arrived = make(map[string][]string)
		for key, values := range info.RequestHeader().All() {
			arrived[key] = values
		}
		for _, header := range []*connect.Header{info.ResponseHeader(), info.ResponseTrailer()} {
			header.Add("X-Many", "one")
			header.Add("X-Many", "two")
			header.Set("X-Raw-Bin", connect.EncodeBinaryHeader([]byte{0, 1, 255}))
			header.Set("Content-Length", "7")
			header.Set("Grpc-Status", "5")
			header.Set("Grpc-Status-Details-Bin", "AAAA")
			header.Set("X-Broken", "a\nb")
		}
		return "", nil
	})
	addresses := map[string]string{"fast": serve(t, server, grpcdoor.Options{}).address, "one port": onePort(t, server)}
	for name, address := range addresses {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer x", "x-many", "one", "x-many", "two",
			"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "x-raw-bin", "\x00\x01\xff", "x-raw-bin", "second")
		var header, trailer metadata.MD
		if _, err := invokeWith(ctx, dial(t, address), "", grpc.Header(&header), grpc.Trailer(&trailer)); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		for key, want := range map[string][]string{
			"Authorization": {"Bearer x"}, "X-Many": {"one", "two"}, "X-Raw-Bin": {"AAH/", "c2Vjb25k"}, "Host": {address},
			"Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}, "Content-Type": {"application/grpc"},
		} {
			if !slices.Equal(arrived[key], want) {
				t.Errorf("%s: %s arrived as %q, want %q", name, key, arrived[key], want)
			}
		}
		if agent := arrived["User-Agent"]; len(agent) != 1 || !strings.Contains(agent[0], "grpc-go") {
			t.Errorf("%s: user agent %q", name, agent)
		}
		mu.Unlock()
		for what, md := range map[string]metadata.MD{"header": header, "trailer": trailer} {
			if !slices.Equal(md["x-many"], []string{"one", "two"}) || !slices.Equal(md["x-raw-bin"], []string{"\x00\x01\xff"}) {
				t.Errorf("%s: %s %q", name, what, md)
			}
			if len(md["content-length"]) > 0 || name == "fast" && len(md["x-broken"]) > 0 {
				t.Errorf("%s: %s %q", name, what, md)
			}
		}
	}
}

// TestMetadataIsBounded: the limit is announced to clients and enforced.
func TestMetadataIsBounded(t *testing.T) {
	t.Parallel()
	conn := dial(t, serve(t, serving(echo), grpcdoor.Options{}).address)
	for size, want := range map[int]codes.Code{32 << 10: codes.OK, 65 << 10: codes.Internal} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		ctx = metadata.AppendToOutgoingContext(ctx, "x-large", strings.Repeat("x", size))
		if _, err := invokeWith(ctx, conn, ""); status.Code(err) != want {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

func TestWhatTheRoadLearns(t *testing.T) {
	t.Parallel()
	infos := make(chan *connect.CallInfo, 1)
	server := serving(func(ctx context.Context, text string) (string, error) {
		info, _ := connect.CallInfoForServerContext(ctx)
		infos <- info
		return text, nil
	})
	if _, err := invoke(t, dial(t, serve(t, server, grpcdoor.Options{}).address), "four"); err != nil {
		t.Fatal(err)
	}
	info := <-infos
	if info.Spec.Procedure != say || info.Protocol != connect.ProtocolNameGRPC || info.Codec != connect.CodecNameProto ||
		info.RequestEncoding != connect.CompressionNameIdentity || info.ReceiveStats.Size != 6 || !strings.HasPrefix(info.PeerAddr, "127.0.0.1:") {
		t.Errorf("%+v", info)
	}
	if server, ok := info.TransportInfo.(*grpcdoor.ServerInfo); !ok || server.TLS() != nil {
		t.Errorf("transport %+v", info.TransportInfo)
	}
	if (*grpcdoor.ServerInfo)(nil).TLS() != nil {
		t.Error("no connection has TLS")
	}
}

// TestDeadlines reach the handler, and end it.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	deadlines := make(chan time.Time, 2)
	server := serving(func(ctx context.Context, text string) (string, error) {
		deadline, _ := ctx.Deadline()
		deadlines <- deadline
		if text == "wait" {
			<-ctx.Done()
			ended <- ctx.Err()
			return "", ctx.Err()
		}
		return text, nil
	})
	o := serve(t, server, grpcdoor.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if _, err := invokeWith(ctx, dial(t, o.address), ""); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(<-deadlines); left > time.Hour || left < 50*time.Minute {
		t.Errorf("of an hour %s were left", left)
	}
	// A client that leaves the end of its call to the door: others reset it, and
	// which is first is a matter of luck.
	c := newClient(t, o.address)
	if err := c.call(1, [2]string{"grpc-timeout", "100m"}); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteData(1, true, envelope(false, []byte("\x0a\x04wait"))); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the handler got %v", err)
	}
}

// TestCancellation of a client ends its handler, and nothing else.
func TestCancellation(t *testing.T) {
	t.Parallel()
	started, ended := make(chan struct{}, 1), make(chan error, 1)
	server := serving(func(ctx context.Context, text string) (string, error) {
		if text != "wait" {
			return text, nil
		}
		started <- struct{}{}
		<-ctx.Done()
		ended <- ctx.Err()
		return "", ctx.Err()
	})
	conn := dial(t, serve(t, server, grpcdoor.Options{}).address)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := invokeWith(ctx, conn, "wait")
		done <- err
	}()
	wait(t, "the call", started)
	cancel()
	if err := <-done; status.Code(err) != codes.Canceled {
		t.Errorf("the client got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("the handler got %v", err)
	}
	if _, err := invoke(t, conn, "again"); err != nil {
		t.Errorf("the next call: %v", err)
	}
}

// TestAWaitForARequestEnds with the client, also where nobody else looks after it; and
// with an interruption, as what the handler says.
func TestAWaitForARequestEnds(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		interrupt bool
		want      codes.Code
	}{
		"with its client":       {want: codes.Canceled},
		"with its interruption": {interrupt: true, want: codes.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			waiting, received, connections := make(chan struct{}, 1), make(chan error, 1), make(chan door.Connection, 1)
			server := connect.NewServer()
			server.Register(connect.Method{
				Spec: connect.Spec{Procedure: say, StreamType: connect.StreamTypeUnary},
				Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
					connection, _ := door.ConnectionOf(ctx)
					if test.interrupt && connection.Waits() {
						time.AfterFunc(10*time.Millisecond, connection.Interrupt)
					}
					connections <- connection
					waiting <- struct{}{}
					err := stream.Receive(new(wrapperspb.StringValue))
					received <- err
					return connect.NewError(connect.CodePermissionDenied, "it was taken away").WithCause(err)
				},
			})
			conn := dial(t, serve(t, server, grpcdoor.Options{}).address)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, say)
			if err != nil {
				t.Fatal(err)
			}
			wait(t, "the call", waiting)
			if !test.interrupt {
				cancel()
			}
			select {
			case err := <-received:
				if connect.CodeOf(err) != connect.CodeCanceled {
					t.Errorf("the handler got %v", err)
				}
			case <-time.After(patience):
				t.Error("the handler still waits for the request")
				(<-connections).Interrupt() // So that the door can end.
			}
			if err := stream.RecvMsg(new(wrapperspb.StringValue)); status.Code(err) != test.want {
				t.Errorf("the client got %v", err)
			}
		})
	}
}

// TestPanicIsOneFailedCall even where no interceptor recovers.
func TestPanicIsOneFailedCall(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	server := serving(func(_ context.Context, text string) (string, error) {
		if text == "panic" {
			panic("secret")
		}
		return text, nil
	})
	o := serve(t, server, grpcdoor.Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	conn := dial(t, o.address)
	if _, err := invoke(t, conn, "panic"); status.Code(err) != codes.Internal || strings.Contains(err.Error(), "secret") {
		t.Errorf("the client got %v", err)
	}
	if _, err := invoke(t, conn, "again"); err != nil {
		t.Errorf("the next call: %v", err)
	}
	o.stop()
	<-o.ended
	if text := log.String(); !strings.Contains(text, say) || !strings.Contains(text, "call_test.go") || strings.Contains(text, "secret") {
		t.Errorf("logged %s", text)
	}
}

// TestUnknownMethods are the server's to refuse.
func TestUnknownMethods(t *testing.T) {
	t.Parallel()
	server := serving(echo)
	seen := make(chan string, 1)
	server.SetUnknownHandler(func(_ context.Context, spec connect.Spec, _ connect.ServerStream) error {
		seen <- spec.Procedure
		return connect.NewError(connect.CodeUnimplemented, "ours")
	})
	conn := dial(t, serve(t, server, grpcdoor.Options{}).address)
	for _, procedure := range []string{"/test.v1.Service/Nope", "/nope/nope", "/a/b/c", "//"} {
		err := conn.Invoke(t.Context(), procedure, &emptypb.Empty{}, &emptypb.Empty{})
		if s := status.Convert(err); s.Code() != codes.Unimplemented || s.Message() != "ours" {
			t.Errorf("%s: %v", procedure, err)
		}
		if got := <-seen; got != procedure {
			t.Errorf("%s was handled as %s", procedure, got)
		}
	}
}
