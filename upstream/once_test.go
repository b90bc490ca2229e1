package upstream_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// TestWritesArriveOnce cuts reused connections after the request arrived, which
// is when net/http likes to send it again.
func TestWritesArriveOnce(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]call{"post": createProject(t), "post without a body": archiveProject(t), "delete": deleteUser(t)} {
		for _, reset := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				var arrived atomic.Int32
				client := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodGet {
						_, _ = io.WriteString(w, `{}`)
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					arrived.Add(1)
					conn, _, err := http.NewResponseController(w).Hijack()
					if err != nil {
						t.Error(err)
						return
					}
					if tcp, ok := conn.(*net.TCPConn); ok && reset {
						_ = tcp.SetLinger(0)
					}
					_ = conn.Close()
				}))
				// A read first, so that the write finds a used connection.
				if _, err := getProject(t).do(t.Context(), client); err != nil {
					t.Fatal(err)
				}
				_, err := c.do(t.Context(), client)
				wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
				if n := arrived.Load(); n != 1 {
					t.Errorf("arrived %d times", n)
				}
			})
		}
	}
}

// TestWritesArriveOnceOverHTTP2 resets streams with the codes upon which
// net/http sends a request again. Reads may be, writes must not.
func TestWritesArriveOnceOverHTTP2(t *testing.T) {
	t.Parallel()
	for name, code := range map[string]http2.ErrCode{"protocol error": http2.ErrCodeProtocol, "refused": http2.ErrCodeRefusedStream} {
		for verb, c := range map[string]call{"post": createProject(t), "post without a body": archiveProject(t), "delete": deleteUser(t)} {
			t.Run(name+", "+verb, func(t *testing.T) {
				t.Parallel()
				client, arrived := resetting(t, code)
				_, err := c.do(t.Context(), client)
				wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
				if n := arrived.Load(); n != 1 {
					t.Errorf("arrived %d times", n)
				}
				// The reset does not touch the next call.
				if _, err := getProject(t).do(t.Context(), client); err != nil {
					t.Errorf("the next read: %v", err)
				}
			})
		}
	}
}

// resetting returns the client of an HTTP/2 server that resets the first request
// and answers the others, and the count of requests.
func resetting(t *testing.T, code http2.ErrCode) (*upstream.Client, *atomic.Int32) {
	t.Helper()
	var arrived atomic.Int32
	return framed(t, func(framer *http2.Framer, stream uint32) error {
		if arrived.Add(1) == 1 {
			return framer.WriteRSTStream(stream, code)
		}
		return writeAnswer(framer, stream)
	}), &arrived
}

// framed returns the client of an HTTP/2 server that calls answer for each
// request.
func framed(t *testing.T, answer func(*http2.Framer, uint32) error, change ...func(*upstream.Config)) *upstream.Client {
	t.Helper()
	return overTLS(t, func(conn net.Conn) { answerFrames(conn, answer) }, change...)
}

// overTLS returns the client of a server that hands each connection to serve,
// once HTTP/2 is agreed upon.
func overTLS(t *testing.T, serve func(net.Conn), change ...func(*upstream.Config)) *upstream.Client {
	t.Helper()
	certificate, roots := selfSigned(t)
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12})
	if err != nil {
		t.Fatal(err)
	}
	var served sync.WaitGroup
	// Upon a protocol error the client opens another connection.
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		served.Wait()
	})
	trusting := func(c *upstream.Config) { c.TLS = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12} }
	return newClient(t, "https://"+listener.Addr().String(), append(change, trusting)...)
}

// answerFrames speaks just enough HTTP/2 to call answer once a request is whole,
// until the connection ends.
func answerFrames(conn net.Conn, answer func(*http2.Framer, uint32) error) {
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	if framer.WriteSettings() != nil {
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		ended := false
		switch frame := frame.(type) {
		case *http2.SettingsFrame:
			if !frame.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.PingFrame:
			if !frame.IsAck() {
				err = framer.WritePing(true, frame.Data)
			}
		case *http2.HeadersFrame:
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			ended = frame.StreamEnded()
		}
		if ended {
			err = answer(framer, frame.Header().StreamID)
		}
		if err != nil {
			return
		}
	}
}

func writeAnswer(framer *http2.Framer, stream uint32) error {
	var block headerBlock
	encoder := hpack.NewEncoder(&block)
	for _, field := range []hpack.HeaderField{{Name: ":status", Value: "200"}, {Name: "content-type", Value: "application/json"}} {
		if err := encoder.WriteField(field); err != nil {
			return err
		}
	}
	if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block, EndHeaders: true}); err != nil {
		return err
	}
	return framer.WriteData(stream, true, []byte(`{}`))
}

type headerBlock []byte

func (b *headerBlock) Write(p []byte) (int, error) {
	*b = append(*b, p...)
	return len(p), nil
}

// selfSigned borrows httptest's certificate and the roots that trust it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	return server.TLS.Certificates[0], roots
}
