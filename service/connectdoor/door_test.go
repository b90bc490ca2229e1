package connectdoor_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectgzip"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/connectdoor"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	mostBytes     = 4 << 10
	compressBytes = 1 << 10
	echo          = "/test.v1.Service/Echo"
)

// server echoes texts, with what it was told of the call in its headers, and fails as
// a text says.
func server(t *testing.T) *connect.Server {
	t.Helper()
	s := connect.NewServer()
	unary := func(name string, answer func(ctx context.Context, text string) (string, error)) {
		s.Register(connect.Method{Spec: connect.Spec{Procedure: "/test.v1.Service/" + name, IdempotencyLevel: connect.IdempotencyNoSideEffects}, Handler: func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
			info, _ := connect.CallInfoForServerContext(ctx)
			told := []string{spec.Procedure, info.Spec.Procedure, info.Protocol, info.Codec, info.RequestEncoding, info.ResponseEncoding, info.RequestHeader().Get("X-Mine"), info.RequestHeader().Get("Host")}
			info.ResponseHeader().SetValues("X-Told", told)
			info.ResponseHeader().Set("Content-Type", "text/html") // It is the protocol's.
			info.ResponseHeader().Set("Content-Length", "1")
			info.ResponseTrailer().Set("X-Last", "trailer")
			var request wrapperspb.StringValue
			if err := stream.Receive(&request); err != nil {
				return err
			}
			if err := stream.Receive(&request); !errors.Is(err, io.EOF) {
				t.Errorf("a second request: %v", err)
			}
			text, err := answer(ctx, request.GetValue())
			if err != nil {
				return err
			}
			return stream.Send(wrapperspb.String(text))
		}})
	}
	unary("Echo", func(_ context.Context, text string) (string, error) { return text, nil })
	unary("Deadline", func(ctx context.Context, _ string) (string, error) {
		<-ctx.Done()
		return "", ctx.Err()
	})
	unary("Detailed", func(context.Context, string) (string, error) {
		detail, err := connectproto.NewErrorDetail(durationpb.New(1))
		if err != nil {
			return "", err
		}
		return "", connect.NewError(connect.CodeNotFound, "not there").WithDetail(detail)
	})
	unary("Uncoded", func(context.Context, string) (string, error) { return "", errors.New("secret") })
	unary("Remote", func(context.Context, string) (string, error) {
		return "", connect.NewError(connect.CodeAborted, "secret").WithRemote()
	})
	s.Register(connect.Method{Spec: connect.Spec{Procedure: "/test.v1.Service/Empty"}, Handler: func(context.Context, connect.Spec, connect.ServerStream) error {
		return nil
	}})
	s.Register(connect.Method{Spec: connect.Spec{Procedure: "/test.v1.Service/Unsendable"}, Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
		return stream.Send(structpb.NewStringValue("\xff"))
	}})
	s.Register(connect.Method{Spec: connect.Spec{Procedure: "/test.v1.Service/Stream", StreamType: connect.StreamTypeServer}, Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
		return stream.Send(wrapperspb.String("streamed"))
	}})
	return s
}

// doors are the library alone, and this door in front of it, which says in a header
// that it took the request.
func doors(t *testing.T) (library, both *httptest.Server) {
	t.Helper()
	s, codecs := server(t), []connect.Codec{connectproto.NewBinaryCodec(), connectproto.NewJSONCodec()}
	mux := http.NewServeMux()
	connecthttp.Mount(mux, s, connecthttp.WithCodecs(codecs...), connecthttp.WithReadMaxBytes(mostBytes),
		connecthttp.WithCompressors(connectgzip.New()), connecthttp.WithCompressMinBytes(compressBytes))
	d := connectdoor.New(s, connectdoor.Options{
		Codecs: codecs, Compressor: connectgzip.New(), CompressMinBytes: compressBytes, MaxRequestBytes: mostBytes,
	})
	serve := func(take bool) *httptest.Server {
		opened := httptest.NewServer(httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
			w.Header()["X-Had"] = []string{"before"}
			if !take || !d.Serve(ctx, w, r) {
				w.Header().Set(byLibrary, "yes")
				mux.ServeHTTP(w, httpdoor.Request(ctx, r))
			}
		}))
		t.Cleanup(opened.Close)
		return opened
	}
	return serve(false), serve(true)
}

const byLibrary = "X-Library"

// asked is a request, by POST to Echo in JSON unless it says otherwise.
type asked struct {
	verb, path string
	header     http.Header
	body       []byte
}

func (a asked) of(t *testing.T, s *httptest.Server) *http.Response {
	t.Helper()
	verb, path := a.verb, a.path
	if verb == "" {
		verb = http.MethodPost
	}
	if path == "" {
		path = echo
	}
	request, err := http.NewRequestWithContext(t.Context(), verb, s.URL+path, bytes.NewReader(a.body))
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "gateway"
	request.Header = http.Header{"Content-Type": {"application/json"}, "X-Mine": {"header"}, "Accept-Encoding": {"identity"}}
	for name, values := range a.header {
		request.Header[name] = values
	}
	response, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// got is what a client sees of an answer.
type got struct {
	Status int
	Header http.Header
	Body   string
	length int64
	served bool // by the door
}

func (a asked) do(t *testing.T, s *httptest.Server) got {
	t.Helper()
	response := a.of(t, s)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	g := got{Status: response.StatusCode, Header: response.Header, Body: string(body), length: response.ContentLength}
	g.served = g.Header.Get(byLibrary) == ""
	for _, name := range []string{byLibrary, "Date", "Content-Length"} {
		g.Header.Del(name)
	}
	var failed struct{ Code, Message string }
	if g.Status != http.StatusOK && json.Unmarshal(body, &failed) == nil {
		// protobuf's texts have a space that is another one in each process.
		g.Body = strings.ReplaceAll(g.Body, "\u00a0", " ")
	}
	return g
}

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.Bytes()
}

// TestAnswersAsTheLibrary: whoever serves a request, its client sees the same. The door
// serves those that are of the usual form, and no others.
func TestAnswersAsTheLibrary(t *testing.T) {
	t.Parallel()
	large, beyond := strings.Repeat("x", compressBytes), strings.Repeat("x", mostBytes)
	header := func(pairs ...string) http.Header {
		h := make(http.Header)
		for i := 0; i < len(pairs); i += 2 {
			h[pairs[i]] = append(h[pairs[i]], pairs[i+1])
		}
		return h
	}
	library, both := doors(t)
	for name, c := range map[string]struct {
		asked
		served bool
	}{
		"JSON":                     {asked{body: []byte(`"a"`)}, true},
		"protobuf":                 {asked{header: header("Content-Type", "application/proto"), body: []byte("\x0a\x01a")}, true},
		"an empty message":         {asked{header: header("Content-Type", "application/proto")}, true},
		"no JSON":                  {asked{body: []byte(`{`)}, true},
		"nothing in JSON":          {asked{}, true},
		"no protobuf":              {asked{header: header("Content-Type", "application/proto"), body: []byte("\x0a\x09a")}, true},
		"a large answer":           {asked{body: []byte(`"` + large + large + large + `"`)}, true},
		"a compressed answer":      {asked{header: header("Accept-Encoding", "br, gzip"), body: []byte(`"` + large + `"`)}, true},
		"a small answer":           {asked{header: header("Accept-Encoding", "gzip"), body: []byte(`"a"`)}, true},
		"another compression":      {asked{header: header("Accept-Encoding", "br"), body: []byte(`"` + large + `"`)}, true},
		"a request too large":      {asked{body: []byte(`"` + beyond + `"`)}, true},
		"a version":                {asked{header: header("Connect-Protocol-Version", "1"), body: []byte(`"a"`)}, true},
		"a timeout":                {asked{header: header("Connect-Timeout-Ms", "9999999999"), body: []byte(`"a"`)}, true},
		"a timeout that is over":   {asked{path: "/test.v1.Service/Deadline", header: header("Connect-Timeout-Ms", "1"), body: []byte(`"a"`)}, true},
		"no time":                  {asked{path: "/test.v1.Service/Deadline", header: header("Connect-Timeout-Ms", "0"), body: []byte(`"a"`)}, true},
		"an error with details":    {asked{path: "/test.v1.Service/Detailed", body: []byte(`"a"`)}, true},
		"an error of protobuf":     {asked{path: "/test.v1.Service/Detailed", header: header("Content-Type", "application/proto")}, true},
		"an error without a code":  {asked{path: "/test.v1.Service/Uncoded", body: []byte(`"a"`)}, true},
		"an error of another":      {asked{path: "/test.v1.Service/Remote", body: []byte(`"a"`)}, true},
		"no answer":                {asked{path: "/test.v1.Service/Empty", body: []byte(`"a"`)}, true},
		"an answer that is none":   {asked{path: "/test.v1.Service/Unsendable", body: []byte(`"a"`)}, true},
		"a query":                  {asked{path: echo + "?encoding=proto", body: []byte(`"a"`)}, true},
		"GET":                      {asked{verb: http.MethodGet, path: echo + "?encoding=json&message=%22a%22"}, false},
		"PUT":                      {asked{verb: http.MethodPut, body: []byte(`"a"`)}, false},
		"a charset":                {asked{header: header("Content-Type", "application/json; charset=utf-8"), body: []byte(`"a"`)}, false},
		"another type":             {asked{header: header("Content-Type", "text/plain"), body: []byte(`"a"`)}, false},
		"two types":                {asked{header: header("Content-Type", "application/json", "Content-Type", "text/plain"), body: []byte(`"a"`)}, false},
		"gRPC-Web":                 {asked{header: header("Content-Type", "application/grpc-web+proto"), body: []byte("\x00\x00\x00\x00\x00")}, false},
		"a compressed request":     {asked{header: header("Content-Encoding", "gzip"), body: zipped(`"a"`)}, false},
		"an unknown compression":   {asked{header: header("Content-Encoding", "br"), body: []byte(`"a"`)}, false},
		"another version":          {asked{header: header("Connect-Protocol-Version", "2"), body: []byte(`"a"`)}, false},
		"no timeout":               {asked{header: header("Connect-Timeout-Ms", "soon"), body: []byte(`"a"`)}, false},
		"a timeout below zero":     {asked{header: header("Connect-Timeout-Ms", "-1"), body: []byte(`"a"`)}, false},
		"a timeout of many digits": {asked{header: header("Connect-Timeout-Ms", "00000000001"), body: []byte(`"a"`)}, false},
		"a stream":                 {asked{path: "/test.v1.Service/Stream", header: header("Content-Type", "application/connect+json"), body: []byte("\x00\x00\x00\x00\x03\"a\"")}, false},
		"a stream that is unary":   {asked{path: "/test.v1.Service/Stream", body: []byte(`"a"`)}, false},
		"an escaped path":          {asked{path: "/test.v1.Service/%45cho", body: []byte(`"a"`)}, false},
		"a method that is unknown": {asked{path: "/test.v1.Service/Other", body: []byte(`"a"`)}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want, answer := c.do(t, library), c.do(t, both)
			if answer.served != c.served {
				t.Errorf("served by the door: %t", answer.served)
			}
			if diff := cmp.Diff(want, answer, cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".length" || p.Last().String() == ".served" }, cmp.Ignore())); diff != "" {
				t.Errorf("the library (-), the door (+):\n%s", diff)
			}
			if answer.served && answer.length < 0 {
				t.Error("an answer of unknown length")
			}
		})
	}
}

// TestARequestThatBreaksOff: what has come of it is a message, and not taken for one.
func TestARequestThatBreaksOff(t *testing.T) {
	t.Parallel()
	received := make(chan error, 1)
	s := connect.NewServer()
	s.Register(connect.Method{Spec: connect.Spec{Procedure: echo}, Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
		err := stream.Receive(new(wrapperspb.StringValue))
		received <- err
		return err
	}})
	d := connectdoor.New(s, connectdoor.Options{
		Codecs: []connect.Codec{connectproto.NewBinaryCodec()}, Compressor: connectgzip.New(), CompressMinBytes: compressBytes, MaxRequestBytes: mostBytes,
	})
	opened := httptest.NewServer(httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		if !d.Serve(ctx, w, r) {
			t.Error("not served")
		}
	}))
	defer opened.Close()
	client := conntest.Dial(t, opened.Listener.Addr().String(), 30*time.Second)
	if _, err := io.WriteString(client, "POST "+echo+" HTTP/1.1\r\nHost: h\r\nContent-Type: application/proto\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n\x0a\x01a\r\n"); err != nil {
		t.Fatal(err)
	}
	_ = client.Close()
	if err := <-received; err == nil {
		t.Error("received a request that broke off")
	}
}
