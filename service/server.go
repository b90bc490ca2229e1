package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/grpcreflect/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"github.com/admin-gateway/admin-gateway/internal/fleet"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/adminkeys"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/agent"
	"github.com/admin-gateway/admin-gateway/service/budget"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/connectdoor"
	"github.com/admin-gateway/admin-gateway/service/health"
	"github.com/admin-gateway/admin-gateway/service/holds"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
	"github.com/admin-gateway/admin-gateway/service/idempotency"
	"github.com/admin-gateway/admin-gateway/service/inventory"
	"github.com/admin-gateway/admin-gateway/service/leases"
	"github.com/admin-gateway/admin-gateway/service/limits"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pacing"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/policy"
	"github.com/admin-gateway/admin-gateway/service/readcache"
	"github.com/admin-gateway/admin-gateway/service/recent"
	"github.com/admin-gateway/admin-gateway/service/record"
	"github.com/admin-gateway/admin-gateway/service/replicas"
	"github.com/admin-gateway/admin-gateway/service/restdoor"
	"github.com/admin-gateway/admin-gateway/service/session"
	"github.com/admin-gateway/admin-gateway/service/spending"
	"github.com/admin-gateway/admin-gateway/service/status"
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

// Budget reports on the upstream's budget, to callers and for leases. A
// *pace.Pacer is one.
type Budget interface {
	inventory.Budget
	leases.Budget
}

// Options configure [NewServer]. Upstream, Callers, Authenticator and Audit are
// required.
type Options struct {
	// Upstream sends requests to the Admin API.
	Upstream pacing.Upstream
	// Budget says how the upstream's budget is spent; nil does not pace.
	Budget Budget
	// Spending is the account of what each caller spends, which the budget is told to
	// write as well; nil has none.
	Spending *spending.Account
	// Status is the state of this replica, for operators; nil knows nothing of it.
	Status status.Source
	// Cache stores answers to reads; nil asks the upstream every time.
	Cache *readcache.Cache
	// Idempotency remembers what came of writes whose callers gave them a key;
	// nil refuses these.
	Idempotency *idempotency.Outcomes
	// Fleet asks all replicas, for the RPCs that are about all of them; nil is this
	// process alone.
	Fleet replicas.Fleet
	// Callers holds the policy in force.
	Callers admission.Callers
	// Authenticator says who makes a call.
	Authenticator admission.Authenticator
	// Sessions exchanges JWTs for sessions, which Authenticator accepts; nil does not.
	Sessions session.Sessions
	// Leases gives leases, and protects the keys and service accounts that they have; nil
	// gives none. The caller runs and closes it.
	Leases *leases.Leases
	// AdminKeys rotates the key with which Upstream calls; nil does not. The caller runs it.
	AdminKeys *adminkeys.AdminKeys
	// Holds are the callers that are held; nil holds nobody. The caller runs it.
	Holds *holds.Holds
	// Limits are the callers with other limits than the policy's; nil gives none. The caller
	// runs it.
	Limits *limits.Limits
	// Audit keeps a record of every call.
	Audit record.Log
	// Recent has the records that Audit keeps in memory too, for AuditService; nil has none.
	Recent *recent.Memory
	// AuditRequired says which calls are refused whose record cannot be kept.
	AuditRequired record.Required
	// AuditKey makes the fingerprints of requests in records; the default makes none.
	AuditKey record.Key
	// Origins finds out from where calls come, for records; the default believes no
	// proxy.
	Origins record.Origins
	// Reflection serves gRPC server reflection, to callers that have the
	// permission reflection.read.
	Reflection bool
	// Health is served as grpc.health.v1, to everybody, and ends streams when the
	// gateway stops; nil does neither.
	Health *health.Health
	// Metrics counts calls; nil counts for nobody.
	Metrics prometheus.Registerer
	// Running is the number of calls that are being served, for who wants to know it beside
	// Metrics; nil for nobody.
	Running *atomic.Int64
	// Tracer makes the spans of calls and of their stages; nil makes none.
	Tracer trace.Tracer
	// Stages measures the stages of calls, and labels profiles by RPC and stage.
	Stages bool
	// Logger gets lines of calls, with their request_id and trace_id; the default
	// discards them.
	Logger *slog.Logger
	// Lines says which calls have a line; the default is those that failed on this side.
	Lines observe.Lines
	// Validator checks requests; the default applies the rules that their schema
	// declares. It keeps what it compiles of these: servers of one process may
	// share one.
	Validator admission.Validator
	// LongestCall bounds every call but streams; default [DefaultLongestCall].
	LongestCall time.Duration
	// Inventory configures the RPCs that are made of many reads.
	Inventory inventory.Options
}

// server is what the interceptors and the handler share. It does not change once it
// is built.
type server struct {
	options   Options
	admission *admission.Controller
	recorder  *record.Recorder
	health    *health.Service
	metrics   *observe.Metrics
	tracer    *observe.Tracer
	chain     pipeline.Invoker
	owned     *agent.Metrics
}

// NewServer registers every method of the catalog behind the interceptors. The
// doors are transports that call it.
func NewServer(methods *catalog.Catalog, options Options) (*connect.Server, error) {
	if options.Upstream == nil || options.Callers == nil || options.Authenticator == nil || options.Audit == nil {
		return nil, errors.New("service: Options.Upstream, Callers, Authenticator and Audit are required")
	}
	options.Logger = accounting.Logger(options.Logger)
	if options.LongestCall <= 0 {
		options.LongestCall = DefaultLongestCall
	}
	options.Inventory = options.Inventory.WithDefaults()
	if options.Fleet == nil {
		alone, err := fleet.New(fleet.Options{Replica: "alone"})
		if err != nil {
			return nil, fmt.Errorf("service: %w", err)
		}
		options.Fleet = alone
	}
	s := &server{options: options}
	if err := s.trace(methods); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	s.recorder = record.New(record.Options{
		Log: options.Audit, Required: options.AuditRequired, Key: options.AuditKey, Origins: options.Origins, Tracer: s.tracer,
	})
	if err := s.build(methods); err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	plans, err := inventory.Compile(methods)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	inventories, err := inventory.New(inventory.Dependencies{
		Plans: plans, Admission: s.admission, Invoker: s.chain, Budget: options.Budget, Logger: options.Logger,
	}, options.Inventory)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	leased, err := s.leases(methods)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	keys, err := s.adminKeys(methods)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	operators, err := s.operators(methods)
	if err != nil {
		return nil, fmt.Errorf("service: %w", err)
	}
	return s.register(methods, readcache.Handlers(methods, options.Cache), operators, session.Handlers(session.Dependencies{Sessions: options.Sessions, Admission: s.admission, Catalog: methods}),
		options.Holds.Handlers(s.admission.Review), options.Limits.Handlers(), inventories.Handlers(), leased, keys)
}

// operators are the handlers of what operators ask about the gateway itself.
func (s *server) operators(methods *catalog.Catalog) (pipeline.Handlers, error) {
	o := &s.options
	d := budget.Dependencies{Spending: o.Spending, Fleet: o.Fleet}
	if o.Budget != nil {
		d.Budget = o.Budget
	}
	all, err := budget.Handlers(d)
	if err != nil {
		return nil, err
	}
	states, err := status.Handlers(o.Status, o.Fleet)
	if err != nil {
		return nil, err
	}
	maps.Copy(all, states)
	records, err := recent.Handlers(o.Recent, o.Fleet)
	if err != nil {
		return nil, err
	}
	maps.Copy(all, records)
	maps.Copy(all, policy.Handlers(methods, o.Callers, o.Limits))
	return all, nil
}

// leased is the protection of what leases have; nil without leases.
func (o *Options) leased() admission.Leased {
	if o.Leases == nil {
		return nil
	}
	return o.Leases
}

// held are the callers that are held; nil where nobody can be.
func (o *Options) held() admission.Held {
	if o.Holds == nil {
		return nil
	}
	return o.Holds
}

// leases are the handlers of LeaseService. The calls of leases take the one chain of
// steps, like those of callers.
func (s *server) leases(methods *catalog.Catalog) (pipeline.Handlers, error) {
	if s.options.Leases == nil {
		return s.options.Leases.Handlers(leases.Dependencies{})
	}
	own, err := leases.Methods(methods)
	if err != nil {
		return nil, err
	}
	calls, err := s.own("leases", own...)
	if err != nil {
		return nil, err
	}
	d := leases.Dependencies{Admission: s.admission, Calls: calls, Catalog: methods}
	if s.options.Budget != nil {
		d.Budget = s.options.Budget
	}
	return s.options.Leases.Handlers(d)
}

// adminKeys are the handlers of AdminKeyService.
func (s *server) adminKeys(methods *catalog.Catalog) (pipeline.Handlers, error) {
	if s.options.AdminKeys == nil {
		return s.options.AdminKeys.Handlers(adminkeys.Dependencies{})
	}
	own, err := adminkeys.Methods(methods)
	if err != nil {
		return nil, err
	}
	calls, err := s.own("admin_key", own...)
	if err != nil {
		return nil, err
	}
	return s.options.AdminKeys.Handlers(adminkeys.Dependencies{Calls: calls, Catalog: methods})
}

// trace makes what shows the stages of calls.
func (s *server) trace(methods *catalog.Catalog) (err error) {
	var stages *observe.Stages
	if s.options.Stages {
		if stages, err = observe.NewStages(s.options.Metrics); err != nil {
			return err
		}
	}
	s.tracer = observe.NewTracer(s.options.Tracer, stages, methods)
	return nil
}

// build makes the parts that have metrics of their own.
func (s *server) build(methods *catalog.Catalog) (err error) {
	o := &s.options
	if o.Validator == nil {
		if o.Validator, err = admission.NewValidator(); err != nil {
			return err
		}
	}
	if s.metrics, err = observe.NewMetrics(o.Metrics, methods, o.Running); err != nil {
		return err
	}
	if s.admission, err = admission.New(admission.Options{
		Catalog: methods, Callers: o.Callers, Authenticator: o.Authenticator, Validator: o.Validator, Leased: o.leased(), Held: o.held(), Metrics: o.Metrics, Tracer: s.tracer,
	}); err != nil {
		return err
	}
	if o.Health != nil {
		if s.health, err = health.NewService(o.Health, o.Metrics, o.Logger); err != nil {
			return err
		}
	}
	reads, err := readcache.NewMetrics(o.Metrics, methods)
	if err != nil {
		return err
	}
	writes, err := idempotency.NewMetrics(o.Metrics)
	if err != nil {
		return err
	}
	s.chain = s.invoker(reads, writes)
	s.owned, err = agent.NewMetrics(o.Metrics)
	return err
}

// register serves every method of the catalog, and fails when nothing answers one. It
// is the only place that registers with a connect.Server what callers may call.
func (s *server) register(methods *catalog.Catalog, handlers ...pipeline.Handlers) (*connect.Server, error) {
	all := make(pipeline.Handlers)
	for _, some := range handlers {
		maps.Copy(all, some)
	}
	registered := connect.NewServer(s.interceptors()...)
	for _, m := range methods.Methods() {
		answer := s.upstream
		if m.Source != catalog.Upstream {
			local := all[m.Procedure]
			if local == nil {
				return nil, fmt.Errorf("service: nothing answers %s", m.Name())
			}
			answer = s.local(local)
		}
		registered.Register(connect.Method{Spec: m.Spec(), Handler: s.handler(m, answer)}) //nolint:forbidigo // This is the place.
	}
	if s.options.Reflection {
		grpcreflect.Register(registered)
	}
	if s.health != nil {
		s.health.Register(registered)
	}
	registered.SetUnknownHandler(func(context.Context, connect.Spec, connect.ServerStream) error { return admission.UnknownMethod() })
	return registered, nil
}

// HTTPOption changes how [NewHTTPHandler] serves.
type HTTPOption func(*httpSettings)

type httpSettings struct {
	maxRequestBytes int
	strays          *observe.Strays
}

// WithMaxRequestBytes bounds a request, as it is sent and as it is after
// decompression; n is at least 1.
func WithMaxRequestBytes(n int) HTTPOption {
	return func(s *httpSettings) { s.maxRequestBytes = n }
}

// WithStrays counts and logs the requests that are no calls.
func WithStrays(strays *observe.Strays) HTTPOption {
	return func(s *httpSettings) { s.strays = strays }
}

// NewHTTPHandler is the door for Connect, gRPC, gRPC-Web and, below /v1, the
// upstream's own REST paths. gRPC needs HTTP/2, so the http.Server has to speak
// it. The catalog is the one that server was made of. A request may have 1 MiB,
// unless an option says otherwise.
func NewHTTPHandler(server *connect.Server, methods *catalog.Catalog, options ...HTTPOption) http.Handler {
	settings := httpSettings{maxRequestBytes: maxRequestBytes}
	for _, option := range options {
		option(&settings)
	}
	mux := http.NewServeMux()
	connecthttp.Mount(httpdoor.Mux{ServeMux: mux}, server,
		connecthttp.WithCodecs(codecs()...),
		connecthttp.WithReadMaxBytes(settings.maxRequestBytes),
		connecthttp.WithCompressors(httpdoor.Gzip()),
		connecthttp.WithCompressMinBytes(compressMinBytes),
	)
	unary := connectdoor.New(server, connectdoor.Options{
		Codecs: codecs(), Compressor: httpdoor.Gzip(), CompressMinBytes: compressMinBytes, MaxRequestBytes: settings.maxRequestBytes,
	})
	rest := restdoor.New(server, methods, settings.maxRequestBytes)
	noStore := []string{"no-store"}
	return httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		// Answers are for one caller, and some have a secret: nothing on the way keeps them
		// (RFC 9111, 5.2.2.5). What may be stored is stored here.
		w.Header()["Cache-Control"] = noStore
		if unary.Serve(ctx, w, r) {
			return
		}
		if rest.Takes(r) {
			rest.Serve(ctx, w, r)
			return
		}
		r = httpdoor.Request(ctx, r)
		mux.ServeHTTP(w, r)
		if !httpdoor.Called(ctx) {
			reason := observe.OutsideProtocol
			if _, pattern := mux.Handler(r); pattern == "" {
				reason = observe.OutsidePath
			}
			settings.strays.Seen(ctx, r, reason)
		}
	})
}
