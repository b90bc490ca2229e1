package service_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"connectrpc.com/connect/v2"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"

	_ "github.com/admin-gateway/admin-gateway/gen/admingateway/admin/v1"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

const specsDir = "testdata/specs"

// spec is a file of testdata/specs: what a caller asks of one RPC, what the
// upstream gets for it, what it replies, and what the caller gets.
type spec struct {
	Request json.RawMessage `json:"request"`
	HTTP    struct {
		Method string          `json:"method"`
		Path   string          `json:"path"`
		Query  url.Values      `json:"query"`
		Body   json.RawMessage `json:"body"` // null: none is sent
	} `json:"http"`
	Reply struct {
		Status int             `json:"status"`
		Body   json.RawMessage `json:"body"`
	} `json:"reply"`
	Answer json.RawMessage `json:"answer"`
}

// TestSpecs sends every RPC through the whole gateway, from a caller in the process to
// an HTTP server in the upstream's place.
func TestSpecs(t *testing.T) {
	t.Parallel()
	methods, err := catalog.New(catalog.Files(), new(adminjson.Drift))
	if err != nil {
		t.Fatal(err)
	}
	specs := make(map[string]bool)
	for _, m := range methods.Mirrored() {
		name := strings.ReplaceAll(m.ShortName(), "/", ".")
		specs[name+".json"] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runSpec(t, m, readSpec(t, filepath.Join(specsDir, name+".json")))
		})
	}
	entries, err := os.ReadDir(specsDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if !specs[entry.Name()] {
			t.Errorf("%s is the spec of no RPC", entry.Name())
		}
	}
}

// runSpec compares what the upstream was asked, and what the caller got.
func runSpec(t *testing.T, m *catalog.Method, s spec) {
	t.Helper()
	up := &recorder{status: s.Reply.Status, body: s.Reply.Body}
	server := httptest.NewServer(up)
	t.Cleanup(server.Close)
	client, err := upstream.New(upstream.Config{BaseURL: server.URL + "/v1", Key: keyFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	gateway := gatewaytest.New(t, gatewaytest.WithUpstream(client))

	request, response := m.Request.New().Interface(), m.Response.New().Interface()
	if err := protojson.Unmarshal(s.Request, request); err != nil {
		t.Fatalf("the spec's request is not a %s: %v", m.Request.Descriptor().Name(), err)
	}
	err = gateway.Client("root").CallUnary(t.Context(), connect.Spec{
		StreamType: connect.StreamTypeUnary,
		Procedure:  m.Procedure,
		Schema:     m.Descriptor,
	}, request, response)
	if err != nil {
		t.Fatalf("the call failed: %v", err)
	}

	asked := up.only(t)
	if got, want := asked.method+" "+asked.path, s.HTTP.Method+" /v1"+s.HTTP.Path; got != want {
		t.Errorf("asked for %s, want %s", got, want)
	}
	if diff := cmp.Diff(s.HTTP.Query, asked.query); diff != "" {
		t.Errorf("query (-want +got):\n%s", diff)
	}
	switch want := decodeJSON(t, s.HTTP.Body); {
	case want == nil && len(asked.body) > 0:
		t.Errorf("sent a body of %d bytes, want none", len(asked.body))
	case want != nil:
		if diff := cmp.Diff(want, decodeJSON(t, asked.body)); diff != "" {
			t.Errorf("body (-want +got):\n%s", diff)
		}
	}
	got, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(decodeJSON(t, s.Answer), decodeJSON(t, got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func readSpec(t *testing.T, path string) spec {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("every RPC has a spec: %v", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var s spec
	if err := decoder.Decode(&s); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return s
}

// decodeJSON keeps numbers as they are written: a float64 would hide a digit
// that was lost.
func decodeJSON(t *testing.T, data []byte) any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, data)
	}
	if decoder.More() {
		t.Fatalf("more than one JSON value:\n%s", data)
	}
	return v
}

func keyFile(t *testing.T) upstream.KeySource {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("sk-admin-of-the-specs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return upstream.FromFile(path, nil)
}

// asked is one HTTP request as it arrived.
type asked struct {
	method, path string // the path as it was escaped
	query        url.Values
	body         []byte
}

// recorder replies the same to every request, and keeps what it was asked.
type recorder struct {
	status int
	body   []byte

	mu   sync.Mutex
	seen []asked
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.seen = append(r.seen, asked{req.Method, req.URL.EscapedPath(), query, body})
	r.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(r.status)
	_, _ = w.Write(r.body) // A caller that is gone has its own error.
}

// only returns the request, of which there must have been one.
func (r *recorder) only(t *testing.T) asked {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.seen) != 1 {
		t.Fatalf("the upstream was asked %d times, want once", len(r.seen))
	}
	return slices.Clone(r.seen)[0]
}
