package httpdoor_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"testing"

	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// counted is a listener that counts the writes of its connections.
type counted struct {
	net.Listener
	mu     sync.Mutex
	writes int
}

func (l *counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c.(*net.TCPConn), l}, nil //nolint:forcetypeassert // It is a TCP listener.
}

type countedConn struct {
	*net.TCPConn
	of *counted
}

// Write is what net.Buffers does not call: it writes them at once.
func (c countedConn) Write(p []byte) (int, error) {
	c.of.mu.Lock()
	c.of.writes++
	c.of.mu.Unlock()
	return c.TCPConn.Write(p)
}

// bodyOf is a body of which each byte tells its place.
func bodyOf(size int) []byte {
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i % 251)
	}
	return body
}

// asksForSizes answers with as many bytes as a request asks for.
func asksForSizes(w http.ResponseWriter, r *http.Request) {
	httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		size, _ := strconv.Atoi(r.URL.Query().Get("size"))
		w.Header().Set("Content-Type", "application/octet-stream")
		_ = httpdoor.Write(ctx, w, http.StatusCreated, bodyOf(size))
	}).ServeHTTP(w, r)
}

// sizes are about those at which net/http writes in another way.
var sizes = []int{0, 1, 2047, 2048, 3900, 4095, 4096, 4097, 8191, 8192, 12345, 1 << 20} //nolint:gochecknoglobals // It is a table.

// TestAnswersComeWhole: one after the other on a connection, with their length, over
// HTTP/1.1 and HTTP/2; also to a HEAD.
func TestAnswersComeWhole(t *testing.T) {
	t.Parallel()
	o := serve(t, asksForSizes, httpdoor.Options{})
	for _, http2 := range []bool{false, true} {
		c := client(t, http2)
		for range 2 {
			for _, size := range sizes {
				for _, verb := range []string{http.MethodGet, http.MethodHead} {
					request, err := http.NewRequestWithContext(t.Context(), verb, fmt.Sprintf("http://%s/?size=%d", o.address, size), http.NoBody)
					if err != nil {
						t.Fatal(err)
					}
					response, err := c.Do(request)
					if err != nil {
						t.Fatalf("%s %d: %v", verb, size, err)
					}
					body, err := io.ReadAll(response.Body)
					if err := errors.Join(err, response.Body.Close()); err != nil {
						t.Errorf("%s %d: %v", verb, size, err)
					}
					want := bodyOf(size)
					if verb == http.MethodHead {
						want = nil
					} else if response.ContentLength != int64(size) {
						t.Errorf("%d: length %d", size, response.ContentLength)
					}
					if response.StatusCode != http.StatusCreated || !bytes.Equal(body, want) {
						t.Errorf("%s %d: %s, %d bytes", verb, size, response.Status, len(body))
					}
				}
			}
		}
	}
}

// TestALargeAnswerIsOneWrite: its header and its body go out together.
func TestALargeAnswerIsOneWrite(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	all := &counted{Listener: l}
	o := serveOn(t, all, asksForSizes, httpdoor.Options{})
	c := dial(t, o.address)
	for i, size := range []int{1, 4096, 5000, 12345} {
		c.write(t, fmt.Sprintf("GET /?size=%d HTTP/1.1\r\nHost: h\r\n\r\n", size))
		if text, err := c.answer(); err != nil || text != "201 "+string(bodyOf(size)) {
			t.Fatalf("%d: %d bytes, %v", size, len(text), err)
		}
		all.mu.Lock()
		if all.writes != 1 { // The first answer, which is small.
			t.Errorf("answer %d: %d writes of a part", i, all.writes)
		}
		all.mu.Unlock()
	}
}
