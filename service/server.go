package service

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connectgzip"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/grpcreflect/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

const (
	// DefaultLongestCall bounds a call whose caller sets no deadline.
	DefaultLongestCall = 2 * time.Minute
	// maxRequestBytes bounds a request after decompression. The largest that
	// the upstream takes is a certificate.
	maxRequestBytes = 1 << 20
	// compressMinBytes is where compressing an answer begins to pay.
	compressMinBytes = 1 << 10
)

// Options configure [NewServer]. Upstream, Callers, Authenticator and Audit are
// required.
type Options struct {
	// Upstream answers what the gateway cannot.
	Upstream Upstream
	// Budget tells how the upstream's budget is spent; nil does not pace.
	Budget Budget
	// Cache remembers answers to reads; nil asks the upstream every time.
	Cache *Cache
	// Idempotency remembers what came of writes whose callers gave them a key;
	// nil refuses these.
	Idempotency *Idempotency
	// Callers holds the policy in force.
	Callers Callers
	// Authenticator tells who makes a call.
	Authenticator Authenticator
	// Authenticated is told of every call whose caller has shown who it is, with
	// the context that the door gave it; nil: nobody is. It must not block.
	Authenticated func(ctx context.Context)
	// Audit keeps a record of every call.
	Audit AuditLog
	// AuditRequired refuses a write whose record cannot be kept.
	AuditRequired bool
	// Reflection serves gRPC server reflection, to callers that have the
	// permission reflection.read.
	Reflection bool
	// Health is served as grpc.health.v1, to everybody, and ends streams when the
	// gateway stops; nil does neither.
	Health *Health
	// Metrics counts calls; nil counts for nobody.
	Metrics prometheus.Registerer
	// Tracer makes the spans of calls and of their stages; nil makes none.
	Tracer trace.Tracer
	// Logger gets a line a call, with its request_id and trace_id; the default
	// discards it.
	Logger *slog.Logger
	// Validator checks requests; the default applies the rules that their schema
	// declares. What it compiles of these is kept by it: servers of one process
	// may share one.
	Validator Validator
	// LongestCall bounds every call but streams; default [DefaultLongestCall].
	LongestCall time.Duration
	// FanOut says how the RPCs go about it that are made of many reads.
	FanOut FanOutOptions
}

// NewServer registers every method of the catalog behind the interceptors. The
// doors are transports that call it.
func NewServer(catalog *Catalog, options Options) (*connect.Server, error) {
	if options.Upstream == nil || options.Callers == nil || options.Authenticator == nil || options.Audit == nil {
		return nil, errors.New("service: Options.Upstream, Callers, Authenticator and Audit are required")
	}
	options.Logger = callLogger(options.Logger)
	if options.LongestCall <= 0 {
		options.LongestCall = DefaultLongestCall
	}
	options.FanOut.applyDefaults()
	if options.Validator == nil {
		validator, err := NewValidator()
		if err != nil {
			return nil, err
		}
		options.Validator = validator
	}
	counters, err := newMetrics(options.Metrics, catalog)
	if err != nil {
		return nil, fmt.Errorf("service: metrics: %w", err)
	}
	tracing := newTracing(options.Tracer, counters.calls.names)
	r := &road{
		catalog:       catalog,
		methods:       catalog.access,
		cache:         &cacheStep{options.Cache, options.Upstream, tracing},
		idempotency:   options.Idempotency,
		validator:     options.Validator,
		callers:       options.Callers,
		authenticator: options.Authenticator,
		authenticated: options.Authenticated,
		audit:         options.Audit,
		auditRequired: options.AuditRequired,
		metrics:       counters,
		logger:        options.Logger,
		fan:           options.FanOut,
		budget:        options.Budget,
		tracing:       tracing,
	}
	if options.Health != nil {
		r.health = newHealthService(options.Health)
	}
	server := connect.NewServer(r.interceptors(options.LongestCall)...)
	for _, m := range catalog.methods {
		server.Register(connect.Method{Spec: m.spec(), Handler: r.handler(m)})
	}
	if err := r.registerOwn(server, cacheService{catalog, r.cache}.handlers(), budgetService{options.Budget}.handlers()); err != nil {
		return nil, err
	}
	if options.Reflection {
		grpcreflect.Register(server)
	}
	if r.health != nil {
		r.health.register(server)
	}
	server.SetUnknownHandler(func(context.Context, connect.Spec, connect.ServerStream) error {
		return &rpcerror.Error{Code: connect.CodeUnimplemented, Reason: rpcerror.ReasonUnknownMethod, Message: "no such method"}
	})
	return server, nil
}

// HTTPOption changes how [NewHTTPHandler] serves.
type HTTPOption func(*httpSettings)

type httpSettings struct{ maxRequestBytes int }

// WithMaxRequestBytes bounds a request, as it is sent and as it is after
// decompression; n is at least 1.
func WithMaxRequestBytes(n int) HTTPOption {
	return func(s *httpSettings) { s.maxRequestBytes = n }
}

// newGzip compresses at the least cost: for a hit, compressing is most of the work,
// and the levels above save a tenth of the bytes for a multiple of the time.
func newGzip() connect.Compressor {
	return connectgzip.New(connectgzip.WithLevel(gzip.BestSpeed))
}

// NewHTTPHandler is the door for Connect, gRPC, gRPC-Web and, below /v1, the
// upstream's own REST paths. gRPC needs HTTP/2, so the http.Server has to speak
// it. The catalog is the one that server was made of. A request may have 1 MiB,
// unless an option says otherwise.
func NewHTTPHandler(server *connect.Server, catalog *Catalog, options ...HTTPOption) http.Handler {
	settings := httpSettings{maxRequestBytes: maxRequestBytes}
	for _, option := range options {
		option(&settings)
	}
	mux := http.NewServeMux()
	connecthttp.Mount(doorMux{mux}, server,
		connecthttp.WithCodecs(codecs()...),
		connecthttp.WithReadMaxBytes(settings.maxRequestBytes),
		connecthttp.WithCompressors(newGzip()),
		connecthttp.WithCompressMinBytes(compressMinBytes),
	)
	rest := newRESTDoor(server, catalog, settings.maxRequestBytes)
	return WithInterrupts(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rest.takes(r) {
			rest.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
}
