package httpdoor_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/test/bufconn"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// requestsAhead is how many requests of a stranger may be under way, and probesAhead how
// many with its health checks.
const requestsAhead, probesAhead = 4, 8

// wires are what HTTP/2 may be on: nil is in the clear.
func wires(t *testing.T) map[string]*tls.Config {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS()
	t.Cleanup(server.Close)
	return map[string]*tls.Config{"in the clear": nil, "TLS": {Certificates: server.TLS.Certificates, MinVersion: tls.VersionTLS12}}
}

// connect opens a connection to a port.
func connect(t *testing.T, l *bufconn.Listener, secure *tls.Config) net.Conn {
	t.Helper()
	conn, err := l.Dial()
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		conn = tls.Client(conn, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}
	t.Cleanup(func() { _ = conn.Close() }) // Closed by the port in many tests.
	return conn
}

// block is the header block of a request, with more fields. These alone are kept in the
// table of the decoder.
func block(more ...hpack.HeaderField) []byte {
	var text strings.Builder
	encoder := hpack.NewEncoder(&text)
	for _, field := range append([]hpack.HeaderField{
		{Name: ":method", Value: "POST"}, {Name: ":scheme", Value: "https"}, {Name: ":path", Value: "/"},
		{Name: ":authority", Value: "h", Sensitive: true},
	}, more...) {
		_ = encoder.WriteField(field) // To memory.
	}
	return []byte(text.String())
}

// TestStrangersGetNoFurtherAhead: a stranger that takes its requests back has no more of
// them under way than one that waits, while their handlers do not notice; and it is
// thrown out once it has made too many.
func TestStrangersGetNoFurtherAhead(t *testing.T) {
	t.Parallel()
	for name, secure := range wires(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				inside, release := make(chan struct{}, 1000), make(chan struct{})
				l := bufconn.Listen(64 << 10)
				serveOn(t, l, authenticating(func(http.ResponseWriter, *http.Request) {
					inside <- struct{}{}
					<-release
				}), httpdoor.Options{TLS: secure})
				c := connect(t, l, secure)
				frames := conntest.Begin(t, c)
				go func() { _, _ = io.Copy(io.Discard, c) }() // It ends with the connection.
				reset := func(id uint32, taken <-chan struct{}) error {
					err := frames.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block(), EndHeaders: true})
					<-taken
					return errors.Join(err, frames.WriteRSTStream(id, http2.ErrCodeCancel))
				}
				id := uint32(1)
				for ; id < 2*requestsAhead; id += 2 {
					if err := reset(id, inside); err != nil {
						t.Fatal(err)
					}
				}
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					at := make(chan struct{})
					close(at)
					for reset(id, at) == nil {
						id += 2
					}
				}()
				synctest.Wait()
				if more := len(inside); more > 0 {
					t.Errorf("%d more requests are under way", more)
				}
				close(release)
				<-ended
				synctest.Wait()
				if all := len(inside); all > 100 {
					t.Errorf("%d more requests were begun", all)
				}
			})
		})
	}
}

// TestCallersGoAhead: a caller may begin as many requests at once as a connection has
// streams, from its first one on, and with a body that is larger than what may wait of
// a stranger.
func TestCallersGoAhead(t *testing.T) {
	t.Parallel()
	const streams, size = 100, 1 << 20
	for name, secure := range wires(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				inside := make(chan struct{}, streams)
				release := make(chan struct{})
				l := bufconn.Listen(64 << 10)
				serveOn(t, l, authenticating(func(w http.ResponseWriter, r *http.Request) {
					inside <- struct{}{}
					<-release
					if n, err := io.Copy(io.Discard, r.Body); n != size || err != nil {
						t.Errorf("read %d, %v", n, err)
					}
					hello(w, r)
				}), httpdoor.Options{TLS: secure, MaxConcurrentStreams: streams})
				c := clientOn(t, l, secure)
				answers := make(chan error, streams)
				for range streams {
					go func() { answers <- post(t, c, "somebody", size, http.StatusOK) }()
				}
				for range streams {
					<-inside
				}
				close(release)
				for range streams {
					if err := <-answers; err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}

// TestRefusedBodiesDoNotStick: a stranger whose request is refused unread gets its
// answer, however long its body, and is served when it has a credential.
func TestRefusedBodiesDoNotStick(t *testing.T) {
	t.Parallel()
	for name, secure := range wires(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l := bufconn.Listen(64 << 10)
				serveOn(t, l, authenticating(func(w http.ResponseWriter, r *http.Request) {
					if r.Header.Get("Caller") == "" {
						w.WriteHeader(http.StatusUnauthorized)
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
				}), httpdoor.Options{TLS: secure})
				c := clientOn(t, l, secure)
				for range 3 * requestsAhead {
					if err := post(t, c, "", 1<<20, http.StatusUnauthorized); err != nil {
						t.Error(err)
					}
				}
				if err := post(t, c, "somebody", 1<<20, http.StatusOK); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// clientOn is an HTTP/2 client with one connection to a port.
func clientOn(t *testing.T, l *bufconn.Listener, secure *tls.Config) *http.ClientConn {
	t.Helper()
	transport, scheme := &http.Transport{Protocols: new(http.Protocols)}, "http"
	if secure != nil {
		scheme = "https"
	}
	dial := func(context.Context, string, string) (net.Conn, error) { return connect(t, l, secure), nil }
	transport.DialContext, transport.DialTLSContext = dial, dial
	transport.Protocols.SetUnencryptedHTTP2(secure == nil)
	transport.Protocols.SetHTTP2(secure != nil)
	c, err := transport.NewClientConn(t.Context(), scheme, "h:443")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() }) // Of a test that has failed.
	return c
}

// post sends a body of a size.
func post(t *testing.T, c *http.ClientConn, caller string, size int64, want int) error {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://h/", io.LimitReader(zeros{}, size))
	if err != nil {
		return err
	}
	request.Header.Set("Caller", caller)
	response, err := c.RoundTrip(request)
	if err != nil {
		return err
	}
	if response.StatusCode != want {
		err = errors.New(response.Status)
	}
	return errors.Join(err, response.Body.Close())
}

// zeros is an endless text.
type zeros struct{}

// Read reads zeros.
func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// placeBound bounds what the port keeps of a stranger: docs/security.md says it.
const placeBound = 512 << 10

// TestAPlaceAheadIsBounded: what is kept of a stranger has a bound, however it fills its
// headers, its bodies and its frames, and whether or not its requests are health checks.
// The handlers do not end, as those whose client takes no answer.
func TestAPlaceAheadIsBounded(t *testing.T) { //nolint:paralleltest // It measures memory.
	// A field that is in the table of the decoder costs a byte from then on.
	first := block(hpack.HeaderField{Name: "a", Value: "b"})
	many := append(block(), bytes.Repeat([]byte{0x80 | 62}, 1900)...)
	health := append(block(hpack.HeaderField{Name: "probe", Value: "yes", Sensitive: true}), bytes.Repeat([]byte{0x80 | 62}, 1900)...)
	begin := func(c *http2.Framer, fields []byte, most uint32) error {
		err := c.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndHeaders: true})
		for id := uint32(3); err == nil && id < 2*most; id += 2 {
			err = c.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: fields, EndHeaders: true})
		}
		return err
	}
	for name, stranger := range map[string]struct {
		inside int64 // how many of its requests are under way
		speaks func(*http2.Framer, io.Writer) error
	}{
		"requests": {requestsAhead, func(c *http2.Framer, _ io.Writer) error { return begin(c, many, 200) }},
		"probes":   {probesAhead, func(c *http2.Framer, _ io.Writer) error { return begin(c, health, 200) }},
		"bodies": {requestsAhead, func(c *http2.Framer, _ io.Writer) error {
			err := begin(c, many, requestsAhead)
			for id := uint32(1); err == nil && id < 2*requestsAhead; id += 2 {
				for n := 0; err == nil && n < 4; n++ { // Which is the window of a stream.
					err = c.WriteData(id, false, make([]byte, 16<<10))
				}
			}
			return err
		}},
		"a large frame": {0, func(_ *http2.Framer, c io.Writer) error {
			_, err := c.Write([]byte{0x0f, 0xff, 0xff, byte(http2.FrameData), 0, 0, 0, 0, 1}) // And nothing of it.
			return errors.Join(err, errSaid)
		}},
	} {
		for wire, secure := range wires(t) {
			t.Run(name+", "+wire, func(t *testing.T) { //nolint:paralleltest // As above.
				synctest.Test(t, func(t *testing.T) { keeps(t, secure, stranger.inside, stranger.speaks) })
			})
		}
	}
}

// errSaid says that a stranger has said all that it wants to.
var errSaid = errors.New("all was said")

// keeps measures what the port keeps of a stranger.
func keeps(t *testing.T, secure *tls.Config, requests int64, speaks func(*http2.Framer, io.Writer) error) {
	t.Helper()
	const places = 16
	l := bufconn.Listen(1 << 10)
	var inside atomic.Int64
	serveOn(t, l, httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		if c, _ := door.ConnectionOf(ctx); r.Header.Get("Probe") != "" {
			c.Probe()
		}
		inside.Add(1)
		<-ctx.Done()
		hello(w, r)
	}).ServeHTTP, httpdoor.Options{TLS: secure, MaxConcurrentStreams: 100, ReadHeaderTimeout: time.Minute})
	before := memory()
	for range places {
		c := connect(t, l, secure)
		go func() {
			frames := conntest.Begin(t, c)
			go func() { _, _ = io.Copy(io.Discard, c) }() // It ends with the connection.
			if speaks(frames, c) == nil {
				t.Error("all was read")
			}
		}()
	}
	synctest.Wait()
	if got := inside.Load(); got != places*requests {
		t.Errorf("%d requests are under way on %d connections", got, places)
	}
	kept := int64(memory()-before) / places
	t.Logf("%d KiB a connection", kept>>10)
	if kept > placeBound {
		t.Errorf("a connection has %d KiB", kept>>10)
	}
}

// memory is what the heap and the stacks have.
func memory() uint64 {
	runtime.GC()
	runtime.GC() // Pools give up what they have after two.
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
