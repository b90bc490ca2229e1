package upstream_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// zipped is texts as gzip members, one each.
func zipped(t *testing.T, texts ...string) string {
	t.Helper()
	var out bytes.Buffer
	for _, text := range texts {
		zip := gzip.NewWriter(&out)
		if _, err := io.WriteString(zip, text); err != nil {
			t.Fatal(err)
		}
		if err := zip.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out.String()
}

// TestBody: which bodies are accepted as an answer of the API.
func TestBody(t *testing.T) {
	t.Parallel()
	const limit = 64
	full := `{"a":"` + strings.Repeat("x", limit-len(`{"a":""}`)) + `"}`
	// Incompressible, so that the bound is that of the wire.
	spread := `{"a":"!7Qz0pL*w@3kV#9sXd$Yf%2Rb^Hn&Jm(Gt)Bc_Ae+Uo=Ci-Dg~Eh"}`
	if len(zipped(t, spread)) <= limit || len(spread) > limit {
		t.Fatal("gzip makes it smaller than thought")
	}
	wrongSum := []byte(zipped(t, `{}`))
	wrongSum[len(wrongSum)-8] ^= 1
	type head map[string]string
	for _, test := range []struct {
		name   string
		status int
		head   head
		body   string
		want   string // the answer, or "" for none
	}{
		{"200", 200, nil, `{}`, `{}`},
		{"201", 201, nil, `{}`, `{}`},
		{"202", 202, nil, `{}`, `{}`},
		{"203", 203, nil, `{}`, `{}`},
		{"206", 206, nil, `{}`, ``},
		{"226", 226, nil, `{}`, ``},
		{"299", 299, nil, `{}`, ``},
		{"205 with nothing", 205, nil, ``, ``},
		{"204 with nothing", 204, nil, ``, ``},
		{"no content type", 200, head{"Content-Type": ""}, `{}`, `{}`},
		{"a charset", 200, head{"Content-Type": "Application/JSON; charset=utf-8"}, `{}`, `{}`},
		{"a kind of JSON", 200, head{"Content-Type": "application/vnd.api+json"}, `{}`, `{}`},
		{"html with an object in it", 200, head{"Content-Type": "text/html"}, `{}`, ``},
		{"html that says it is JSON", 200, nil, `<html>`, ``},
		{"text", 200, head{"Content-Type": "text/plain; charset=utf-8"}, `{}`, ``},
		{"a stream of JSON", 200, head{"Content-Type": "application/x-ndjson"}, `{}`, ``},
		{"a content type that is none", 200, head{"Content-Type": "application/json; charset"}, `{}`, ``},
		{"space around it", 200, nil, " \t\r\n{} ", " \t\r\n{} "},
		{"a byte order mark", 200, nil, "\ufeff{}", "\ufeff{}"},
		{"two byte order marks", 200, nil, "\ufeff\ufeff{}", ``},
		{"a list", 200, nil, `[{}]`, ``},
		{"as large as may be", 200, nil, full, full},
		{"larger", 200, nil, full + " ", ``},
		{"gzip", 200, head{"Content-Encoding": "gzip"}, zipped(t, `{}`), `{}`},
		{"GZIP", 200, head{"Content-Encoding": " GZIP "}, zipped(t, `{}`), `{}`},
		{"identity", 200, head{"Content-Encoding": "identity"}, `{}`, `{}`},
		{"gzip in members", 200, head{"Content-Encoding": "gzip"}, zipped(t, `{"a"`, `:1}`), `{"a":1}`},
		{"gzip, as large as may be", 200, head{"Content-Encoding": "gzip"}, zipped(t, full), full},
		{"gzip, larger", 200, head{"Content-Encoding": "gzip"}, zipped(t, full+" "), ``},
		{"gzip, larger on the wire", 200, head{"Content-Encoding": "gzip"}, zipped(t, spread), ``},
		{"gzip of nothing", 200, head{"Content-Encoding": "gzip"}, zipped(t, ``), ``},
		{"gzip, empty", 200, head{"Content-Encoding": "gzip"}, ``, ``},
		{"gzip and more", 200, head{"Content-Encoding": "gzip"}, zipped(t, `{}`) + "more", ``},
		{"gzip with a wrong sum", 200, head{"Content-Encoding": "gzip"}, string(wrongSum), ``},
		{"gzip without its end", 200, head{"Content-Encoding": "gzip"}, zipped(t, `{}`)[:20], ``},
		{"gzip in gzip", 200, head{"Content-Encoding": "gzip"}, zipped(t, zipped(t, `{}`)), ``},
		{"gzip twice", 200, head{"Content-Encoding": "gzip, gzip"}, zipped(t, zipped(t, `{}`)), ``},
		{"gzip that is not said", 200, nil, zipped(t, `{}`), ``},
		{"deflate", 200, head{"Content-Encoding": "deflate"}, `{}`, ``},
		{"zstd", 200, head{"Content-Encoding": "zstd"}, `{}`, ``},
		{"x-gzip", 200, head{"Content-Encoding": "x-gzip"}, zipped(t, `{}`), ``},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
				for name, value := range test.head {
					w.Header()[name] = []string{value}
					if value == "" {
						w.Header()[name] = nil
					}
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}), func(c *upstream.Config) { c.MaxBody = limit })
			for _, c := range []call{getProject(t), deleteUser(t)} {
				reply, err := c.do(t.Context(), client)
				switch {
				case test.want == "" && c.request.Verb == http.MethodGet:
					wantKind(t, err, upstream.Unavailable, upstream.ReasonBadResponse)
				case test.want == "":
					wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
				case err != nil:
					t.Error(err)
				case string(reply.Body) != test.want || reply.Status != test.status:
					t.Errorf("got %d, %q", reply.Status, reply.Body)
				}
				if err != nil && failure(t, err).Status != test.status {
					t.Errorf("the status is not kept: %v", err)
				}
			}
		})
	}
}

// TestSwitchOfProtocolsEnds: after a 101 the body is a connection that stays
// open as long as the server likes.
func TestSwitchOfProtocolsEnds(t *testing.T) {
	t.Parallel()
	done := make(chan struct{})
	client := newClient(t, serve(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
		<-done
	}))
	defer close(done)
	_, err := getProject(t).do(t.Context(), client)
	wantKind(t, err, upstream.Unavailable, upstream.ReasonBadResponse)
	_, err = createProject(t).do(t.Context(), client)
	wantKind(t, err, upstream.OutcomeUnknown, upstream.ReasonOutcomeUnknown)
}

// TestErrorBodyThatDoesNotEnd: the call ends with its context, and the status is
// not lost.
func TestErrorBodyThatDoesNotEnd(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{}, 1)
	client := newClient(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"error":`)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		begun <- struct{}{}
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { <-begun; cancel() }()
	_, err := getProject(t).do(ctx, client)
	// The status may not have been read yet when the context ends.
	if e := failure(t, err); e.Kind != upstream.Conflict && !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
