package gatewaytest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/sandbox"
	"github.com/admin-gateway/admin-gateway/service/pacing"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// UpstreamFunc is an upstream of one function.
type UpstreamFunc func(context.Context) (*upstream.Reply, error)

// Do implements [upstream.Attempter].
func (f UpstreamFunc) Do(ctx context.Context, _ *upstream.Endpoint, _ *upstream.Request) (*upstream.Reply, error) {
	return f(ctx)
}

// LeastAnswers is an upstream that answers every operation with the members that make
// its answer one ([catalogtest.LeastAnswer]). The members in with, such as
// `"id": "x_1"`, come after them, and replace those of the same name.
func LeastAnswers(tb testing.TB, with string) upstream.Attempter {
	tb.Helper()
	answers := make(leastAnswers)
	for _, m := range catalogtest.Gateway(tb).Mirrored() {
		answer := catalogtest.LeastAnswer(tb, m)
		if with != "" {
			answer = strings.TrimSuffix(answer, "}") + "," + with + "}"
		}
		answers[m.Endpoint.String()] = answer
	}
	return answers
}

// leastAnswers are answers by verb and template.
type leastAnswers map[string]string

// Do implements [upstream.Attempter].
func (a leastAnswers) Do(_ context.Context, endpoint *upstream.Endpoint, _ *upstream.Request) (*upstream.Reply, error) {
	return &upstream.Reply{Status: http.StatusOK, RequestID: "up_1", Body: []byte(a[endpoint.String()])}, nil
}

// AnswerProject is an [UpstreamFunc] that answers with a project.
func AnswerProject(context.Context) (*upstream.Reply, error) {
	return &upstream.Reply{Status: http.StatusOK, Body: []byte(`{"id": "proj_1", "object": "organization.project", "name": "one", "created_at": 1}`)}, nil
}

// counted counts the requests that reach an upstream.
type counted struct {
	upstream.Attempter
	asked *atomic.Int32
}

// Do implements [upstream.Attempter].
func (c counted) Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	c.asked.Add(1)
	return c.Attempter.Do(ctx, endpoint, request)
}

// Gate stands in front of an upstream, and lets a test delay or refuse requests.
type Gate struct {
	// Before is called before the nth request is sent, counted from 1. Its error is
	// the answer; nil refuses nothing.
	Before func(ctx context.Context, n int64, endpoint *upstream.Endpoint, request *upstream.Request) error
	// Asked counts the requests; InFlight are those that have not been answered.
	Asked, InFlight atomic.Int64

	inner pacing.Upstream
}

// Do implements [upstream.Attempter].
func (g *Gate) Do(ctx context.Context, endpoint *upstream.Endpoint, request *upstream.Request) (*upstream.Reply, error) {
	g.InFlight.Add(1)
	defer g.InFlight.Add(-1)
	n := g.Asked.Add(1)
	if g.Before != nil {
		if err := g.Before(ctx, n, endpoint, request); err != nil {
			return nil, err
		}
	}
	delivery, err := g.inner.Admit(ctx, endpoint, request)
	if err != nil {
		return nil, err
	}
	return delivery.Send(ctx, ctx)
}

// SandboxKey is the credential of a sandbox.
type SandboxKey struct{}

// Key implements [upstream.KeySource].
func (SandboxKey) Key(context.Context) (upstream.Secret, error) {
	return upstream.NewSecret(sandbox.DefaultAdminKey), nil
}

// Sandbox is a sandbox that is served over HTTP. Several gateways may share it.
type Sandbox struct {
	*sandbox.Sandbox
	// URL is where it is served, and Client calls it without a gateway.
	URL    string
	Client *http.Client

	mu   sync.Mutex
	last Answer
}

// Answer is an answer as it was sent.
type Answer struct {
	Status int
	Path   string
	Body   []byte
}

// NewSandbox serves a sandbox; its seed is 7 unless the options have another.
func NewSandbox(tb testing.TB, options sandbox.Options) *Sandbox {
	tb.Helper()
	if options.Seed == 0 {
		options.Seed = 7
	}
	s := &Sandbox{Sandbox: sandbox.New(options)}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(server.Close)
	s.URL, s.Client = server.URL, server.Client()
	return s
}

// Last is the sandbox's last answer.
func (s *Sandbox) Last() Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.last
}

// Upstream is a client of the sandbox.
func (s *Sandbox) Upstream(tb testing.TB) *upstream.Client {
	tb.Helper()
	return s.upstream(tb, nil, nil)
}

func (s *Sandbox) upstream(tb testing.TB, tracer trace.Tracer, logger *slog.Logger) *upstream.Client {
	tb.Helper()
	client, err := upstream.New(upstream.Config{BaseURL: s.URL + "/v1", Key: SandboxKey{}, Tracer: tracer, Logger: logger})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(client.Close)
	return client
}

func (s *Sandbox) serve(w http.ResponseWriter, r *http.Request) {
	out := &tee{ResponseWriter: w, status: http.StatusOK}
	s.ServeHTTP(out, r)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last = Answer{out.status, r.URL.Path, out.body.Bytes()}
}

// tee keeps a copy of an answer.
type tee struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader implements [http.ResponseWriter].
func (w *tee) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *tee) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

// Unwrap is for [http.ResponseController].
func (w *tee) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// unpaced sends the requests of an attempter: each is admitted at once, and attempted
// once.
type unpaced struct{ upstream.Attempter }

// Admit implements pacing.Upstream.
func (u unpaced) Admit(_ context.Context, e *upstream.Endpoint, r *upstream.Request) (upstream.Delivery, error) {
	return attempt{u.Attempter, e, r}, nil
}

// attempt is a delivery of one attempt.
type attempt struct {
	client   upstream.Attempter
	endpoint *upstream.Endpoint
	request  *upstream.Request
}

// Send implements [upstream.Delivery].
func (a attempt) Send(waiting, sending context.Context) (*upstream.Reply, error) {
	if waiting.Err() != nil {
		sending = waiting
	}
	return a.client.Do(sending, a.endpoint, a.request)
}

// Abandon implements [upstream.Delivery].
func (attempt) Abandon() {}
