package service

import (
	"context"

	"connectrpc.com/connect/v2"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// The stages of the road that have a span of their own. The upstream's client
// and sender make those of attempts and of the wait for the budget.
const (
	stageAuthenticate = "authenticate"
	stageAuthorize    = "authorize"
	stageCache        = "cache"
	stageFlight       = "flight"
	stageAudit        = "audit"
)

// What spans say besides, each out of a closed set. No span has a value of a
// request, an id, a name of a caller or the text of an error: whoever needs them
// finds them by the trace id, in the audit log.
const (
	attributeMethod  = attribute.Key("rpc.method")
	attributeCode    = attribute.Key("rpc.response.status_code")
	attributeDoor    = attribute.Key("gateway.door")
	attributeReason  = attribute.Key("gateway.reason")
	attributeOutcome = attribute.Key("gateway.cache.outcome")
)

// tracing makes the spans of a call. A nil one makes none, and costs a
// comparison.
type tracing struct {
	tracer trace.Tracer
	names  rpcNames
}

// newTracing returns nil without a tracer.
func newTracing(tracer trace.Tracer, names rpcNames) *tracing {
	if tracer == nil {
		return nil
	}
	return &tracing{tracer, names}
}

// withSpan makes the span of the call, below that of whoever makes it. The
// caller's word counts for which trace it is and for whether it is kept, and for
// nothing else: its tracestate and its baggage go nowhere.
func (t *tracing) withSpan(next connect.ServerFunc) connect.ServerFunc {
	if t == nil {
		return next
	}
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		c, name := callOf(ctx), t.names.of(spec.Procedure)
		ctx, s := t.tracer.Start(withParent(ctx), name, trace.WithSpanKind(trace.SpanKindServer),
			trace.WithAttributes(attributeMethod.String(name), attributeDoor.String(doorOf(ctx))))
		defer s.End()
		c.traceID = s.SpanContext().TraceID().String()
		err := next(ctx, spec, stream)
		s.SetAttributes(attributeCode.String(codeName(err)))
		if c.reason != "" {
			s.SetAttributes(attributeReason.String(c.reason))
		}
		if err != nil && serverFault(connect.CodeOf(err)) {
			s.SetStatus(codes.Error, "")
		}
		return err
	}
}

// withParent takes the caller's span out of its headers, unless the caller is in
// this process and has brought it along.
func withParent(ctx context.Context) context.Context {
	if trace.SpanContextFromContext(ctx).IsValid() {
		return ctx
	}
	info, ok := connect.CallInfoForServerContext(ctx)
	if !ok {
		return ctx
	}
	carrier := propagation.MapCarrier{"traceparent": info.RequestHeader().Get("Traceparent")}
	return propagation.TraceContext{}.Extract(ctx, carrier)
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

// stage begins the span of a stage.
func (t *tracing) stage(ctx context.Context, name string) (context.Context, span) {
	if t == nil {
		return ctx, span{}
	}
	ctx, s := t.tracer.Start(ctx, name) //nolint:spancheck // span.end ends it.
	return ctx, span{s}                 //nolint:spancheck // span.end ends it.
}

// span is that of a stage; the zero one is nobody's.
type span struct{ trace.Span }

// end ends the stage. What failed is an error here, whatever the caller is told.
func (s span) end(err error) {
	if s.Span == nil {
		return
	}
	if err != nil {
		s.SetStatus(codes.Error, "")
	}
	s.End()
}

// ended ends the look for an answer.
func (s span) ended(outcome cacheOutcome, err error) {
	if s.Span == nil {
		return
	}
	s.SetAttributes(attributeOutcome.String(outcome.String()))
	s.end(err)
}
