package httpdoor_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

const ask = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"

// TestNewConnectionsTakeThePlaceOfQuietOnes: who fills all places and says
// nothing does not keep others out.
func TestNewConnectionsTakeThePlaceOfQuietOnes(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-finish
		}
		hello(w, r)
	}, httpdoor.Options{MaxConnections: 3})
	busy := dial(t, o.address)
	busy.write(t, "GET /slow HTTP/1.1\r\nHost: h\r\n\r\n")
	wait(t, "the slow request", begun)
	used := dial(t, o.address)
	used.write(t, ask)
	if got, err := used.answer(); got != "200 hello" {
		t.Fatal(got, err)
	}
	halting := dial(t, o.address)
	halting.write(t, "GET / HTTP/1.1\r\nHost: ") // It is newer than the one before, and goes after it.
	for i, victim := range []line{used, halting} {
		next := dial(t, o.address)
		next.write(t, ask)
		if got, err := next.answer(); got != "200 hello" {
			t.Errorf("neighbour %d: %q, %v", i, got, err)
		}
		victim.closed(t)
	}
	close(finish)
	if got, err := busy.answer(); got != "200 hello" {
		t.Errorf("a connection with a request lost its place: %q, %v", got, err)
	}
}

// TestAllBusyRefusesNewConnections, and does not keep them waiting.
func TestAllBusyRefusesNewConnections(t *testing.T) {
	t.Parallel()
	var begun sync.WaitGroup
	begun.Add(2)
	finish := make(chan struct{})
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		begun.Done()
		<-finish
		hello(w, r)
	}, httpdoor.Options{MaxConnections: 2})
	busy := []line{dial(t, o.address), dial(t, o.address)}
	for _, b := range busy {
		b.write(t, ask)
	}
	begun.Wait()
	dial(t, o.address).closed(t)
	close(finish)
	for _, b := range busy {
		if got, err := b.answer(); got != "200 hello" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

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

// trust says that the caller of a request has been authenticated.
func trust(r *http.Request) {
	httpdoor.WithConnection(func(ctx context.Context, _ http.ResponseWriter, _ *http.Request) {
		if c, ok := door.ConnectionOf(ctx); ok {
			c.Trust()
		}
	}).ServeHTTP(nil, r)
}

// TestAnonymousGoFirst: a connection with an authenticated caller keeps its
// place, however long it has been quiet.
func TestAnonymousGoFirst(t *testing.T) {
	t.Parallel()
	o := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/known" {
			trust(r)
		}
		hello(w, r)
	}, httpdoor.Options{MaxConnections: 2})
	known := dial(t, o.address)
	known.write(t, "GET /known HTTP/1.1\r\nHost: h\r\n\r\n")
	if got, err := known.answer(); got != "200 hello" {
		t.Fatal(got, err)
	}
	for range 5 {
		anonymous := dial(t, o.address)
		anonymous.write(t, ask)
		if got, err := anonymous.answer(); got != "200 hello" {
			t.Fatal(got, err)
		}
	}
	known.write(t, ask)
	if got, err := known.answer(); got != "200 hello" {
		t.Errorf("it lost its place: %q, %v", got, err)
	}
}

// TestTakingBackHasAnEnd: an HTTP/2 client that resets most of what it asks loses
// its connection; one that does so now and then, or is known, does not.
func TestTakingBackHasAnEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		every   int // how many requests to one that is taken back
		trusted bool
		ended   bool
	}{"all": {1, false, true}, "every third": {3, false, false}, "all, by somebody known": {1, true, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := make(chan struct{}, 1)
			var mu sync.Mutex
			seen := make(map[string]bool)
			o := serve(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[r.RemoteAddr] = true
				mu.Unlock()
				if test.trusted {
					trust(r)
				}
				if r.URL.Path == "/back" {
					select {
					case begun <- struct{}{}:
					default: // The one before was never taken.
					}
					<-r.Context().Done()
					return
				}
				hello(w, r)
			}, httpdoor.Options{})
			c := client(t, true)
			for i := range 30 {
				if i%test.every != 0 {
					if _, _, err := get(t, c, o.address); err != nil {
						t.Fatal(err)
					}
					continue
				}
				ctx, cancel := context.WithCancel(t.Context())
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.address+"/back", http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				go func() {
					defer cancel()
					select {
					case <-begun:
					case <-ctx.Done():
					}
				}()
				if response, err := c.Do(request); err == nil {
					_ = response.Body.Close()
					t.Error("it was answered")
				}
				cancel()
			}
			mu.Lock()
			defer mu.Unlock()
			if (len(seen) > 1) != test.ended {
				t.Errorf("on %d connections", len(seen))
			}
		})
	}
}
