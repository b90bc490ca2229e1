package telemetry

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	bridge "go.opentelemetry.io/contrib/bridges/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	oteltrace "go.opentelemetry.io/otel/trace"
)

// scope is the instrumentation scope of the spans.
const scope = "github.com/admin-gateway/admin-gateway"

const (
	// maxSpans bounds the ended spans that wait to be sent; those beyond are
	// dropped, and no call waits for them.
	maxSpans = 4096
	// maxBatch is how many spans go out together.
	maxBatch = 512
)

// Telemetry sends traces, and metrics after [Telemetry.Export]. A nil one
// sends nothing. Close it.
type Telemetry struct {
	options  Options
	resource *resource.Resource
	spans    *trace.TracerProvider
	metrics  *metric.MeterProvider // nil until there are some

	unsentSpans, unsentMetrics atomic.Uint64

	// over ends the exports that are under way when the time to close is up, and
	// drained is closed when all spans have been handed over.
	over    context.Context
	end     context.CancelFunc
	drained chan struct{}
}

// Open starts to send the spans of its tracer. It does not wait for the
// collector to be there; its error is about the options.
func Open(ctx context.Context, options Options) (*Telemetry, error) {
	if err := options.check(); err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	who := []attribute.KeyValue{
		attribute.String("service.name", options.Service),
		// Distinguishes replicas, which the sums of their metrics need.
		attribute.String("service.instance.id", rand.Text()),
	}
	if options.Version != "" {
		who = append(who, attribute.String("service.version", options.Version))
	}
	res, err := resource.New(ctx, resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(who...))
	if err != nil && !errors.Is(err, resource.ErrPartialResource) {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	exporter, err := options.spanExporter(ctx)
	if err != nil {
		return nil, fmt.Errorf("telemetry: %w", err)
	}
	t := &Telemetry{options: options, resource: res, drained: make(chan struct{})}
	t.over, t.end = context.WithCancel(context.Background())
	t.spans = trace.NewTracerProvider(
		trace.WithResource(res),
		trace.WithSampler(trace.ParentBased(trace.TraceIDRatioBased(options.SampleRatio))),
		trace.WithBatcher(spanExporter{exporter, t},
			trace.WithMaxQueueSize(maxSpans), trace.WithMaxExportBatchSize(maxBatch),
			trace.WithBatchTimeout(options.SpansDelay), trace.WithExportTimeout(exportTimeout)),
	)
	return t, nil
}

// Tracer makes the spans that are sent; nil without an endpoint.
func (t *Telemetry) Tracer() oteltrace.Tracer {
	if t == nil {
		return nil
	}
	return t.spans.Tracer(scope)
}

// Export begins to send the metrics of the gatherer, so that Prometheus and
// the collector see the same. It is called once at most.
func (t *Telemetry) Export(ctx context.Context, gatherer prometheus.Gatherer) error {
	if t == nil {
		return nil
	}
	exporter, err := t.options.metricExporter(ctx)
	if err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	t.metrics = metric.NewMeterProvider(metric.WithResource(t.resource), metric.WithReader(metric.NewPeriodicReader(metricExporter{exporter, t},
		metric.WithInterval(t.options.MetricsInterval), metric.WithTimeout(exportTimeout),
		metric.WithProducer(bridge.NewMetricProducer(bridge.WithGatherer(gatherer))))))
	return nil
}

// Close sends the rest and ends, at the latest when ctx does.
func (t *Telemetry) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	var ofSpans, ofMetrics error
	var both sync.WaitGroup
	both.Go(func() { ofSpans = t.spans.Shutdown(ctx) })
	if t.metrics != nil {
		both.Go(func() { ofMetrics = t.metrics.Shutdown(ctx) })
	}
	both.Wait()
	// The SDK goes on with its spans when ctx has ended.
	t.end()
	<-t.drained
	if err := errors.Join(ofSpans, ofMetrics); err != nil {
		return fmt.Errorf("telemetry: the last export failed: %w", err)
	}
	return nil
}

// UnsentSpans is how many batches of spans could not be sent.
func (t *Telemetry) UnsentSpans() uint64 {
	if t == nil {
		return 0
	}
	return t.unsentSpans.Load()
}

// UnsentMetrics is how many times the metrics could not be sent.
func (t *Telemetry) UnsentMetrics() uint64 {
	if t == nil {
		return 0
	}
	return t.unsentMetrics.Load()
}

// spanExporter does not return failures: the SDK would pass them to a global
// handler.
type spanExporter struct {
	trace.SpanExporter
	t *Telemetry
}

// ExportSpans implements [trace.SpanExporter].
func (e spanExporter) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.t.over, cancel)() //nolint:contextcheck // Either ends the export.
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.t.unsentSpans.Add(1)
		e.t.options.Logger.WarnContext(ctx, "spans cannot be sent", "error", err.Error())
	}
	return nil
}

// Shutdown implements [trace.SpanExporter]. It is called once, after the last
// export.
func (e spanExporter) Shutdown(ctx context.Context) error {
	defer close(e.t.drained)
	return e.SpanExporter.Shutdown(ctx)
}

// metricExporter does the same.
type metricExporter struct {
	metric.Exporter
	t *Telemetry
}

// Export implements [metric.Exporter].
func (e metricExporter) Export(ctx context.Context, data *metricdata.ResourceMetrics) error {
	if err := e.Exporter.Export(ctx, data); err != nil {
		e.t.unsentMetrics.Add(1)
		e.t.options.Logger.WarnContext(ctx, "metrics cannot be sent", "error", err.Error())
	}
	return nil
}
