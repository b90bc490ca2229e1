package httpdoor_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/conntest"
	"github.com/admin-gateway/admin-gateway/service/door"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

// authenticating stands in for the interceptors: a request with the header Caller is
// authenticated, and one for /health is a health check.
func authenticating(next http.HandlerFunc) http.HandlerFunc {
	return httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		c, _ := door.ConnectionOf(ctx)
		if r.URL.Path == "/health" {
			c.Probe()
		}
		if caller := r.Header.Get("Caller"); caller != "" {
			if err := c.Trust(caller); err != nil {
				http.Error(w, "no place", http.StatusTooManyRequests)
				return
			}
		}
		next(w, r)
	}).ServeHTTP
}

// request is one on HTTP/1.1, of a caller or of nobody.
func request(path, caller string) string {
	header := ""
	if caller != "" {
		header = "Caller: " + caller + "\r\n"
	}
	return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + header + "\r\n"
}

// isAnswered expects the answer of hello.
func (l line) isAnswered(t *testing.T, what string) {
	t.Helper()
	if got, err := l.answer(); got != "200 hello" {
		t.Errorf("%s: %q, %v", what, got, err)
	}
}

// TestSilentClientsKeepNobodyOut: more connections than there are places, of clients
// that begin with HTTP/2 and then say nothing. Callers and probes get through at
// once, and who was there before stays.
func TestSilentClientsKeepNobodyOut(t *testing.T) {
	t.Parallel()
	o := serve(t, authenticating(hello), httpdoor.Options{})
	known := dial(t, o.address)
	known.write(t, request("/", "before"))
	known.isAnswered(t, "a caller before")
	for range 1100 {
		conntest.Greet(t, dial(t, o.address))
	}
	for range 10 {
		caller, probe := dial(t, o.address), dial(t, o.address)
		caller.write(t, request("/", "new"))
		caller.isAnswered(t, "a caller")
		probe.write(t, request("/health", ""))
		probe.isAnswered(t, "a probe")
	}
	known.write(t, request("/", "before"))
	known.isAnswered(t, "the caller from before")
}

// TestAnonymousRequestsKeepNoPlace: requests of strangers that do not end make their
// connections no busier than silence would.
func TestAnonymousRequestsKeepNoPlace(t *testing.T) {
	t.Parallel()
	began := make(chan struct{}, 1)
	o := serve(t, authenticating(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/health" { // As a watch.
			began <- struct{}{}
			<-r.Context().Done()
			return
		}
		hello(w, r)
	}), httpdoor.Options{MaxConnections: 8})
	var watches []line
	for range 20 {
		w := dial(t, o.address)
		w.write(t, request("/health", ""))
		wait(t, "the watch", began)
		watches = append(watches, w)
	}
	caller := dial(t, o.address)
	caller.write(t, request("/", "somebody"))
	caller.isAnswered(t, "a caller")
	for _, w := range watches[:16] {
		w.closed(t)
	}
}

// TestCallsKeepTheirPlace: with a call on every place that callers have, another one
// is refused with an answer, and no call ends.
func TestCallsKeepTheirPlace(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	o := serve(t, authenticating(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		<-finish
		hello(w, r)
	}), httpdoor.Options{MaxConnections: 4}) // 3 for callers, 1 for each.
	var busy []line
	for i := range 3 {
		l := dial(t, o.address)
		l.write(t, request("/", fmt.Sprint("caller ", i)))
		wait(t, "the call", begun) // Until then the next one may take its place.
		busy = append(busy, l)
	}
	for _, caller := range []string{"caller 0", "another"} {
		l := dial(t, o.address)
		l.write(t, request("/", caller))
		if got, err := l.answer(); !strings.HasPrefix(got, "429") {
			t.Errorf("%s: %q, %v", caller, got, err)
		}
	}
	close(finish)
	for _, l := range busy {
		l.isAnswered(t, "a call under way")
	}
}

// TestStrangersEnd: an HTTP/2 client that makes one request after the other without a
// credential loses its connection, whether it waits for answers or not; a caller and
// a probe do not.
func TestStrangersEnd(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		path, caller string
		canceled     bool
		ended        bool
	}{
		"reset":           {path: "/back", canceled: true, ended: true},
		"answered":        {path: "/", ended: true},
		"caller's, reset": {path: "/back", caller: "somebody", canceled: true},
		"probe's":         {path: "/health"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			begun := make(chan struct{}, 1)
			var mu sync.Mutex
			seen := make(map[string]bool)
			o := serve(t, authenticating(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				seen[r.RemoteAddr] = true
				mu.Unlock()
				if r.URL.Path == "/back" {
					select {
					case begun <- struct{}{}:
					default: // The one before was never taken.
					}
					<-r.Context().Done()
					return
				}
				hello(w, r)
			}), httpdoor.Options{})
			c := client(t, true)
			for range 120 {
				ctx, cancel := context.WithCancel(t.Context())
				request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.address+test.path, http.NoBody)
				if err != nil {
					t.Fatal(err)
				}
				request.Header.Set("Caller", test.caller)
				if test.canceled {
					go func() {
						defer cancel()
						select {
						case <-begun:
						case <-ctx.Done():
						}
					}()
				}
				response, err := c.Do(request)
				if err == nil {
					_ = response.Body.Close()
				}
				if err == nil && test.canceled || err != nil && !test.canceled && !test.ended {
					t.Errorf("answered: %v", err)
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

// TestOpenHandlers: where no credential is asked for, the requests of a network keep
// their connections, and others go.
func TestOpenHandlers(t *testing.T) {
	t.Parallel()
	begun, finish := make(chan struct{}), make(chan struct{})
	o := serve(t, httpdoor.Open(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-finish
		}
		hello(w, r)
	})).ServeHTTP, httpdoor.Options{MaxConnections: 4})
	busy := dial(t, o.address)
	busy.write(t, request("/slow", ""))
	wait(t, "the slow request", begun)
	for range 20 {
		silent, next := dial(t, o.address), dial(t, o.address)
		next.write(t, ask)
		next.isAnswered(t, "a request")
		silent.write(t, "GET / HT")
	}
	close(finish)
	busy.isAnswered(t, "the slow request")
}

// TestFirstCallIsDue: a client that begins with HTTP/2 and then says nothing loses its
// connection; one that makes health checks, and a caller, do not.
func TestFirstCallIsDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const due = 10 * time.Second
		l := conntest.NewPipes()
		serveOn(t, l, authenticating(hello), httpdoor.Options{ReadHeaderTimeout: due})
		connect := func() line {
			conn, err := l.Dial()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = conn.Close() }) // Closed by the port in many cases.
			return lineOn(conn)
		}
		probe, caller := connect(), connect()
		probe.write(t, request("/health", ""))
		probe.isAnswered(t, "a probe")
		caller.write(t, request("/", "somebody"))
		caller.isAnswered(t, "a caller")
		for range 3 { // Each for as long as a connection may take.
			silent, began := connect(), time.Now()
			conntest.Greet(t, silent)
			if _, err := io.Copy(io.Discard, silent); err != nil || time.Since(began) != due {
				t.Errorf("a silent connection ended after %s: %v", time.Since(began), err)
			}
			caller.write(t, request("/", "somebody"))
			caller.isAnswered(t, "the caller")
		}
		probe.write(t, request("/health", ""))
		probe.isAnswered(t, "the probe")
	})
}
