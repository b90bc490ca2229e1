package observe

import (
	"context"

	"connectrpc.com/connect/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// The stages of a call that have a span of their own. The upstream's client and
// sender make those of attempts and of the wait for the budget.
const (
	StageAuthenticate = "authenticate"
	StageAuthorize    = "authorize"
	StageCache        = "cache"
	StageFlight       = "flight"
	StageAudit        = "audit"
	StageOwn          = "own"
)

// The attributes of spans, each out of a closed set. No span has a value of a
// request, an id, a name of a caller or the text of an error: the trace id leads to
// them, in the audit log.
const (
	attributeMethod  = attribute.Key("rpc.method")
	attributeCode    = attribute.Key("rpc.response.status_code")
	attributeDoor    = attribute.Key("gateway.door")
	attributeReason  = attribute.Key("gateway.reason")
	attributeOutcome = attribute.Key("gateway.cache.outcome")
)

// Tracer makes the spans of calls. A nil one makes none, and costs a comparison.
type Tracer struct {
	tracer trace.Tracer
	names  names
}

// NewTracer returns nil without a tracer.
func NewTracer(tracer trace.Tracer, methods *catalog.Catalog) *Tracer {
	if tracer == nil {
		return nil
	}
	return &Tracer{tracer, names{methods}}
}

// WithSpan is the interceptor that makes the span of the call, below that of the
// caller. The caller decides on the trace and on sampling, and nothing else: its
// tracestate and its baggage go nowhere.
func (t *Tracer) WithSpan(next connect.ServerFunc) connect.ServerFunc {
	if t == nil {
		return next
	}
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		call, name := accounting.From(ctx), t.names.of(spec.Procedure)
		ctx, s := t.tracer.Start(withParent(ctx, call.Parent), name, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attributeMethod.String(name), attributeDoor.String(doorOf(ctx).String())))
		defer s.End()
		call.TraceID = s.SpanContext().TraceID().String()
		err := next(ctx, spec, stream)
		s.SetAttributes(attributeCode.String(CodeName(err)))
		if reason := call.Admission.Reason; reason != "" {
			s.SetAttributes(attributeReason.String(reason))
		}
		if err != nil && serverFault(connect.CodeOf(err)) {
			s.SetStatus(codes.Error, "")
		}
		return err
	}
}

// withParent puts the span of the caller's header into the context, unless the
// caller is in this process and its span is there already.
func withParent(ctx context.Context, parent trace.SpanContext) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() || !parent.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, parent)
}

// serverFault tells the codes that are this side's failure, as OpenTelemetry has
// it for servers; the others are the caller's business.
func serverFault(code connect.Code) bool {
	switch code {
	case connect.CodeUnknown, connect.CodeDeadlineExceeded, connect.CodeUnimplemented,
		connect.CodeInternal, connect.CodeUnavailable, connect.CodeDataLoss:
		return true
	default:
		return false
	}
}

// Stage begins the span of a stage, which [Span.End] or [Span.EndRead] ends.
func (t *Tracer) Stage(ctx context.Context, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, s := t.tracer.Start(ctx, name) //nolint:spancheck // Span.End ends it.
	return ctx, Span{s}                 //nolint:spancheck // Span.End ends it.
}

// Span is that of a stage. The zero value is that of no trace.
type Span struct{ span trace.Span }

// End ends the stage. A failure is an error here, whatever the caller sees of it.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}

// EndRead ends the stage of the read cache.
func (s Span) EndRead(outcome accounting.CacheOutcome, err error) {
	if s.span == nil {
		return
	}
	s.span.SetAttributes(attributeOutcome.String(outcome.String()))
	s.End(err)
}
