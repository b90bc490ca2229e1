package service_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// tourNow is the sandbox's clock during a tour: a Wednesday afternoon.
var tourNow = time.Date(2026, time.March, 18, 15, 30, 20, 0, time.UTC)

// door is a way to call the gateway over HTTP, and how to tell that it was taken.
type door struct {
	name    string
	options []connecthttp.Option
	// contentType is what a POST has; reads are GETs where get is set.
	contentType string
	get         bool
	// fast is the door that is not net/http's, with grpc-go's client.
	fast bool
	// rest is the upstream's own protocol.
	rest bool
}

var doors = []door{
	{name: "gRPC", options: []connecthttp.Option{connecthttp.WithGRPC()}, contentType: "application/grpc"},
	{name: "gRPC-Web", options: []connecthttp.Option{connecthttp.WithGRPCWeb()}, contentType: "application/grpc-web"},
	{name: "Connect protobuf", contentType: "application/proto"},
	{name: "Connect JSON", options: []connecthttp.Option{connecthttp.WithProtoJSON()}, contentType: "application/json"},
	{name: "Connect GET protobuf", options: []connecthttp.Option{connecthttp.WithHTTPGet()}, contentType: "application/proto", get: true},
	{name: "Connect GET JSON", options: []connecthttp.Option{connecthttp.WithHTTPGet(), connecthttp.WithProtoJSON()}, contentType: "application/json", get: true},
	{name: "gRPC, fast", fast: true},
	{name: "REST", get: true, rest: true},
}

// TestMirror calls every RPC through every door, and compares every field of
// every answer with what the sandbox said, and what was written with what the
// sandbox holds afterwards.
func TestMirror(t *testing.T) {
	t.Parallel()
	for _, d := range doors {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			newMirror(t, sandbox.Options{}).tour(t, d)
		})
	}
	t.Run("costs as numbers", func(t *testing.T) {
		t.Parallel()
		newMirror(t, sandbox.Options{CostsAsNumbers: true}).tour(t, doors[0])
	})
}

// mirror is a gateway in front of a sandbox, both over HTTP.
type mirror struct {
	catalog *catalog.Catalog
	drift   *adminjson.Drift
	fake    *sandbox.Sandbox
	fakeURL string
	direct  *http.Client // past the gateway
	url     string
	client  *http.Client
	fast    func() connect.Transport
	logs    *logLines
	policy  *testPolicy
	metrics *prometheus.Registry
	spans   *tracetest.InMemoryExporter
	audit   string // the path of the audit log
	records *audit.Log

	mu    sync.Mutex
	asked *http.Request // the last request at the gateway's door
	said  recorded      // the sandbox's last answer to the gateway
	heard recorded      // the gateway's last answer at its REST door
}

// recorded is an answer as it left the sandbox.
type recorded struct {
	status int
	path   string
	body   []byte
}

func newMirror(t *testing.T, options sandbox.Options, adjust ...func(*service.Options)) *mirror {
	t.Helper()
	options.Seed, options.Now = 7, func() time.Time { return tourNow }
	if options.Users == 0 {
		options.Users, options.Projects, options.AuditEvents = 60, 12, 400
	}
	m := &mirror{drift: new(adminjson.Drift), fake: sandbox.New(options), logs: new(logLines)}
	fake := httptest.NewServer(m.record(m.fake))
	t.Cleanup(fake.Close)
	m.fakeURL, m.direct = fake.URL, fake.Client()

	var err error
	if m.catalog, err = catalog.New(catalog.Files(), m.drift); err != nil {
		t.Fatal(err)
	}
	var tracer trace.Tracer
	m.spans, tracer = inMemorySpans(t)
	client, err := upstream.New(upstream.Config{BaseURL: fake.URL + "/v1", Key: sandboxKey{}, Tracer: tracer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	m.policy, m.metrics, m.audit = newPolicy(t, m.catalog, rootPolicy), prometheus.NewRegistry(), filepath.Join(t.TempDir(), "audit")
	if m.records, err = audit.Open(audit.Options{Path: m.audit, Queue: 1 << 16}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.records.Close(context.Background()) }) // Closed twice where a test reads it.
	config := service.Options{Upstream: upstream.Unpaced(client), Callers: m.policy, Audit: m.records, Metrics: m.metrics, Tracer: tracer, Logger: slog.New(slog.NewJSONHandler(m.logs, nil))}
	config.Inventory.Now = options.Now
	for _, adjust := range adjust {
		adjust(&config)
	}
	server := open(t, m.catalog, config)
	inner := service.NewHTTPHandler(server, m.catalog)
	gateway := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.asked = r
		m.mu.Unlock()
		inner.ServeHTTP(w, r)
	}))
	gateway.EnableHTTP2 = true
	gateway.StartTLS()
	t.Cleanup(gateway.Close)
	m.url, m.client = gateway.URL, gateway.Client()
	t.Cleanup(m.client.CloseIdleConnections)
	m.fast = sync.OnceValue(func() connect.Transport {
		roots := x509.NewCertPool()
		roots.AddCert(gateway.Certificate())
		return fastDoor(t, server, &tls.Config{Certificates: gateway.TLS.Certificates}, &tls.Config{RootCAs: roots})
	})
	return m
}

// sandboxKey is the credential of a sandbox.
type sandboxKey struct{}

func (sandboxKey) Key(context.Context) (upstream.Secret, error) {
	return upstream.NewSecret(sandbox.DefaultAdminKey), nil
}

// record keeps the last answer of next.
func (m *mirror) record(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &tee{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(out, r)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.said = recorded{out.status, r.URL.Path, out.body.Bytes()}
	})
}

type tee struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (w *tee) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *tee) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

func (w *tee) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (m *mirror) last() (*http.Request, recorded) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked, m.said
}

// call makes one call through a door.
func (m *mirror) call(ctx context.Context, d door, method *catalog.Method, request, response proto.Message) error {
	return as("root", m.transport(d)).CallUnary(ctx, specOf(method), request, response)
}

// transport is the way to a door.
func (m *mirror) transport(d door) connect.Transport {
	switch {
	case d.fast:
		return m.fast()
	case d.rest:
		return &restTransport{catalog: m.catalog, client: m.client, url: m.url, said: func(status int, body []byte) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.heard = recorded{status: status, body: body}
		}}
	default:
		return connecthttp.NewTransport(m.client, m.url, d.options...)
	}
}

func (m *mirror) tour(t *testing.T, d door) {
	t.Helper()
	w := newWorld(t)
	readBack := 0
	for _, s := range readTour(t, m.catalog) {
		before := m.fake.Counts()[s.method.Endpoint.String()]
		request, response := s.message(t, w), s.method.Response.New()
		if err := m.call(t.Context(), d, s.method, request, response.Interface()); err != nil {
			t.Fatalf("tour.txt:%d: %s: %v", s.line, s.method.ShortName(), err)
		}
		asked, said := m.last()
		if d.fast {
			if asked != nil {
				t.Fatalf("%s came over the other door", s.method.ShortName())
			}
		} else if get := d.get && s.method.Read; get != (asked.Method == http.MethodGet) {
			t.Fatalf("%s came as %s", s.method.ShortName(), asked.Method)
		} else if kind := asked.Header.Get("Content-Type"); !get && !strings.HasPrefix(kind, d.contentType) {
			t.Fatalf("%s came as %s", s.method.ShortName(), kind)
		}
		if n := m.fake.Counts()[s.method.Endpoint.String()] - before; n != 1 {
			t.Errorf("%s: the sandbox was asked %d times, want once", s.method.ShortName(), n)
		}
		m.compare(t, s, said, response)
		if d.rest && !bytes.Equal(m.heard.body, said.body) {
			t.Errorf("%s: the REST door answered %s, the sandbox %s", s.method.ShortName(), m.heard.body, said.body)
		}
		if !s.method.Read && m.readBack(t, s, said, response) {
			readBack++
		}
		s.learn(t, w, response.Interface())
	}
	if readBack < 45 {
		t.Errorf("only %d writes could be compared with what the sandbox held afterwards", readBack)
	}
	if unknown := m.drift.Snapshot(); len(unknown) > 0 {
		t.Errorf("the answers had what the schema lacks: %v", unknown)
	}
}

// compare wants every value of the sandbox's answer in the typed one.
func (m *mirror) compare(t *testing.T, s stop, said recorded, response protoreflect.Message) {
	t.Helper()
	var o oracle
	o.object("$", decodeJSON(t, said.body), payload(s.method, response))
	for _, fault := range o.faults {
		t.Errorf("tour.txt:%d: %s: %s", s.line, s.method.ShortName(), fault)
	}
	if list := response.Descriptor().Fields().ByName("data"); list != nil && response.Get(list).List().Len() == 0 {
		t.Errorf("tour.txt:%d: %s lists nothing: there was nothing to compare", s.line, s.method.ShortName())
	}
	if o.leaves == 0 {
		t.Errorf("tour.txt:%d: %s: not one value to compare", s.line, s.method.ShortName())
	}
}

// payload is the message that the upstream's JSON fills.
func payload(m *catalog.Method, response protoreflect.Message) protoreflect.Message {
	rule, _ := proto.GetExtension(m.Descriptor.Options(), annotations.E_Http).(*annotations.HttpRule)
	if name := rule.GetResponseBody(); name != "" {
		return response.Get(response.Descriptor().Fields().ByName(protoreflect.Name(name))).Message()
	}
	return response
}

// readBack asks the sandbox itself what a write has left behind: at the path of
// the write, or below it at the id of what was created. False where the API has
// no such read.
func (m *mirror) readBack(t *testing.T, s stop, said recorded, response protoreflect.Message) bool {
	t.Helper()
	path := said.path
	template := s.method.Endpoint.Template()
	body := payload(s.method, response)
	if !m.readable(template) || s.method.Endpoint.Verb() == http.MethodPost && m.readable(template+"/{}") {
		id := body.Descriptor().Fields().ByName("id")
		if id == nil || !m.readable(template+"/{}") {
			return false
		}
		path += "/" + body.Get(id).String()
	}
	status, held := m.ask(t, path)
	if s.method.Endpoint.Verb() == http.MethodDelete {
		// What is a setting goes back to a default, or is gone too.
		if object, _ := decodeJSON(t, held).(map[string]any); status != http.StatusNotFound && object["id"] != nil {
			t.Errorf("%s: the sandbox still holds %s", s.method.ShortName(), held)
		}
		return true
	}
	if status != http.StatusOK {
		t.Errorf("%s: reading %s gives %d", s.method.ShortName(), path, status)
		return true
	}
	object, ok := decodeJSON(t, held).(map[string]any)
	if !ok {
		t.Fatalf("%s holds %s", path, held)
	}
	var told map[string]any
	if told, ok = decodeJSON(t, said.body).(map[string]any); !ok {
		t.Fatalf("%s answered %s", s.method.ShortName(), said.body)
	}
	// The answer to a write may leave members out that a read has.
	for name := range object {
		if _, there := told[name]; !there {
			delete(object, name)
		}
	}
	for _, fault := range lost("$", object, told) {
		t.Errorf("%s: answered otherwise than the sandbox holds: %s", s.method.ShortName(), fault)
	}
	return true
}

// readable tells whether a read has the template, whatever its variables are
// called.
func (m *mirror) readable(template string) bool {
	for _, method := range m.catalog.Mirrored() {
		if method.Read && pathVariable.ReplaceAllString(method.Endpoint.Template(), "{}") == pathVariable.ReplaceAllString(template, "{}") {
			return true
		}
	}
	return false
}

// ask is a direct GET, past the gateway.
func (m *mirror) ask(t *testing.T, path string) (status int, body []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, m.fakeURL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+sandbox.DefaultAdminKey)
	response, err := m.direct.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, body
}
