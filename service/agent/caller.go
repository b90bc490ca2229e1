package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/observe"
	"github.com/admin-gateway/admin-gateway/service/pipeline"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// DefaultLongestCall bounds a call whose context has no deadline.
const DefaultLongestCall = 2 * time.Minute

// Recorder writes the records of the calls.
type Recorder interface {
	// Own writes the record of a write that was made, or failed with err, in the account
	// of ctx. It fails where the record is required and cannot be stored.
	Own(ctx context.Context, response *pipeline.Response, err error) error
}

// Options configure [New]. Name, Permits, Invoker and Recorder are required.
type Options struct {
	// Name is the part of the gateway that makes the calls, such as "leases": a constant
	// of the code, for records and metrics.
	Name string
	// Permits makes the permits of the calls.
	Permits *admission.Agent
	// Invoker makes the calls.
	Invoker pipeline.Invoker
	// Recorder writes their records.
	Recorder Recorder
	// Metrics counts them; nil counts for nobody.
	Metrics *Metrics
	// Tracer makes their spans; nil makes none.
	Tracer *observe.Tracer
	// Logger gets a line for each of them; nil discards it.
	Logger *slog.Logger
	// LongestCall bounds a call whose context has no deadline; 0 means
	// [DefaultLongestCall].
	LongestCall time.Duration
}

// Caller makes calls for a part of the gateway. It is safe for concurrent use.
type Caller struct{ Options }

// New makes a Caller.
func New(o Options) (*Caller, error) {
	if o.Name == "" || o.Permits == nil || o.Invoker == nil || o.Recorder == nil {
		return nil, errors.New("agent: Options.Name, Permits, Invoker and Recorder are required")
	}
	if o.LongestCall <= 0 {
		o.LongestCall = DefaultLongestCall
	}
	o.Logger = accounting.Logger(o.Logger)
	for _, m := range o.Permits.Methods() {
		o.Metrics.prepare(o.Name, m)
	}
	return &Caller{o}, nil
}

// Call makes a call, and returns its answer. It ends with ctx, whoever the caller of the
// call is in whose course it is made: a write that must not be cut off gets a context
// without that end.
//
// It fails as an Invoker does: with an *upstream.Error where the upstream refused, and
// where it is not known whether a write was made. A write that was made and whose record
// is required and could not be stored fails with an *rpcerror.Error that has the id of
// what was written in Done.
func (c *Caller) Call(ctx context.Context, m *catalog.Method, request proto.Message, errand admission.Errand) (*pipeline.Response, error) {
	if m == nil || request == nil {
		return nil, errors.New("agent: a call without a method or a request")
	}
	if _, limited := ctx.Deadline(); !limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.LongestCall)
		defer cancel()
	}
	whole := accounting.From(ctx)
	ctx, span := c.Tracer.Stage(ctx, observe.StageOwn)
	ctx, account := accounting.Own(ctx, c.Name, m.Procedure)
	response, err := c.make(ctx, m, request, errand)
	whole.Waits.Include(&account.Waits)
	if m.Read {
		whole.Reads.Made.Add(1)
	} else if recordErr := c.Recorder.Own(ctx, response, err); recordErr != nil {
		response, err = nil, recordErr
	}
	span.End(err)
	c.Metrics.count(c.Name, m, err)
	c.log(ctx, account, err)
	return response, err
}

// make makes the call, and turns a panic into an error: the work in the background goes
// on without it.
func (c *Caller) make(ctx context.Context, m *catalog.Method, request proto.Message, errand admission.Errand) (response *pipeline.Response, err error) {
	defer observe.Recover(ctx, c.Logger, &err)
	permit, err := c.Permits.Permit(ctx, m, request.ProtoReflect(), errand)
	if err != nil {
		return nil, fmt.Errorf("own call of %s: %w", m.Name(), err)
	}
	return c.Invoker.Invoke(ctx, permit)
}

// log writes the line of a call: of a read for who wants to see everything.
func (c *Caller) log(ctx context.Context, account *accounting.Call, err error) {
	level := slog.LevelInfo
	switch {
	case err != nil:
		level = slog.LevelWarn
	case account.Admission.Method == nil || account.Admission.Method.Read:
		level = slog.LevelDebug
	}
	if !c.Logger.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("agent", c.Name),
		slog.String("method", observe.Method(account.Procedure)),
		slog.String("caller", account.Admission.Identity.Caller),
		slog.String("lease", account.Lease.ID),
		slog.String("lease_role", account.Lease.Role),
		slog.String("lease_cause", account.Lease.Cause),
		slog.Duration("duration", time.Since(account.Start)),
	}
	if err != nil {
		attrs = append(attrs, slog.String("code", observe.CodeName(rpcerror.ToCaller(err))), slog.String("cause", err.Error()))
	} else {
		attrs = append(attrs, slog.String("code", observe.CodeName(nil)))
	}
	c.Logger.LogAttrs(ctx, level, "own call", attrs...)
}

// Metrics count calls that the gateway makes for itself. A nil one counts for nobody.
type Metrics struct{ calls *prometheus.CounterVec }

// NewMetrics registers the metrics, once for all Callers; with a nil registerer they are
// not exported.
func NewMetrics(registerer prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{calls: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_own_calls_total", Help: "Calls that the gateway made for itself, by the part that made them, by RPC and by code.",
	}, []string{"agent", "rpc", "code"})}
	return m, observe.Register(registerer, m.calls)
}

// prepare makes the series of answers, so that the first of them is an increase.
func (m *Metrics) prepare(agent string, method *catalog.Method) {
	if m != nil {
		m.calls.WithLabelValues(agent, method.Name(), observe.CodeName(nil))
	}
}

func (m *Metrics) count(agent string, method *catalog.Method, err error) {
	if m == nil {
		return
	}
	code := observe.CodeName(nil)
	if err != nil {
		code = observe.CodeName(rpcerror.ToCaller(err))
	}
	m.calls.WithLabelValues(agent, method.Name(), code).Inc()
}
