package httpdoor_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

const ask = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// TestOldConnectionsEnd on both versions, without a request that fails.
func TestOldConnectionsEnd(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			seen := make(map[string]int)
			o := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[r.RemoteAddr]++
				mu.Unlock()
				hello(w, r)
			}, httpdoor.Options{MaxConnectionAge: time.Nanosecond})
			c := client(t, http2)
			for range 20 {
				if got, _, err := get(t, c, o.address); got != "hello" {
					t.Fatal(got, err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			// On HTTP/2 a request may still come before the client has seen GOAWAY.
			if len(seen) < 5 || !http2 && len(seen) != 20 {
				t.Errorf("20 requests came on %d connections", len(seen))
			}
		})
	}
}

// TestLeaveSendsClientsElsewhere while requests are still served.
func TestLeaveSendsClientsElsewhere(t *testing.T) {
	t.Parallel()
	o := serve(t, hello, httpdoor.Options{})
	c := client(t, false)
	if got, last, err := get(t, c, o.address); got != "hello" || last {
		t.Errorf("before: %q, last %v, %v", got, last, err)
	}
	o.port.Leave()
	if got, last, err := get(t, c, o.address); got != "hello" || !last {
		t.Errorf("after: %q, last %v, %v", got, last, err)
	}
}

// TestRequestsInFlightFinish when the port is closed; a connection that has sent
// nothing is not waited for.
func TestRequestsInFlightFinish(t *testing.T) {
	t.Parallel()
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun, finish := make(chan struct{}), make(chan struct{})
			o := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/late" {
					close(begun)
					<-finish
				}
				hello(w, r)
			}, httpdoor.Options{DrainTimeout: patience})
			late := dial(t, o.address)
			silent := dial(t, o.address)
			halting := dial(t, o.address)
			halting.write(t, "GET / HT")
			answered := make(chan string, 1)
			c := client(t, http2)
			go func() {
				got, _, err := get(t, c, o.address)
				if err != nil {
					got = err.Error()
				}
				answered <- got
			}()
			wait(t, "the request", begun)
			o.stop()
			// Its request was on its way, and is the last.
			late.write(t, "GET /late HTTP/1.1\r\nHost: h\r\n\r\n")
			if got, err := late.answer(); got != "200 hello" {
				t.Errorf("a request on its way got %q, %v", got, err)
			}
			late.closed(t)
			silent.closed(t)
			halting.closed(t)
			close(finish)
			if got := <-answered; got != "hello" {
				t.Errorf("answered %q", got)
			}
			wait(t, "the end", o.ended)
			if o.err != nil {
				t.Error(o.err)
			}
		})
	}
}

// TestDrainHasAnEnd: a handler that does not finish is left behind, and said so.
func TestDrainHasAnEnd(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	o := serve(t, func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-finish
	}, httpdoor.Options{DrainTimeout: 50 * time.Millisecond})
	l := dial(t, o.address)
	l.write(t, ask)
	wait(t, "the request", begun)
	o.stop()
	wait(t, "the end", o.ended)
	close(finish)
	if o.err == nil || !strings.Contains(o.err.Error(), "did not finish within 50ms") {
		t.Errorf("ended with %v", o.err)
	}
	l.closed(t)
}

// TestSlowRequestsEnd: headers, and bodies that nobody reads, have their time.
func TestSlowRequestsEnd(t *testing.T) {
	t.Parallel()
	var served atomic.Int32
	o := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		served.Add(1)
		w.WriteHeader(http.StatusUnauthorized) // As an interceptor does: unread.
	}, httpdoor.Options{ReadHeaderTimeout: 100 * time.Millisecond, ReadTimeout: 200 * time.Millisecond, IdleTimeout: 100 * time.Millisecond})
	for name, begun := range map[string]string{
		"nothing":      "",
		"half a line":  "POST / HT",
		"half headers": "POST / HTTP/1.1\r\nHost: h\r\nA: ",
		"no body":      "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\n",
		"half a chunk": "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nabc",
		"idle":         ask,
	} {
		l := dial(t, o.address)
		l.write(t, begun)
		l.closed(t)
		_ = name
	}
	if n := served.Load(); n != 3 {
		t.Errorf("%d requests were served, want 3", n)
	}
}

// TestHeadersHaveASize on both versions.
func TestHeadersHaveASize(t *testing.T) {
	t.Parallel()
	o := serve(t, hello, httpdoor.Options{MaxHeaderBytes: 8 << 10})
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2": true} {
		for size, want := range map[int]int{1 << 10: http.StatusOK, 64 << 10: http.StatusRequestHeaderFieldsTooLarge} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+o.address, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("A", strings.Repeat("a", size))
			response, err := client(t, http2).Do(request)
			if http2 && want != http.StatusOK && err != nil {
				continue // The client has heard of the limit, and does not even ask.
			}
			if err != nil {
				t.Fatal(name, size, err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if response.StatusCode != want {
				t.Errorf("%s with %d bytes: %s", name, size, response.Status)
			}
		}
	}
}
