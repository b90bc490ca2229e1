package observe

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// Metrics count calls, whatever becomes of them. Every label is of a closed set, so
// that no caller can make a series of its own.
type Metrics struct {
	names    names
	inFlight prometheus.Gauge
	duration *prometheus.HistogramVec
}

// callBuckets go from a hit in memory to the longest call, in seconds.
func callBuckets() []float64 {
	return []float64{0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60}
}

// NewMetrics registers the metrics of calls. Without a registerer they are not
// exported, and without a catalog all RPCs have one name.
func NewMetrics(registerer prometheus.Registerer, methods *catalog.Catalog) (*Metrics, error) {
	m := &Metrics{
		names: names{methods},
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_calls_in_flight", Help: "Calls that are being served.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_call_duration_seconds", Help: "Calls by RPC, by the code that the caller saw and by door, and how long they took.",
			Buckets: callBuckets(),
		}, []string{"rpc", "code", "door"}),
	}
	return m, Register(registerer, m.inFlight, m.duration)
}

// Register registers collectors; a nil registerer registers nothing.
func Register(registerer prometheus.Registerer, collectors ...prometheus.Collector) error {
	if registerer == nil {
		return nil
	}
	for _, c := range collectors {
		if err := registerer.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// WithMetrics is the interceptor that counts a call with the code that its caller
// sees.
func (m *Metrics) WithMetrics(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		m.inFlight.Inc()
		defer m.inFlight.Dec()
		err := next(ctx, spec, stream)
		m.duration.WithLabelValues(m.names.of(spec.Procedure), CodeName(err), doorOf(ctx)).Observe(time.Since(accounting.From(ctx).Start).Seconds())
		return err
	}
}
