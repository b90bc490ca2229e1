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

// Tracer makes the spans of calls and of their stages, measures the stages, and labels
// profiles by them: what it does of these is configured. A nil one does nothing, and
// costs a comparison.
type Tracer struct {
	tracer trace.Tracer // nil: no spans.
	stages *Stages      // nil: no measures and labels.
	names  names
}

// NewTracer returns nil where there is neither a tracer nor stages.
func NewTracer(tracer trace.Tracer, stages *Stages, methods *catalog.Catalog) *Tracer {
	if tracer == nil && stages == nil {
		return nil
	}
	return &Tracer{tracer, stages, names{methods}}
}

// WithSpan is the interceptor that makes the span of the call, below that of the
// caller, and labels profiles by its RPC. The caller decides on the trace and on
// sampling, and nothing else: its tracestate and its baggage go nowhere.
func (t *Tracer) WithSpan(next connect.ServerFunc) connect.ServerFunc {
	if t == nil {
		return next
	}
	if t.tracer != nil {
		next = t.spanned(next)
	}
	if t.stages == nil {
		return next
	}
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		ctx, end := t.stages.call(ctx, t.names.of(spec.Procedure))
		defer end()
		return next(ctx, spec, stream)
	}
}

func (t *Tracer) spanned(next connect.ServerFunc) connect.ServerFunc {
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

// Stage begins a stage, which [Span.End] or [Span.EndRead] ends on the same goroutine.
// What the stage does belongs to the context that it returns.
func (t *Tracer) Stage(ctx context.Context, stage Stage) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	var s Span
	if t.tracer != nil {
		ctx, s.span = t.tracer.Start(ctx, stage.String()) //nolint:spancheck // Span.End ends it.
	}
	if t.stages != nil {
		ctx, s.timed = t.stages.begin(ctx, stage)
	}
	return ctx, s
}

// Timed begins a stage like Stage, but for a span: those of the upstream's client and
// sender say more.
func (t *Tracer) Timed(ctx context.Context, stage Stage) (context.Context, Span) {
	if t == nil || t.stages == nil {
		return ctx, Span{}
	}
	ctx, timed := t.stages.begin(ctx, stage)
	return ctx, Span{timed: timed}
}

// Span is a stage that is under way. The zero value is one that nobody looks at.
type Span struct {
	span  trace.Span
	timed timed
}

// End ends the stage. A failure is an error here, whatever the caller sees of it.
func (s Span) End(err error) {
	s.timed.end()
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
	if s.span != nil {
		s.span.SetAttributes(attributeOutcome.String(outcome.String()))
	}
	s.End(err)
}
