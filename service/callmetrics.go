package service

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// callMetrics count the calls themselves, whatever becomes of them. Every label
// is of a closed set, so that no caller can make a series of its own.
type callMetrics struct {
	names    rpcNames
	inFlight prometheus.Gauge
	duration *prometheus.HistogramVec
}

// callBuckets go from a hit in memory to the longest call, in seconds.
func callBuckets() []float64 {
	return []float64{0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60}
}

func newCallMetrics(names rpcNames) *callMetrics {
	return &callMetrics{
		names: names,
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_calls_in_flight", Help: "Calls that are being served.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_call_duration_seconds", Help: "Calls by RPC, by the code that the caller saw and by door, and what they took.",
			Buckets: callBuckets(),
		}, []string{"rpc", "code", "door"}),
	}
}

func (m *callMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.inFlight, m.duration}
}

// withCount counts the call with the code that its caller sees.
func (m *callMetrics) withCount(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		m.inFlight.Inc()
		defer m.inFlight.Dec()
		err := next(ctx, spec, stream)
		m.duration.WithLabelValues(m.names.of(spec.Procedure), codeName(err), doorOf(ctx)).Observe(time.Since(callOf(ctx).start).Seconds())
		return err
	}
}
