package observe

import (
	"context"
	"sync/atomic"
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
	running  *atomic.Int64
	duration *prometheus.HistogramVec
	// answered has the observers of calls that succeeded, by RPC and door, once each
	// has been looked up: most calls need no look-up by labels.
	answered map[string]*[len(doorNames)]atomic.Pointer[prometheus.Observer]
}

// callBuckets go from a hit in memory to the longest call, in seconds.
func callBuckets() []float64 {
	return []float64{0.0005, 0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60}
}

// NewMetrics registers the metrics of calls. Without a registerer they are not
// exported, and without a catalog all RPCs have one name. running is the number of calls
// that are being served, which they keep; nil keeps it for the metric alone.
func NewMetrics(registerer prometheus.Registerer, methods *catalog.Catalog, running *atomic.Int64) (*Metrics, error) {
	if running == nil {
		running = new(atomic.Int64)
	}
	inFlight := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gateway_calls_in_flight", Help: "Calls that are being served.",
	}, func() float64 { return float64(running.Load()) })
	m := &Metrics{
		names:   names{methods},
		running: running,
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_call_duration_seconds", Help: "Duration of calls, by RPC, by the code that the caller saw and by door.",
			Buckets: callBuckets(),
		}, []string{"rpc", "code", "door"}),
	}
	m.answered = make(map[string]*[len(doorNames)]atomic.Pointer[prometheus.Observer])
	if methods != nil {
		for _, method := range methods.Methods() {
			m.answered[method.Procedure] = new([len(doorNames)]atomic.Pointer[prometheus.Observer])
		}
	}
	return m, Register(registerer, inFlight, m.duration)
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
		m.running.Add(1)
		defer m.running.Add(-1)
		err := next(ctx, spec, stream)
		m.observer(spec.Procedure, err, doorOf(ctx)).Observe(time.Since(accounting.From(ctx).Start).Seconds())
		return err
	}
}

func (m *Metrics) observer(procedure string, err error, door doorName) prometheus.Observer {
	known := m.answered[procedure]
	if err != nil || known == nil {
		return m.duration.WithLabelValues(m.names.of(procedure), CodeName(err), door.String())
	}
	if found := known[door].Load(); found != nil {
		return *found
	}
	found := m.duration.WithLabelValues(m.names.of(procedure), CodeName(nil), door.String())
	known[door].Store(&found)
	return found
}
