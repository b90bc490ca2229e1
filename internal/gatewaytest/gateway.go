package gatewaytest

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/cache/outcome"
	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/audittest"
	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/leases"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pacing"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/service/recent"
	"github.com/admin-gateway/admin-gateway/service/record"
	"github.com/admin-gateway/admin-gateway/upstream"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Gateway is a running gateway and what a test observes of it. A field that belongs
// to an option is nil without the option.
type Gateway struct {
	Catalog *catalog.Catalog
	Server  *connect.Server
	// Policy is the policy in force; a test may replace it.
	Policy *admissiontest.Policy
	// Asked counts the requests that reached the upstream of [WithUpstream].
	Asked atomic.Int32
	// Records is the audit log; nil with [WithAudit] and [WithAuditFile].
	Records *Records
	// AuditFile is the audit log of [WithAuditFile].
	AuditFile *AuditFile
	// Logs are the lines of the log of [WithLogs].
	Logs *Logs
	// Sandbox is that of [WithSandbox].
	Sandbox *Sandbox
	// Pacer is that of [WithPacing].
	Pacer *pace.Pacer
	// Metrics and Spans are those of [WithTelemetry].
	Metrics *prometheus.Registry
	Spans   *tracetest.InMemoryExporter
	// Drift counts where the upstream's answers deviate, with [WithDrift].
	Drift *adminjson.Drift

	tb    testing.TB
	https func() *Web
	http  func() *Web
	fast  func() GRPCClient
	fasts func() GRPCClient

	mu          sync.Mutex
	lastRequest *http.Request
	lastREST    Answer
}

// AuditFile is an audit log in a file.
type AuditFile struct {
	*audit.Log
	// Path is where the file is.
	Path string
}

// settings are what the options say.
type settings struct {
	policy      string
	upstream    upstream.Attempter
	admitting   bool // service.Options.Upstream was given
	sandbox     *Sandbox
	pacing      *pace.Options
	gate        *Gate
	now         func() time.Time
	near        func(*cache.Memory)
	cache       func(testing.TB, *catalog.Catalog) *readcache.Cache
	outcomes    outcome.Store
	leases      func(testing.TB, *service.Options) *leases.Leases
	auditFile   bool
	logs        bool
	telemetry   bool
	drift       bool
	options     service.Options
	adjustments []func(*service.Options)
}

// Option changes the gateway that [New] builds.
type Option func(*settings)

// WithUpstream puts an upstream behind the gateway. The default is
// [AnswerProject].
func WithUpstream(up upstream.Attempter) Option { return func(s *settings) { s.upstream = up } }

// WithSender gives the gateway an upstream that admits requests by itself.
func WithSender(sender *upstream.Sender) Option {
	return func(s *settings) { s.options.Upstream, s.admitting = sender, true }
}

// WithSandbox puts a sandbox behind the gateway, over HTTP.
func WithSandbox(sandbox *Sandbox) Option { return func(s *settings) { s.sandbox = sandbox } }

// WithPacing paces the calls to the upstream. The default does not pace.
func WithPacing(options pace.Options) Option { return func(s *settings) { s.pacing = &options } }

// WithGate puts a gate in front of the upstream.
func WithGate(gate *Gate) Option { return func(s *settings) { s.gate = gate } }

// WithPolicy sets the policy, in the form of [admissiontest.ParsePolicy]. The default is
// [admissiontest.RootPolicy].
func WithPolicy(text string) Option { return func(s *settings) { s.policy = text } }

// WithClock sets the clock of the memory cache and of inventories. The default is the
// time.
func WithClock(now func() time.Time) Option { return func(s *settings) { s.now = now } }

// WithMemoryCache stores answers in memory. The default stores nothing.
func WithMemoryCache(adjust ...func(*readcache.Options, *catalog.Catalog)) Option {
	return func(s *settings) {
		s.cache = func(tb testing.TB, methods *catalog.Catalog) *readcache.Cache {
			tb.Helper()
			return memoryCache(tb, methods, s.now, adjust...)
		}
	}
}

// WithRedisCache stores answers in memory and in the Redis at addr, as one replica
// among others. Keys, if there are any, encrypt the entries in Redis.
func WithRedisCache(addr string, keys ...[]byte) Option {
	return func(s *settings) {
		s.cache = func(tb testing.TB, methods *catalog.Catalog) *readcache.Cache {
			tb.Helper()
			return redisCache(tb, methods, addr, s.near, keys...)
		}
	}
}

// WithNear tells of the memory of [WithRedisCache].
func WithNear(is func(*cache.Memory)) Option { return func(s *settings) { s.near = is } }

// WithIdempotency accepts keys of writes, and keeps their outcomes in a store. The
// default refuses keys.
func WithIdempotency(outcomes outcome.Store) Option {
	return func(s *settings) { s.outcomes = outcomes }
}

// WithAudit replaces the audit log in memory.
func WithAudit(log record.Log) Option {
	return func(s *settings) { s.options.Audit, s.auditFile = log, false }
}

// WithAuditFile writes the audit log to a file.
func WithAuditFile() Option {
	return func(s *settings) { s.options.Audit, s.auditFile = nil, true }
}

// WithRequiredAudit refuses a write whose record cannot be kept.
func WithRequiredAudit() Option {
	return func(s *settings) { s.options.AuditRequired = record.RequireWrites }
}

// WithLogs collects the lines of the log, those for debugging too, those of all calls,
// and those of the client of the upstream. The default discards them.
func WithLogs() Option { return func(s *settings) { s.logs = true } }

// WithTelemetry collects metrics and spans.
func WithTelemetry() Option { return func(s *settings) { s.telemetry = true } }

// WithDrift compiles a catalog of the gateway's own, whose codecs count drift.
func WithDrift() Option { return func(s *settings) { s.drift = true } }

// WithOptions changes the options of the server, after all other options.
func WithOptions(adjust func(*service.Options)) Option {
	return func(s *settings) { s.adjustments = append(s.adjustments, adjust) }
}

// compiledRules are the rules of requests. All servers of a process share them:
// compiling them is most of the cost of the first call of a method.
//
//nolint:gochecknoglobals // A value that is computed once and never changes.
var compiledRules = sync.OnceValues(admission.NewValidator)

// New builds a gateway. Without options it has an upstream that answers every call
// with a project, one caller, root, that may do everything, and an audit log in
// memory. Its doors are opened when they are first used, and closed with the test.
func New(tb testing.TB, options ...Option) *Gateway {
	tb.Helper()
	s := settings{policy: admissiontest.RootPolicy}
	for _, option := range options {
		option(&s)
	}
	g := &Gateway{tb: tb, Catalog: catalogtest.Gateway(tb), Sandbox: s.sandbox}
	if s.drift {
		g.Drift = new(adminjson.Drift)
		var err error
		if g.Catalog, err = catalog.New(catalog.Files(), g.Drift); err != nil {
			tb.Fatal(err)
		}
	}
	g.observe(&s)
	g.connect(&s)
	g.Policy = admissiontest.NewPolicy(tb, g.Catalog, s.policy)
	s.options.Callers, s.options.Inventory.Now = g.Policy, s.now
	s.options.Inventory.TokenKeys = func(context.Context) ([][]byte, error) {
		return [][]byte{[]byte("replicas share this key of tokens")}, nil
	}
	if s.cache != nil {
		s.options.Cache = s.cache(tb, g.Catalog)
	}
	if s.outcomes != nil {
		s.options.Idempotency = keyed(tb, s.outcomes)
	}
	for _, adjust := range s.adjustments {
		adjust(&s.options)
	}
	if s.leases != nil {
		s.options.Leases = s.leases(tb, &s.options)
	}
	if s.gate != nil {
		s.gate.inner, s.options.Upstream = s.options.Upstream, unpaced{s.gate}
	}
	g.serve(s.options)
	if s.options.Leases != nil {
		g.keep(s.options.Leases)
	}
	return g
}

// observe makes what a test sees of the gateway.
func (g *Gateway) observe(s *settings) {
	g.tb.Helper()
	if s.logs {
		g.Logs = new(Logs)
		s.options.Logger = slog.New(slog.NewJSONHandler(g.Logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
		s.options.Lines.Calls = observe.AllCalls
	}
	if s.telemetry {
		g.Metrics = prometheus.NewRegistry()
		g.Spans = tracetest.NewInMemoryExporter()
		provider := sdktrace.NewTracerProvider(sdktrace.WithSyncer(g.Spans), sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.AlwaysSample())))
		g.tb.Cleanup(func() { _ = provider.Shutdown(context.Background()) }) // Nothing is buffered.
		s.options.Metrics, s.options.Tracer = g.Metrics, provider.Tracer("test")
	}
	remembered := recent.New(recent.Options{Bytes: recent.DefaultBytes})
	switch {
	case s.auditFile:
		s.options.Recent = remembered
		path := filepath.Join(g.tb.TempDir(), "audit")
		log, err := audit.Open(audit.Options{Path: path, Queue: 1 << 16, Memory: remembered})
		if err != nil {
			g.tb.Fatal(err)
		}
		g.tb.Cleanup(func() {
			_ = log.Close(context.Background()) // A test that reads the file has closed it.
			text, err := os.ReadFile(path)
			if err != nil {
				g.tb.Error(err)
			}
			audittest.Lines(g.tb, text)
		})
		g.AuditFile = &AuditFile{Log: log, Path: path}
		s.options.Audit = log
	case s.options.Audit == nil:
		g.Records = &Records{remembered: remembered}
		s.options.Recent = remembered
		s.options.Audit = g.Records
	default:
		g.Records, _ = s.options.Audit.(*Records)
	}
	if records := g.Records; records != nil {
		g.tb.Cleanup(func() { audittest.Records(g.tb, records.All()) })
	}
}

// connect makes the way to the upstream.
func (g *Gateway) connect(s *settings) {
	g.tb.Helper()
	if s.admitting {
		return
	}
	var attempter upstream.Attempter = counted{UpstreamFunc(AnswerProject), &g.Asked}
	switch {
	case s.sandbox != nil:
		attempter = s.sandbox.upstream(g.tb, s.options.Tracer, s.options.Logger)
	case s.upstream != nil:
		attempter = counted{s.upstream, &g.Asked}
	}
	if s.pacing == nil {
		s.options.Upstream = unpaced{attempter}
		return
	}
	pacer, err := pace.New(*s.pacing)
	if err != nil {
		g.tb.Fatal(err)
	}
	g.tb.Cleanup(pacer.Close)
	sender, err := upstream.NewSender(upstream.SenderOptions{Client: attempter, Pacer: pacing.Accounted(upstream.PacedBy(pacer)), Bucket: g.Catalog.BudgetOf, Logger: s.options.Logger})
	if err != nil {
		g.tb.Fatal(err)
	}
	g.Pacer, s.options.Upstream, s.options.Budget = pacer, sender, pacer
}

// serve makes the server, with doors that open when they are used.
func (g *Gateway) serve(options service.Options) {
	g.tb.Helper()
	authenticator, err := authn.New(authn.Config{})
	if err != nil {
		g.tb.Fatal(err)
	}
	g.tb.Cleanup(authenticator.Close)
	if options.Authenticator == nil {
		options.Authenticator = authenticator
	}
	if options.Validator == nil {
		if options.Validator, err = compiledRules(); err != nil {
			g.tb.Fatal(err)
		}
	}
	if g.Server, err = service.NewServer(g.Catalog, options); err != nil {
		g.tb.Fatal(err)
	}
	g.https, g.http = sync.OnceValue(g.openHTTPS), sync.OnceValue(g.openHTTP)
	g.fast, g.fasts = sync.OnceValue(g.openFast), sync.OnceValue(g.openFastTLS)
}

// keyed keeps the outcomes of writes with keys.
func keyed(tb testing.TB, outcomes outcome.Store) *idempotency.Outcomes {
	tb.Helper()
	made, err := idempotency.New(idempotency.Options{Outcomes: outcomes, Scope: "upstream", Org: organization})
	if err != nil {
		tb.Fatal(err)
	}
	return made
}

// organization is the organization of every upstream.
func organization(context.Context) (string, error) { return "org", nil }
