package grpcdoor_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	_ "google.golang.org/grpc/encoding/gzip" // For the client.
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// sizes watches how answers come.
type sizes struct{ compressed, plain atomic.Int64 }

func (*sizes) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*sizes) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (*sizes) HandleConn(context.Context, stats.ConnStats)                       {}
func (s *sizes) HandleRPC(_ context.Context, event stats.RPCStats) {
	if in, ok := event.(*stats.InPayload); ok {
		s.compressed.Store(int64(in.CompressedLength))
		s.plain.Store(int64(in.Length))
	}
}

// TestCompression: who sends compressed is answered compressed, where it is worth
// the while, and nobody else is.
func TestCompression(t *testing.T) {
	t.Parallel()
	var came, went atomic.Value
	server := serving(func(ctx context.Context, text string) (string, error) {
		info, _ := connect.CallInfoForServerContext(ctx)
		came.Store(info.RequestEncoding)
		went.Store(info.ReceiveStats)
		return text, nil
	})
	seen := new(sizes)
	conn := dial(t, serve(t, server, grpcdoor.Options{}).address, grpc.WithStatsHandler(seen))
	large, small := strings.Repeat("compressible ", 10_000), strings.Repeat("x", 100)
	for _, test := range []struct {
		name, text string
		options    []grpc.CallOption
		smaller    bool
		encoding   string
	}{
		{"large and compressed", large, []grpc.CallOption{grpc.UseCompressor("gzip")}, true, "gzip"},
		{"small and compressed", small, []grpc.CallOption{grpc.UseCompressor("gzip")}, false, "gzip"},
		{"empty and compressed", "", []grpc.CallOption{grpc.UseCompressor("gzip")}, false, "identity"},
		{"large", large, nil, false, "identity"},
		{"small", small, nil, false, "identity"},
	} {
		got, err := invoke(t, conn, test.text, test.options...)
		if err != nil || got != test.text {
			t.Fatalf("%s: %d bytes, %v", test.name, len(got), err)
		}
		if smaller := seen.compressed.Load() < seen.plain.Load(); smaller != test.smaller {
			t.Errorf("%s: the answer of %d bytes came in %d", test.name, seen.plain.Load(), seen.compressed.Load())
		}
		counted, _ := went.Load().(connect.MessageStats)
		if came.Load() != test.encoding || counted.Size != proto.Size(wrapperspb.String(test.text)) || (counted.CompressedSize > 0) != (test.encoding == "gzip") {
			t.Errorf("%s: the pipeline sees %v, %+v", test.name, came.Load(), counted)
		}
	}
}

// raw is a call that no client library would make.
type raw struct {
	contentType string // application/grpc where it is empty
	encoding    string
	body        []byte
}

// envelope frames a message as gRPC does.
func envelope(compressed bool, message []byte) []byte {
	frame := make([]byte, 5, 5+len(message))
	if compressed {
		frame[0] = 1
	}
	binary.BigEndian.PutUint32(frame[1:], uint32(len(message)))
	return append(frame, message...)
}

// post sends the call to the unary method, and gives its status.
func (r raw) post(t *testing.T, address string) (code, message string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+say, bytes.NewReader(r.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Te", "trailers")
	request.Header.Set("Content-Type", "application/grpc")
	if r.contentType != "" {
		request.Header.Set("Content-Type", r.contentType)
	}
	if r.encoding != "" {
		request.Header.Set("Grpc-Encoding", r.encoding)
	}
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	reply, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if _, err := io.Copy(io.Discard, reply.Body); err != nil {
		t.Fatal(err)
	}
	if code = reply.Trailer.Get("Grpc-Status"); code != "" {
		return code, reply.Trailer.Get("Grpc-Message")
	}
	return reply.Header.Get("Grpc-Status"), reply.Header.Get("Grpc-Message")
}

func zipped(t *testing.T, r io.Reader) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.Copy(w, r); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestRequestsThatAreNone are refused with the codes of the one-port door, and
// those that reached the pipeline with its messages.
func TestRequestsThatAreNone(t *testing.T) {
	t.Parallel()
	server := connect.NewServer(func(next connect.ServerFunc) connect.ServerFunc {
		return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			err := next(ctx, spec, stream)
			if err == nil {
				return nil
			}
			return connect.NewError(connect.CodeOf(err), "ours")
		}
	})
	for spec := range serving(echo).Specs() {
		server.Register(connect.Method{Spec: spec, Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			var in wrapperspb.StringValue
			if err := stream.Receive(&in); err != nil {
				return err
			}
			return stream.Send(&in)
		}})
	}
	o, other := serve(t, server, grpcdoor.Options{}), onePort(t, server)
	message, err := proto.Marshal(wrapperspb.String("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		raw
		want codes.Code
		// theirs are refused by grpc-go, before the pipeline.
		theirs bool
		// alone are refused by this door only.
		alone bool
	}{
		"a message":                      {raw: raw{body: envelope(false, message)}},
		"an empty message":               {raw: raw{body: envelope(false, nil)}},
		"a compressed message":           {raw: raw{encoding: "gzip", body: envelope(true, zipped(t, bytes.NewReader(message)))}},
		"an empty compressed message":    {raw: raw{encoding: "gzip", body: envelope(true, nil)}},
		"a message with parameters":      {raw: raw{contentType: "application/grpc+proto", body: envelope(false, message)}},
		"no message":                     {raw: raw{}, want: codes.Unimplemented},
		"two messages":                   {raw: raw{body: append(envelope(false, message), envelope(false, message)...)}, want: codes.Unimplemented},
		"no protobuf":                    {raw: raw{body: envelope(false, []byte("\x0a\x7fx"))}, want: codes.InvalidArgument},
		"protobuf that is not UTF-8":     {raw: raw{body: envelope(false, []byte("\x0a\x02\xff\xfe"))}, want: codes.InvalidArgument},
		"field 0":                        {raw: raw{body: envelope(false, []byte("\x07\x00"))}, want: codes.InvalidArgument},
		"what is not compressed":         {raw: raw{encoding: "gzip", body: envelope(true, message)}, want: codes.InvalidArgument},
		"half of what was compressed":    {raw: raw{encoding: "gzip", body: envelope(true, zipped(t, bytes.NewReader(message))[:20])}, want: codes.InvalidArgument},
		"too large":                      {raw: raw{body: envelope(false, make([]byte, 1<<20+1))}, want: codes.ResourceExhausted},
		"much too large":                 {raw: raw{body: envelope(false, make([]byte, 3<<20))}, want: codes.ResourceExhausted},
		"too large once decompressed":    {raw: raw{encoding: "gzip", body: envelope(true, zipped(t, io.LimitReader(zeros{}, 1<<20+1)))}, want: codes.ResourceExhausted},
		"much too large, once it is":     {raw: raw{encoding: "gzip", body: envelope(true, zipped(t, io.LimitReader(zeros{}, 16<<20)))}, want: codes.ResourceExhausted},
		"a compression that is not here": {raw: raw{encoding: "br", body: envelope(true, message)}, want: codes.Unimplemented, theirs: true},
		"half a message":                 {raw: raw{body: envelope(false, message)[:8]}, want: codes.Internal},
		"half a prefix":                  {raw: raw{body: envelope(false, message)[:3]}, want: codes.Internal},
		"flags that do not exist":        {raw: raw{body: append([]byte{2}, envelope(false, message)[1:]...)}, want: codes.Internal},
		"compressed, and does not say":   {raw: raw{body: envelope(true, zipped(t, bytes.NewReader(message)))}, want: codes.Internal},
		"JSON":                           {raw: raw{contentType: "application/grpc+json", body: envelope(false, []byte(`"hello"`))}, want: codes.Unimplemented, alone: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := strconv.Itoa(int(test.want))
			code, message := test.post(t, o.address)
			if code != want || test.want != codes.OK && !test.theirs && message != "ours" {
				t.Errorf("status %s %q, want %s", code, message, want)
			}
			if test.alone {
				return
			}
			if code, _ := test.post(t, other); code != want {
				t.Errorf("the one-port door says %s", code)
			}
		})
	}
}

// TestStreamsOfOneMessage: what is to be one message and is not.
func TestUnaryMethodsTakeOneMessage(t *testing.T) {
	t.Parallel()
	conn := dial(t, serve(t, serving(echo), grpcdoor.Options{}).address)
	for n, want := range map[int]codes.Code{0: codes.Unimplemented, 1: codes.OK, 2: codes.Unimplemented} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, say)
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			if err := stream.SendMsg(wrapperspb.String("x")); err != nil {
				t.Fatal(err)
			}
		}
		if err := stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		if err := stream.RecvMsg(new(wrapperspb.StringValue)); status.Code(err) != want {
			t.Errorf("%d messages: %v, want %s", n, err, want)
		}
	}
}
