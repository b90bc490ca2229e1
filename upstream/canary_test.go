package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// canaries are the usual kind of key, one that looks like none, and one that %q
// writes in another way.
func canaries() []string { return []string{canary, "CANARY.0123456789", `CANARY"0123\456789`} }

// watch configures a client to log everything into the buffer.
func watch(key string) (*bytes.Buffer, func(*upstream.Config)) {
	var logged bytes.Buffer
	return &logged, func(c *upstream.Config) {
		c.Key = fixedKey(key)
		c.Logger = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug, AddSource: true}))
	}
}

// checkCanary makes calls of every kind and looks for the key, or for its
// characteristic part, in all their results.
func checkCanary(t *testing.T, client *upstream.Client, logged *bytes.Buffer) {
	t.Helper()
	for _, c := range []call{getProject(t), createProject(t), archiveProject(t), deleteUser(t)} {
		reply, err := c.do(t.Context(), client)
		if err == nil {
			if showsKey(reply.RequestID) {
				t.Errorf("%s: the id shows the key: %s", c.endpoint, reply.RequestID)
			}
			if showsKey(string(reply.Body)) {
				t.Errorf("%s: the answer shows the key: %s", c.endpoint, reply.Body)
			}
			_, err = c.endpoint.Decode(reply.Body)
		}
		for _, text := range texts(err) {
			if showsKey(text) {
				t.Errorf("%s: the error shows the key: %s", c.endpoint, text)
			}
		}
	}
	if showsKey(logged.String()) {
		t.Errorf("the log shows the key: %s", logged)
	}
}

// TestCanary: servers that send the Authorization header back, in every part of an
// answer.
func TestCanary(t *testing.T) {
	t.Parallel()
	// raw answers with bytes of which net/http need not understand any.
	raw := func(format string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				panic(err)
			}
			key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			_, _ = io.WriteString(conn, strings.ReplaceAll(format, "KEY", key))
			_ = conn.Close()
		}
	}
	status := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			key := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			for _, name := range []string{"X-Request-Id", "Location", "Retry-After", "Www-Authenticate", "Set-Cookie", "Server"} {
				w.Header().Set(name, key)
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, strings.ReplaceAll(body, "KEY", asJSON(t, key)))
		}
	}
	handlers := map[string]http.HandlerFunc{
		"status line":         raw("HTTP/1.1 400 KEY\r\nContent-Length: 0\r\n\r\n"),
		"status":              raw("HTTP/1.1 KEY\r\n\r\n"),
		"version":             raw("KEY 200 OK\r\n\r\n"),
		"first line":          raw("KEY\r\n\r\n"),
		"nothing else":        raw("KEY"),
		"a header's name":     raw("HTTP/1.1 200 OK\r\nKEY\r\n\r\n"),
		"a header that folds": raw("HTTP/1.1 200 OK\r\n KEY: a\r\n\r\n"),
		"no header":           raw("HTTP/1.1 200 OK\r\nKEY x: y\r\n\r\n"),
		"length":              raw("HTTP/1.1 200 OK\r\nContent-Length: KEY\r\n\r\n{}"),
		"two lengths":         raw("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: KEY\r\n\r\n{}"),
		"transfer encoding":   raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: KEY\r\n\r\n{}"),
		"chunk":               raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nKEY\r\n"),
		"trailer's name":      raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: KEY\r\n\r\n0\r\nKEY\r\n\r\n"),
		"content encoding":    raw("HTTP/1.1 200 OK\r\nContent-Encoding: KEY\r\n\r\n{}"),
		"content type":        raw("HTTP/1.1 200 OK\r\nContent-Type: KEY\r\n\r\n{}"),
		"gzip":                raw("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nKEY"),
		"switch of protocols": raw("HTTP/1.1 101 KEY\r\nConnection: Upgrade\r\nUpgrade: KEY\r\n\r\n{KEY"),
		"a body of text":      status(200, "KEY"),
		"a body cut off":      raw("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"KEY"),
	}
	for _, code := range []int{200, 201, 302, 400, 401, 403, 404, 408, 409, 422, 429, 500, 502, 503, 504, 600} {
		text := http.StatusText(code)
		handlers[text+", nested"] = status(code, `{"error":{"message":KEY,"type":KEY,"param":KEY,"code":KEY}}`)
		handlers[text+", flat"] = status(code, `{"message":KEY,"code":KEY}`)
		handlers[text+", a list"] = status(code, `[KEY]`)
		handlers[text+", wrong types"] = status(code, `{"id":[KEY],"created_at":KEY}`)
	}
	for name, handler := range handlers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, handler)
			for _, key := range canaries() {
				logged, watched := watch(key)
				checkCanary(t, newClient(t, url, watched), logged)
			}
		})
	}
}

// TestCanaryInMembers: Decode does not know the key, and masks every text that looks
// like one.
func TestCanaryInMembers(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"KEY":tru}`, `{"KEY":{"KEY":nul}}`, `{"KEY`, `{"id":"KEY`, `{"name":{"KEY":1}}`, `{"id":"a"}KEY`, `{"created_at":KEY}`} {
		_, err := getProject(t).endpoint.Decode([]byte(strings.ReplaceAll(body, "KEY", canary)))
		if err == nil {
			t.Errorf("%s: no error", body)
		}
		for _, text := range texts(err) {
			if showsKey(text) {
				t.Errorf("%s: %s", body, text)
			}
		}
	}
}

// TestCanaryOverHTTP2: the GOAWAY of an HTTP/2 server can hold a text.
func TestCanaryOverHTTP2(t *testing.T) {
	t.Parallel()
	for _, key := range canaries() {
		logged, watched := watch(key)
		client := framed(t, func(framer *http2.Framer, stream uint32) error {
			if err := framer.WriteGoAway(stream, http2.ErrCodeEnhanceYourCalm, []byte("Bearer "+key)); err != nil {
				return err
			}
			return io.EOF
		}, watched)
		checkCanary(t, client, logged)
	}
}

// TestCanaryWithoutAnAnswer: calls that the transport, the clock or the caller
// ends, with a transport that has seen the request and says so.
func TestCanaryWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	for _, key := range canaries() {
		for name, transport := range map[string]roundTrip{
			"quotes": func(r *http.Request) (*http.Response, error) {
				return nil, errors.New("cannot send " + r.Header.Get("Authorization"))
			},
			"wraps": func(r *http.Request) (*http.Response, error) {
				return nil, errors.Join(io.ErrUnexpectedEOF, errors.New(r.Header.Get("Authorization")))
			},
			"body": func(r *http.Request) (*http.Response, error) {
				body := io.MultiReader(strings.NewReader("{"), failing{errors.New("cut off at " + r.Header.Get("Authorization"))})
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body), ContentLength: -1}, nil
			},
			"hangs": func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, errors.New(r.Header.Get("Authorization"))
			},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				logged, watched := watch(key)
				client := newClient(t, "https://api.example.com/v1", watched, func(c *upstream.Config) {
					c.Transport, c.TotalTimeout = transport, 20*time.Millisecond
				})
				checkCanary(t, client, logged)
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				_, err := getProject(t).do(ctx, client)
				if e := failure(t, err); showsKey(e.Error()) || !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	return f(r)
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
