package httpdoor_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for.
const patience = 30 * time.Second

// open is a port that is served.
type open struct {
	address string
	port    *httpdoor.Port
	stop    context.CancelFunc
	ended   chan struct{}
	err     error // once ended is closed
}

// serve opens a port until the test ends.
func serve(t *testing.T, handler http.HandlerFunc, options httpdoor.Options) *open {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, l, handler, options)
}

func serveOn(t *testing.T, l net.Listener, handler http.HandlerFunc, options httpdoor.Options) *open {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	o := &open{address: l.Addr().String(), port: httpdoor.New(handler, options), stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		o.err = o.port.Serve(ctx, l)
	}()
	t.Cleanup(func() {
		stop()
		wait(t, "the end of the port", o.ended)
	})
	return o
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }

// client speaks HTTP/2 in the clear, or HTTP/1.1.
func client(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(http2)
	transport.Protocols.SetHTTP1(!http2)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: patience}
}

// get asks once, and gives the answer and whether it said that it is the last.
func get(t *testing.T, c *http.Client, address string) (text string, last bool, err error) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(request)
	if err != nil {
		return "", false, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return string(body), response.Close, err
}

// line is a connection on which a test writes what it likes.
type line struct {
	net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, address string) line {
	t.Helper()
	return lineOn(conntest.Dial(t, address, patience))
}

func lineOn(c net.Conn) line { return line{c, bufio.NewReader(c)} }

func (l line) write(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(l, text); err != nil {
		t.Fatal(err)
	}
}

// answer reads one answer.
func (l line) answer() (string, error) {
	response, err := http.ReadResponse(l.in, nil)
	if err != nil {
		return "", err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	return fmt.Sprintf("%d %s", response.StatusCode, body), err
}

// closed waits until the other side has closed.
func (l line) closed(t *testing.T) {
	t.Helper()
	if n, err := io.Copy(io.Discard, l.in); err != nil {
		if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
			t.Errorf("still open after %d bytes: %v", n, err)
		}
	}
}

func wait(t *testing.T, what string, event <-chan struct{}) {
	t.Helper()
	select {
	case <-event:
	case <-time.After(patience):
		t.Fatalf("%s did not happen", what)
	}
}
