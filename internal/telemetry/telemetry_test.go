package telemetry_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/internal/otlptest"
	"github.com/admin-gateway/admin-gateway/internal/telemetry"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds a wait for what should be there at once.
const patience = 30 * time.Second

func options(endpoint string) telemetry.Options {
	return telemetry.Options{Endpoint: endpoint, Insecure: true, SampleRatio: 1, Service: "gateway-eu", Version: "v1", Headers: map[string]string{"authorization": "Bearer word"}}
}

func open(t *testing.T, o telemetry.Options) *telemetry.Telemetry {
	t.Helper()
	opened, err := telemetry.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return opened
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// What ended before the end has arrived after it, by either way, with who sent it.
func TestCloseSendsWhatIsLeft(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(testing.TB) (*otlptest.Receiver, string){"gRPC": otlptest.GRPC, "HTTP": otlptest.HTTP} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			receiver, at := start(t)
			o := options(at)
			o.MetricsInterval, o.SpansDelay = time.Hour, time.Hour
			opened := open(t, o)
			registry := prometheus.NewRegistry()
			counter := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "some_total", Help: "Some."}, []string{"of"})
			registry.MustRegister(counter)
			counter.WithLabelValues("kind").Add(3)
			if err := opened.Export(t.Context(), registry); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				_, span := opened.Tracer().Start(t.Context(), "a span")
				span.End()
			}
			if err := opened.Close(within(t, patience)); err != nil {
				t.Fatal(err)
			}
			if opened.UnsentSpans() != 0 || opened.UnsentMetrics() != 0 {
				t.Errorf("unsent: %d and %d", opened.UnsentSpans(), opened.UnsentMetrics())
			}
			if spans := receiver.Spans(); len(spans) != 1 || len(spans[0].GetScopeSpans()[0].GetSpans()) != 3 {
				t.Errorf("spans %v", spans)
			} else if who := fmt.Sprint(spans[0].GetResource()); !strings.Contains(who, "gateway-eu") || !strings.Contains(who, "service.instance.id") {
				t.Errorf("they are of %s", who)
			}
			if points := receiver.Metric("some_total").GetSum().GetDataPoints(); len(points) != 1 || points[0].GetAsDouble() != 3 || points[0].GetAttributes()[0].GetValue().GetStringValue() != "kind" {
				t.Errorf("metric %v", receiver.Metric("some_total"))
			}
			if len(receiver.Headers()) < 2 {
				t.Fatalf("%d exports", len(receiver.Headers()))
			}
			for _, header := range receiver.Headers() {
				if got := header["authorization"]; len(got) != 1 || got[0] != "Bearer word" {
					t.Errorf("an export came with %v", header)
				}
			}
		})
	}
}

// Spans and metrics leave by themselves too.
func TestSendsMeanwhile(t *testing.T) {
	t.Parallel()
	receiver, at := otlptest.GRPC(t)
	o := options(at)
	o.MetricsInterval, o.SpansDelay = time.Millisecond, time.Millisecond
	opened, registry := open(t, o), prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "some", Help: "Some."}, func() float64 { return 1 }))
	if err := opened.Export(t.Context(), registry); err != nil {
		t.Fatal(err)
	}
	_, span := opened.Tracer().Start(t.Context(), "a span")
	span.End()
	if err := receiver.Wait(within(t, patience), func(r *otlptest.Receiver) bool { return r.Names()["a span"] != nil && r.Metric("some") != nil }); err != nil {
		t.Error(err)
	}
	if err := opened.Close(within(t, patience)); err != nil {
		t.Error(err)
	}
}

// lines are the lines of a logger.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A collector that takes connections and says nothing holds up neither calls nor
// the end, and the loss is counted and logged without the header's secret.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	for _, form := range []string{"%s", "http://%s"} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			hole, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = hole.Close() }) // Nobody accepts.
			said := new(lines)
			o := options(fmt.Sprintf(form, hole.Addr()))
			o.MetricsInterval, o.SpansDelay, o.Logger = time.Hour, time.Hour, slog.New(slog.NewTextHandler(said, nil))
			opened := open(t, o)
			if err := opened.Export(t.Context(), prometheus.NewRegistry()); err != nil {
				t.Fatal(err)
			}
			for range 10_000 { // More than there is room for.
				_, span := opened.Tracer().Start(t.Context(), "a span")
				span.End()
			}
			ending := within(t, 300*time.Millisecond)
			// Whether the end itself fails depends on what had been begun.
			_ = opened.Close(ending)
			if ending.Err() == nil {
				t.Error("it did not use its time")
			}
			if opened.UnsentSpans() == 0 || !strings.Contains(said.String(), "spans cannot be sent") || strings.Contains(said.String(), "word") {
				t.Errorf("%d batches unsent, and the log says %s", opened.UnsentSpans(), said)
			}
		})
	}
}

// Without telemetry there is nothing, and nothing to fail.
func TestNone(t *testing.T) {
	t.Parallel()
	var none *telemetry.Telemetry
	if none.Tracer() != nil || none.Export(t.Context(), prometheus.NewRegistry()) != nil || none.Close(t.Context()) != nil || none.UnsentSpans()+none.UnsentMetrics() != 0 {
		t.Error("something is there")
	}
}

// The share of the traces that begin here is the configured one.
func TestSampling(t *testing.T) {
	t.Parallel()
	for _, ratio := range []float64{0, 0.25, 1} {
		t.Run(fmt.Sprint(ratio), func(t *testing.T) {
			t.Parallel()
			_, at := otlptest.GRPC(t)
			o := options(at)
			o.SampleRatio = ratio
			opened, sampled := open(t, o), 0
			const all = 4000
			for range all {
				_, span := opened.Tracer().Start(t.Context(), "a span")
				if span.SpanContext().IsSampled() {
					sampled++
				}
				span.End()
			}
			if got := float64(sampled) / all; got < ratio-0.1 || got > ratio+0.1 {
				t.Errorf("%v of the traces are sampled, want %v", got, ratio)
			}
			if err := opened.Close(within(t, patience)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*telemetry.Options)
		want   string
	}{
		"no endpoint":    {func(o *telemetry.Options) { o.Endpoint = "" }, "host:port"},
		"no port":        {func(o *telemetry.Options) { o.Endpoint = "collector" }, "host:port"},
		"empty port":     {func(o *telemetry.Options) { o.Endpoint = "collector:" }, "host:port"},
		"other scheme":   {func(o *telemetry.Options) { o.Endpoint = "grpc://collector:4317" }, "http://"},
		"no host":        {func(o *telemetry.Options) { o.Endpoint = "http:///v1" }, "http://"},
		"plain unmeant":  {func(o *telemetry.Options) { o.Endpoint, o.Insecure = "http://collector:4318", false }, "insecure"},
		"contradiction":  {func(o *telemetry.Options) { o.Endpoint = "https://collector:4318" }, "insecure"},
		"password":       {func(o *telemetry.Options) { o.Endpoint = "http://me:word@collector:4318" }, "a user"},
		"query":          {func(o *telemetry.Options) { o.Endpoint = "http://collector:4318?word" }, "a query"},
		"no name":        {func(o *telemetry.Options) { o.Service = "" }, "name"},
		"more than all":  {func(o *telemetry.Options) { o.SampleRatio = 2 }, "0 to 1"},
		"less than none": {func(o *telemetry.Options) { o.SampleRatio = -1 }, "0 to 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options("collector:4317")
			test.change(&o)
			_, err := telemetry.Open(t.Context(), o)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "word") {
				t.Errorf("error %v, want one about %q", err, test.want)
			}
		})
	}
}
