package upstream

import (
	"context"
	"net/http"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// AttemptMetrics counts the attempts of a [Client]. The methods may be called
// from any goroutine and must not block.
type AttemptMetrics interface {
	// Began counts an attempt that is under way.
	Began()
	// Ended counts its end: the endpoint, the status of the answer or 0 where
	// there was none, and the duration.
	Ended(e *Endpoint, status int, took time.Duration)
	// Masked counts an answer that a secret was taken out of.
	Masked(kind Masked)
}

// noAttempts counts nothing.
type noAttempts struct{}

// Began implements [AttemptMetrics].
func (noAttempts) Began() {}

// Ended implements [AttemptMetrics].
func (noAttempts) Ended(*Endpoint, int, time.Duration) {}

// Masked implements [AttemptMetrics].
func (noAttempts) Masked(Masked) {}

// observed is an attempt that is under way, as telemetry sees it. It knows the
// endpoint and how it ended, and nothing of the request.
type observed struct {
	client   *Client
	endpoint *Endpoint
	began    time.Time
	span     trace.Span // nil: no tracing
}

func (c *Client) observe(ctx context.Context, e *Endpoint) (context.Context, observed) {
	o := observed{client: c, endpoint: e, began: time.Now()}
	c.config.Attempts.Began()
	if c.config.Tracer != nil {
		ctx, o.span = c.config.Tracer.Start(ctx, e.String(), trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes( //nolint:spancheck // observed.end ends it.
			attribute.String("http.request.method", e.verb),
			attribute.String("url.template", e.template),
		))
	}
	return ctx, o
}

// end records the answer, or the failure. The text of an error can contain anything, so
// the span gets its kind.
func (o observed) end(reply *Reply, failure *Error) {
	status := 0
	if reply != nil {
		status = reply.Status
	} else if failure != nil {
		status = failure.Status
	}
	o.client.config.Attempts.Ended(o.endpoint, status, time.Since(o.began))
	if o.span == nil {
		return
	}
	if status != 0 {
		o.span.SetAttributes(attribute.Int("http.response.status_code", status))
	}
	if failure != nil {
		o.span.SetAttributes(attribute.String("error.type", failure.Kind.String()))
		o.span.SetStatus(codes.Error, "")
	}
	o.span.End()
}

// sendTrace sends the ids of the attempt's trace and span to the upstream, so that the
// records of both sides can be matched. Nothing else of the trace is sent: no state, no
// baggage.
func sendTrace(ctx context.Context, header http.Header) {
	if span := trace.SpanContextFromContext(ctx); span.IsValid() {
		header.Set("Traceparent", "00-"+span.TraceID().String()+"-"+span.SpanID().String()+"-"+span.TraceFlags().String())
	}
}

// paceSpan traces the wait for the budget.
func (s *Sender) paceSpan(ctx context.Context) (waiting context.Context, end func(*Error)) {
	if s.options.Tracer == nil {
		return ctx, func(*Error) {}
	}
	waiting, span := s.options.Tracer.Start(ctx, "pace") //nolint:spancheck // end ends it.
	return waiting, func(refusal *Error) {               //nolint:spancheck // end ends it.
		if refusal != nil {
			span.SetAttributes(attribute.String("error.type", refusal.Kind.String()))
			span.SetStatus(codes.Error, "")
		}
		span.End()
	}
}
