package upstream_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/upstream"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	key := fixedKey(canary)
	for _, test := range []struct {
		config upstream.Config
		want   string // part of the error; "" for none
	}{
		{upstream.Config{BaseURL: "https://api.example.com/v1", Key: key}, ""},
		{upstream.Config{BaseURL: "http://127.0.0.1:9999/v1", Key: key}, ""},
		{upstream.Config{BaseURL: "http://[::1]/v1", Key: key}, ""},
		{upstream.Config{BaseURL: "http://localhost", Key: key}, ""},
		{upstream.Config{BaseURL: "http://10.0.0.1", Key: key, AllowPlaintext: true}, ""},
		{upstream.Config{BaseURL: "https://api.example.com/v1"}, "key source"},
		{upstream.Config{BaseURL: "", Key: key}, "absolute"},
		{upstream.Config{BaseURL: "api.example.com/v1", Key: key}, "absolute"},
		{upstream.Config{BaseURL: "ftp://api.example.com", Key: key}, "absolute"},
		{upstream.Config{BaseURL: "https:///v1", Key: key}, "host"},
		{upstream.Config{BaseURL: "https://u:" + canary + "@api.example.com", Key: key}, "user"},
		{upstream.Config{BaseURL: "https://u:" + canary + "%zz@api.example.com", Key: key}, "parsed"},
		{upstream.Config{BaseURL: "https://api.example.com/?a=b", Key: key}, "query"},
		{upstream.Config{BaseURL: "https://api.example.com/?", Key: key}, "query"},
		{upstream.Config{BaseURL: "https://api.example.com/#a", Key: key}, "fragment"},
		{upstream.Config{BaseURL: "http://api.example.com", Key: key}, "unencrypted"},
		{upstream.Config{BaseURL: "http://127.0.0.1.example.com", Key: key}, "unencrypted"},
		{upstream.Config{BaseURL: "https://api.example.com", Key: key, TotalTimeout: -1}, "TotalTimeout"},
		{upstream.Config{BaseURL: "https://api.example.com", Key: key, MaxBody: -1}, "MaxBody"},
		{upstream.Config{BaseURL: "https://api.example.com", Key: key, UserAgent: "a\r\nb: c"}, "UserAgent"},
	} {
		_, err := upstream.New(test.config)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%s: %v", test.config.BaseURL, err)
		case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
			t.Errorf("%s: got %v, want %q", test.config.BaseURL, err, test.want)
		case err != nil && strings.Contains(err.Error(), canary):
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// TestHeaders: a request has these headers and no others.
func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		call call
		more http.Header
		body string
	}{
		{"get", getProject(t), nil, ""},
		{"post", createProject(t), http.Header{"Content-Type": {"application/json"}, "Content-Length": {"14"}}, `{"name":"new"}`},
		{"post without a body", archiveProject(t), http.Header{"Content-Length": {"0"}}, ""},
		{"delete", deleteUser(t), nil, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
				want := http.Header{
					"Authorization": {"Bearer " + canary}, "Accept": {"application/json"},
					"Accept-Encoding": {"gzip"}, "User-Agent": {"test/1"},
				}
				for name, values := range test.more {
					want[name] = values
				}
				if diff := cmp.Diff(want, r.Header); diff != "" {
					t.Errorf("headers (-want +got):\n%s", diff)
				}
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != test.body {
					t.Errorf("body %q (%v), want %q", body, err, test.body)
				}
				w.Header().Set("X-Request-Id", "req_1")
				w.Header().Set("Set-Cookie", "a=b")
				w.WriteHeader(http.StatusCreated)
				_, _ = io.WriteString(w, ` {"id":"x"}`)
			}), func(c *upstream.Config) { c.UserAgent = "test/1" })
			for range 2 { // the second one would bring the cookie
				got, err := test.call.do(t.Context(), client)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(&upstream.Reply{Status: 201, Body: []byte(` {"id":"x"}`), RequestID: "req_1"}, got); diff != "" {
					t.Errorf("reply (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// TestHTTP2 also sets proxies in the environment, which are not asked.
func TestHTTP2(t *testing.T) {
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	t.Setenv("ALL_PROXY", "http://127.0.0.1:1")
	client := newTLSClient(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("HTTP/%d.%d", r.ProtoMajor, r.ProtoMinor)
		}
		_, _ = io.WriteString(w, `{}`)
	})
	if _, err := getProject(t).do(t.Context(), client); err != nil {
		t.Fatal(err)
	}
}

// newTLSClient returns the client of an HTTP/2 server.
func newTLSClient(t *testing.T, handler http.HandlerFunc) *upstream.Client {
	t.Helper()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		handler(w, r)
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	trusted, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatalf("the server's client has a %T", server.Client().Transport)
	}
	config := trusted.TLSClientConfig.Clone()
	config.NextProtos = nil
	return newClient(t, server.URL, func(c *upstream.Config) { c.TLS = config })
}

// TestAnswersThatAreNone: a 2xx that is not from the API is an error, and the outcome
// of a write is then unknown.
func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	var member bytes.Buffer
	if err := gzip.NewWriter(&member).Close(); err != nil {
		t.Fatal(err)
	}
	nothing := member.Bytes()
	for name, handler := range map[string]http.HandlerFunc{
		"empty":     func(http.ResponseWriter, *http.Request) {},
		"blank":     func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, " \n") },
		"no object": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `null`) },
		"html": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<html>`)
		},
		"204": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) },
		"truncated": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"id":`)
			panic(http.ErrAbortHandler)
		},
		"too large, announced": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1048577")
			_, _ = io.WriteString(w, `{`)
		},
		"too large, chunked": func(w http.ResponseWriter, _ *http.Request) { blow(w, 2*limit) },
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			blow(zip, 4*limit)
			_ = zip.Close()
		},
		"gzip of nothing, without an end": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			for range 2 * limit / len(nothing) {
				if _, err := w.Write(nothing); err != nil {
					return
				}
			}
		},
		"no gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, `{}`)
		},
		"truncated gzip": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			zip := gzip.NewWriter(w)
			_, _ = io.WriteString(zip, `{}`)
			_ = zip.Flush()
		},
		"another encoding": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, `{}`)
		},
		"not HTTP": func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_, _ = io.WriteString(conn, "SSH-2.0 "+canary+"\r\n\r\n")
				_ = conn.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, serve(t, handler), func(c *upstream.Config) { c.MaxBody = limit })
			_, err := getProject(t).do(t.Context(), client)
			if e := failure(t, err); e.Kind != upstream.Unavailable {
				t.Errorf("read: %v", err)
			} else if e.Status != 0 && e.Reason != upstream.ReasonBadResponse {
				t.Errorf("read: reason %s", e.Reason)
			}
			for _, c := range []call{createProject(t), archiveProject(t), deleteUser(t)} {
				_, err := c.do(t.Context(), client)
				wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
				if strings.Contains(err.Error(), canary) {
					t.Errorf("the error shows the key: %v", err)
				}
			}
		})
	}
}

// blow writes an object with a string of size bytes, or as much as is taken.
func blow(w io.Writer, size int) {
	_, _ = io.WriteString(w, `{"id":"`)
	block := strings.Repeat("a", 1<<15)
	for ; size > 0; size -= len(block) {
		if _, err := io.WriteString(w, block); err != nil {
			return
		}
	}
	_, _ = io.WriteString(w, `"}`)
}

func TestGzip(t *testing.T) {
	t.Parallel()
	client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		zip := gzip.NewWriter(w)
		blow(zip, 1<<16)
		_ = zip.Close()
	}))
	reply, err := getProject(t).do(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(`{"id":""}`) + 1<<16; len(reply.Body) != want {
		t.Errorf("%d bytes, want %d", len(reply.Body), want)
	}
}

// TestEnds: a call ends with its context or at its timeout. Its error distinguishes a
// write that may have arrived from one that did not, and the caller's end from the
// timeout.
func TestEnds(t *testing.T) {
	t.Parallel()
	// hanging serves requests that are never answered, and says when one came.
	hanging := func(t *testing.T, body bool) (string, <-chan struct{}) {
		arrived := make(chan struct{}, 8)
		return serve(t, func(w http.ResponseWriter, r *http.Request) {
			if body {
				_, _ = io.WriteString(w, `{"id":`)
				_ = http.NewResponseController(w).Flush()
			}
			_, _ = io.Copy(io.Discard, r.Body) // so that the server watches the connection
			arrived <- struct{}{}
			<-r.Context().Done()
		}), arrived
	}
	for _, body := range []bool{false, true} {
		for _, test := range []struct {
			call   call
			kind   upstream.Kind
			reason string
		}{
			{getProject(t), upstream.Canceled, upstream.ReasonCanceled},
			{createProject(t), upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown},
			{archiveProject(t), upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown},
			{deleteUser(t), upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown},
		} {
			url, arrived := hanging(t, body)
			ctx, cancel := context.WithCancel(t.Context())
			go func() { <-arrived; cancel() }()
			_, err := test.call.do(ctx, newClient(t, url))
			wantKind(t, err, test.kind, test.reason)
		}
		url, _ := hanging(t, body)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, err := getProject(t).do(ctx, newClient(t, url))
		cancel()
		wantKind(t, err, upstream.DeadlineExceeded, upstream.ReasonDeadlineExceeded)

		// The attempt's own time is not the caller's.
		short := func(c *upstream.Config) { c.TotalTimeout = 50 * time.Millisecond }
		_, err = getProject(t).do(t.Context(), newClient(t, url, short))
		wantKind(t, err, upstream.Unavailable, upstream.ReasonUnavailable)
		_, err = deleteUser(t).do(t.Context(), newClient(t, url, short))
		wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
	}

	url, _ := hanging(t, false)
	slow := func(c *upstream.Config) { c.ResponseHeaderTimeout = 50 * time.Millisecond }
	_, err := getProject(t).do(t.Context(), newClient(t, url, slow))
	wantKind(t, err, upstream.Unavailable, upstream.ReasonUnavailable)
	_, err = createProject(t).do(t.Context(), newClient(t, url, slow))
	wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)

	// Ended before anything was sent: nothing happened.
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []call{getProject(t), createProject(t)} {
		_, err = c.do(ended, newClient(t, url))
		wantKind(t, err, upstream.Canceled, upstream.ReasonCanceled)
	}
}

// TestNeverConnected: a write that no connection was made for did not happen.
func TestNeverConnected(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	refusing := "http://" + listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	for _, url := range []string{refusing, strings.Replace(plain, "http://", "https://", 1)} {
		for _, c := range []call{getProject(t), createProject(t), archiveProject(t), deleteUser(t)} {
			_, err := c.do(t.Context(), newClient(t, url))
			wantKind(t, err, upstream.Unavailable, upstream.ReasonUnavailable)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("followed") })
	for _, status := range []int{301, 302, 303, 307, 308} {
		client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", elsewhere+"/secret")
			w.WriteHeader(status)
		}))
		for _, c := range []call{getProject(t), createProject(t), deleteUser(t)} {
			_, err := c.do(t.Context(), client)
			kind, reason := upstream.Unavailable, upstream.ReasonRedirected
			if status == http.StatusSeeOther && c.request.Verb != http.MethodGet {
				kind, reason = upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown
			}
			wantKind(t, err, kind, reason)
			if e := failure(t, err); strings.Contains(e.Error(), "secret") || e.Status != status {
				t.Errorf("got %v", e)
			}
		}
	}
}

func TestDoTakesTheEndpointsOwnRequest(t *testing.T) {
	t.Parallel()
	client := newClient(t, "http://127.0.0.1:1")
	if _, err := client.Do(t.Context(), getProject(t).endpoint, deleteUser(t).request); err == nil {
		t.Error("a delete went through the endpoint of a get")
	}
	if _, err := client.Do(t.Context(), getProject(t).endpoint, &upstream.Request{Verb: "GET", Path: "@evil.example/"}); err == nil {
		t.Error("a path changed the host")
	}
}

// TestEmptyKey: a source that gives nothing must not let a request out.
func TestEmptyKey(t *testing.T) {
	t.Parallel()
	client := newClient(t, serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }),
		func(c *upstream.Config) { c.Key = fixedKey("") })
	_, err := getProject(t).do(t.Context(), client)
	wantKind(t, err, upstream.CredentialRejected, upstream.ReasonCredentialUnreadable)
}
