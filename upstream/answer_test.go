package upstream_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// answer is a transport that always gives the same answer, and takes even those
// that no server could send.
type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	header := http.Header{"Content-Type": {"application/json"}}
	for name, values := range a.header {
		header[name] = values
	}
	return &http.Response{
		StatusCode: a.status, Header: header, Request: r,
		Body: io.NopCloser(strings.NewReader(a.body)), ContentLength: int64(len(a.body)),
	}, nil
}

func (a answer) client(tb testing.TB) *upstream.Client {
	tb.Helper()
	return newClient(tb, "https://api.example.com/v1", func(c *upstream.Config) { c.Transport = a })
}

// asJSON is s as a JSON string.
func asJSON(tb testing.TB, s string) string {
	tb.Helper()
	encoded, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	return string(encoded)
}

// texts returns every text that a log could make of an error and of the errors that it
// wraps.
func texts(err error) []string {
	if err == nil {
		return nil
	}
	var all []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		all = append(all, fmt.Sprintf(verb, err))
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, inner := range many.Unwrap() {
			all = append(all, texts(inner)...)
		}
	}
	return append(all, texts(errors.Unwrap(err))...)
}

// checkWords checks the bounds of the upstream's words in an error.
func checkWords(tb testing.TB, e *upstream.Error) {
	tb.Helper()
	for name, words := range map[string]string{"message": e.Message, "param": e.Param, "code": e.Code, "type": e.Type, "request id": e.RequestID} {
		switch {
		case len(words) > 1<<10:
			tb.Errorf("%s of %d bytes", name, len(words))
		case !utf8.ValidString(words):
			tb.Errorf("%s is not UTF-8: %q", name, words)
		case strings.ContainsFunc(words, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) }):
			tb.Errorf("%s has control characters: %q", name, words)
		}
	}
	if text := e.Error(); len(text) > 8<<10 || !utf8.ValidString(text) {
		tb.Errorf("the error is %d bytes, or not UTF-8", len(text))
	}
	for _, text := range texts(e) {
		if strings.Contains(text, canary) {
			tb.Errorf("the key shows: %s", text)
		}
	}
}

// FuzzErrorBody answers with any status and body, and quotes the key besides.
func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{
		"", "null", "[]", "{", "<html>", `{"error":{"message":"m","type":"t","param":null,"code":null}}`, `{"code":"c","message":"m"}`,
		`{"error":"` + canary + `"}`, `{"error":{"message":7,"code":["x"],"type":{}}}`, `{"message":"\u0000\u202e\ud800"}`, "{\"message\":\"\xff\"}",
		`{"id":"a","` + canary + `":tru}`, `{"message":"sk-admin-CANARY***nary"}`,
	} {
		f.Add(400, body, "your key ", " is wrong")
		f.Add(503, body, strings.Repeat("é", 2040), "sk-")
		f.Add(200, body, strings.Repeat("a", 4090), "\r\n")
	}
	calls := []call{getProject(f), createProject(f)}
	f.Fuzz(func(t *testing.T, status int, body, before, after string) {
		status = 200 + (status%800+800)%800
		quoting := asJSON(t, before+canary+after)
		for _, body := range []string{body, `{"error":{"message":` + quoting + `,"code":` + quoting + `,"type":` + quoting + `,"param":` + quoting + `}}`} {
			client := answer{status: status, header: http.Header{"X-Request-Id": {before + canary}}, body: body}.client(t)
			for _, c := range calls {
				reply, err := c.do(t.Context(), client)
				if err == nil {
					if strings.Contains(reply.RequestID, canary) {
						t.Errorf("the id shows the key: %s", reply.RequestID)
					}
					if _, err = c.endpoint.Decode(reply.Body); err == nil {
						continue
					}
				}
				e := failure(t, err)
				checkWords(t, e)
				if read := c.request.Verb == http.MethodGet; e.Kind == 0 || e.Reason == "" || read && e.Kind == upstream.OutcomeUnknown {
					t.Errorf("%d: %s (%s)", status, e.Kind, e.Reason)
				}
			}
		}
	})
}
