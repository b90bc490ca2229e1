package service

import (
	"context"
	"time"

	"connectrpc.com/connect/v2"
	"github.com/prometheus/client_golang/prometheus"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// callMetrics count the calls themselves, whatever becomes of them. Every label
// is of a closed set, so that no caller can make a series of its own.
type callMetrics struct {
	names    rpcNames
	inFlight prometheus.Gauge
	duration *prometheus.HistogramVec
	// health is apart from the calls: a watch lasts for as long as its client
	// likes, and checks by the thousand would dilute what the calls tell.
	health      *prometheus.CounterVec
	healthNames rpcNames
}

// callBuckets go from a hit in memory to the longest call, in seconds.
func callBuckets() []float64 {
	return []float64{0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60}
}

func newCallMetrics(names rpcNames) *callMetrics {
	m := &callMetrics{
		names: names,
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_calls_in_flight", Help: "Calls that are being served.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_call_duration_seconds", Help: "Calls by RPC, by the code that the caller saw and by door, and what they took.",
			Buckets: callBuckets(),
		}, []string{"rpc", "code", "door"}),
		health: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_health_calls_total", Help: "Health checks, and watches that have ended, by RPC and by the code that the caller saw.",
		}, []string{"rpc", "code"}),
		healthNames: rpcNames{healthv1.Health_Check_FullMethodName: "Health/Check", healthv1.Health_Watch_FullMethodName: "Health/Watch"},
	}
	for _, name := range m.healthNames {
		for _, code := range []string{codeName(nil), connect.CodeResourceExhausted.String()} {
			m.health.WithLabelValues(name, code)
		}
	}
	return m
}

func (m *callMetrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.inFlight, m.duration, m.health}
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

// withHealthCount counts a call to what answers for the gateway's health.
func (m *callMetrics) withHealthCount(next connect.ServerFunc) connect.ServerFunc {
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		err := next(ctx, spec, stream)
		m.health.WithLabelValues(m.healthNames.of(spec.Procedure), codeName(err)).Inc()
		return err
	}
}
