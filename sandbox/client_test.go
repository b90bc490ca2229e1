package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// testNow is a Wednesday afternoon.
var testNow = time.Date(2026, time.March, 18, 15, 30, 20, 0, time.UTC)

// client calls a sandbox over a real connection.
type client struct {
	t       *testing.T
	sandbox *Sandbox
	url     string
	http    *http.Client
}

// dial starts a sandbox; the options get a fixed clock unless they have one.
func dial(t *testing.T, options Options) *client {
	t.Helper()
	if options.Now == nil {
		options.Now = func() time.Time { return testNow }
	}
	s := New(options)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	hc := server.Client()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{t, s, server.URL, hc}
}

// small returns options for an organization that is seeded fast.
func small() Options { return Options{Users: 40, Projects: 8, Groups: 4, Invites: 6, AuditEvents: 300} }

// reply is an answer with its decoded body, if that is JSON.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// try sends a request and returns the reply, or the transport's error.
func (c *client) try(method, path, body string) (reply, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+DefaultAdminKey)
	return c.do(r)
}

func (c *client) do(r *http.Request) (reply, error) {
	c.t.Helper()
	response, err := c.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	out := reply{status: response.StatusCode, header: response.Header, raw: raw}
	if err != nil {
		return out, err
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	_ = decoder.Decode(&out.body) // not every body is an object
	return out, nil
}

// call expects a status.
func (c *client) call(status int, method, path, body string) map[string]any {
	c.t.Helper()
	r, err := c.try(method, path, body)
	if err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
	if r.status != status {
		c.t.Fatalf("%s %s %s: status %d, want %d\n%s", method, path, body, r.status, status, r.raw)
	}
	return r.body
}

func (c *client) get(path string) map[string]any {
	c.t.Helper()
	return c.call(http.StatusOK, http.MethodGet, "/v1"+path, "")
}

func (c *client) post(path, body string) map[string]any {
	c.t.Helper()
	return c.call(http.StatusOK, http.MethodPost, "/v1"+path, body)
}

func (c *client) delete(path string) {
	c.t.Helper()
	c.call(http.StatusOK, http.MethodDelete, "/v1"+path, "")
}

// refuses expects an error with a status, a code and a param ("" for null).
func (c *client) refuses(status int, code, param, method, path, body string) {
	c.t.Helper()
	got := c.call(status, method, "/v1"+path, body)
	detail, _ := got["error"].(map[string]any)
	wantParam := any(param)
	if param == "" {
		wantParam = nil
	}
	if detail["code"] != code || detail["param"] != wantParam || detail["message"] == "" || detail["type"] == "" {
		c.t.Errorf("%s %s %s: error %v, want code %q and param %v", method, path, body, detail, code, wantParam)
	}
}

// missing expects a 404.
func (c *client) missing(path string) {
	c.t.Helper()
	c.refuses(http.StatusNotFound, "not_found", "", http.MethodGet, path, "")
}

func textAt(m map[string]any, path ...string) string {
	var v any = m
	for _, name := range path {
		inner, _ := v.(map[string]any)
		v = inner[name]
	}
	s, _ := v.(string)
	return s
}

func number(t *testing.T, m map[string]any, name string) int64 {
	t.Helper()
	n, ok := m[name].(json.Number)
	if !ok {
		t.Fatalf("%s is %v, want a number", name, m[name])
	}
	i, err := n.Int64()
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return i
}

// objectAt returns a member that has to be an object.
func objectAt(t *testing.T, m map[string]any, name string) map[string]any {
	t.Helper()
	v, ok := m[name].(map[string]any)
	if !ok {
		t.Fatalf("%s is %v, want an object", name, m[name])
	}
	return v
}

// results returns the results of a bucket.
func results(bucket map[string]any) []map[string]any { return objects(bucket["results"]) }

// items returns the data of a list.
func items(m map[string]any) []map[string]any {
	return objects(m["data"])
}

func objects(v any) []map[string]any {
	list, _ := v.([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		item, _ := v.(map[string]any)
		out = append(out, item)
	}
	return out
}

// ids collects a member of every item, "id" unless named.
func ids(m map[string]any, member ...string) []string {
	name := "id"
	if len(member) > 0 {
		name = member[0]
	}
	out := []string{}
	for _, item := range items(m) {
		out = append(out, textAt(item, name))
	}
	return out
}

// clock is a clock that the test advances.
type clock struct {
	start time.Time
	moved atomic.Int64
}

func newClock(start time.Time) *clock     { return &clock{start: start} }
func (c *clock) Now() time.Time           { return c.start.Add(time.Duration(c.moved.Load())) }
func (c *clock) Advance(by time.Duration) { c.moved.Add(int64(by)) }
