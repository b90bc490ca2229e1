package httpdoor_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// TestSecureRequests: a handler gets the state of TLS on both versions of HTTP, also
// where a client says that its scheme is another.
func TestSecureRequests(t *testing.T) {
	t.Parallel()
	o := serve(t, httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		c, _ := door.ConnectionOf(ctx)
		if state := c.TLS(); state == nil || state != r.TLS || !state.HandshakeComplete || state.ServerName != "h" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		hello(w, r)
	}).ServeHTTP, httpdoor.Options{TLS: wires(t)["TLS"]})
	secure := func(protocol string) *tls.Conn {
		return tls.Client(dial(t, o.address), &tls.Config{ServerName: "h", InsecureSkipVerify: true, NextProtos: []string{protocol}})
	}
	first := lineOn(secure("http/1.1"))
	for range 2 {
		first.write(t, ask)
		first.isAnswered(t, "HTTP/1.1")
	}
	conn := secure("h2")
	frames := conntest.Begin(t, conn)
	frames.ReadMetaHeaders = hpack.NewDecoder(4<<10, nil)
	for i, scheme := range []string{"https", "http"} {
		if got := status(t, frames, uint32(2*i+1), scheme); got != "200" {
			t.Errorf("HTTP/2 with the scheme %s: %s", scheme, got)
		}
	}
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		t.Errorf("%q was negotiated", got)
	}
}

// TestPlainTextIsTold: a client that speaks no TLS learns why it gets nothing.
func TestPlainTextIsTold(t *testing.T) {
	t.Parallel()
	o := serve(t, hello, httpdoor.Options{TLS: wires(t)["TLS"]})
	plain := dial(t, o.address)
	plain.write(t, ask)
	answer, err := io.ReadAll(plain)
	if !strings.HasPrefix(string(answer), "HTTP/1.0 400 ") || !strings.Contains(string(answer), "HTTPS") {
		t.Errorf("%q, %v", answer, err)
	}
}

// status makes a request on HTTP/2, and returns how it was answered.
func status(t *testing.T, frames *http2.Framer, id uint32, scheme string) string {
	t.Helper()
	fields := block()
	if scheme == "http" {
		fields = bytes.Replace(fields, []byte{0x87}, []byte{0x86}, 1) // RFC 7541, appendix A.
	}
	if err := frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: fields, EndHeaders: true, EndStream: true}); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := frames.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if answer, ok := f.(*http2.MetaHeadersFrame); ok {
			return answer.PseudoValue("status")
		}
	}
}
