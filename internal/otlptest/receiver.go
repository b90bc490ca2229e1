// Package otlptest is a collector for tests: it takes OTLP over gRPC and HTTP, on
// loopback, and stores the exports.
package otlptest

import (
	"compress/gzip"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collectormetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metrics "go.opentelemetry.io/proto/otlp/metrics/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	_ "google.golang.org/grpc/encoding/gzip" // Exporters compress.
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// maxBody bounds the body of one request.
const maxBody = 16 << 20

// Receiver stores exports. It is safe for concurrent use.
type Receiver struct {
	mu      sync.Mutex
	spans   []*trace.ResourceSpans
	metrics []*metrics.ResourceMetrics
	headers []map[string][]string // of every export, with keys in lower case
	came    chan struct{}         // closed and replaced by every export
}

// GRPC starts a receiver of OTLP over gRPC; the address is host:port. It ends
// with the test.
func GRPC(tb testing.TB) (receiver *Receiver, address string) {
	tb.Helper()
	r := newReceiver()
	l, err := new(net.ListenConfig).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	server := grpc.NewServer()
	collectortrace.RegisterTraceServiceServer(server, traces{r: r})
	collectormetrics.RegisterMetricsServiceServer(server, meters{r: r})
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	tb.Cleanup(func() {
		server.Stop()
		if err := <-ended; err != nil {
			tb.Error(err)
		}
	})
	return r, l.Addr().String()
}

// HTTP starts a receiver of OTLP over HTTP; the address is a URL. It ends with
// the test.
func HTTP(tb testing.TB) (receiver *Receiver, url string) {
	tb.Helper()
	r := newReceiver()
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", func(w http.ResponseWriter, q *http.Request) {
		request := new(collectortrace.ExportTraceServiceRequest)
		if read(tb, w, q, request) {
			r.took(q.Header, request.GetResourceSpans(), nil)
		}
	})
	mux.HandleFunc("POST /v1/metrics", func(w http.ResponseWriter, q *http.Request) {
		request := new(collectormetrics.ExportMetricsServiceRequest)
		if read(tb, w, q, request) {
			r.took(q.Header, nil, request.GetResourceMetrics())
		}
	})
	server := httptest.NewServer(mux)
	tb.Cleanup(server.Close)
	return r, server.URL
}

func newReceiver() *Receiver { return &Receiver{came: make(chan struct{})} }

// read answers as well: an empty message says that all was taken.
func read(tb testing.TB, w http.ResponseWriter, q *http.Request, request proto.Message) bool {
	tb.Helper()
	w.Header().Set("Content-Type", "application/x-protobuf")
	unpacked, err := gzip.NewReader(q.Body)
	if err != nil {
		tb.Error(err)
		return false
	}
	body, err := io.ReadAll(io.LimitReader(unpacked, maxBody))
	if err == nil {
		err = proto.Unmarshal(body, request)
	}
	if err != nil {
		tb.Error(err)
	}
	return err == nil
}

func (r *Receiver) took(header map[string][]string, spans []*trace.ResourceSpans, data []*metrics.ResourceMetrics) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lower := metadata.MD{}
	for name, values := range header {
		lower.Append(name, values...)
	}
	r.headers = append(r.headers, lower)
	r.spans, r.metrics = append(r.spans, spans...), append(r.metrics, data...)
	close(r.came)
	r.came = make(chan struct{})
}

// Wait returns when enough is true of the receiver, and fails when ctx ends
// before.
func (r *Receiver) Wait(ctx context.Context, enough func(*Receiver) bool) error {
	for {
		r.mu.Lock()
		came := r.came
		r.mu.Unlock()
		if enough(r) {
			return nil
		}
		select {
		case <-came:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Spans are all received spans, with their resources.
func (r *Receiver) Spans() []*trace.ResourceSpans {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*trace.ResourceSpans(nil), r.spans...)
}

// Names are those of the spans that came.
func (r *Receiver) Names() map[string]*trace.Span {
	names := map[string]*trace.Span{}
	for _, resource := range r.Spans() {
		for _, scope := range resource.GetScopeSpans() {
			for _, span := range scope.GetSpans() {
				names[span.GetName()] = span
			}
		}
	}
	return names
}

// Metrics are all received metrics, with their resources.
func (r *Receiver) Metrics() []*metrics.ResourceMetrics {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]*metrics.ResourceMetrics(nil), r.metrics...)
}

// Metric is the last one of a name, nil if none came.
func (r *Receiver) Metric(name string) (last *metrics.Metric) {
	for _, resource := range r.Metrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, metric := range scope.GetMetrics() {
				if metric.GetName() == name {
					last = metric
				}
			}
		}
	}
	return last
}

// Headers are those of every export, with keys in lower case.
func (r *Receiver) Headers() []map[string][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]map[string][]string(nil), r.headers...)
}

type traces struct {
	collectortrace.UnimplementedTraceServiceServer
	r *Receiver
}

// Export implements the service.
func (s traces) Export(ctx context.Context, q *collectortrace.ExportTraceServiceRequest) (*collectortrace.ExportTraceServiceResponse, error) {
	header, _ := metadata.FromIncomingContext(ctx)
	s.r.took(header, q.GetResourceSpans(), nil)
	return new(collectortrace.ExportTraceServiceResponse), nil
}

type meters struct {
	collectormetrics.UnimplementedMetricsServiceServer
	r *Receiver
}

// Export implements the service.
func (s meters) Export(ctx context.Context, q *collectormetrics.ExportMetricsServiceRequest) (*collectormetrics.ExportMetricsServiceResponse, error) {
	header, _ := metadata.FromIncomingContext(ctx)
	s.r.took(header, nil, q.GetResourceMetrics())
	return new(collectormetrics.ExportMetricsServiceResponse), nil
}
