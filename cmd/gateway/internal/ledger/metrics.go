package ledger

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Metrics measures the calls of a ledger. Its labels are closed sets. A nil one measures
// nothing.
type Metrics struct{ duration *prometheus.HistogramVec }

// The results of a call, as a label.
const (
	resultOK      = "ok"
	resultRefused = "refused" // The ledger answered: a limit, a conflict, no such lease.
	resultFailed  = "failed"  // It did not answer, or has lost its data.
)

// NewMetrics makes the metrics.
func NewMetrics() *Metrics {
	return &Metrics{prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gateway_lease_ledger_duration_seconds", Help: "Calls of the ledger of leases, by operation and result, and their duration.",
		Buckets: []float64{0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 2},
	}, []string{"operation", "result"})}
}

// Collectors are what there is to register.
func (m *Metrics) Collectors() []prometheus.Collector { return []prometheus.Collector{m.duration} }

func (m *Metrics) observe(operation string, since time.Time, err error) {
	if m == nil {
		return
	}
	m.duration.WithLabelValues(operation, resultOf(err)).Observe(time.Since(since).Seconds())
}

// resultOf sorts an error: what the ledger answered is not its failure.
func resultOf(err error) string {
	if err == nil {
		return resultOK
	}
	if _, ok := errors.AsType[*lease.LimitError](err); ok {
		return resultRefused
	}
	for _, answer := range []error{
		lease.ErrNotFound, lease.ErrConflict, lease.ErrClaimed, lease.ErrFenced, lease.ErrTransition, lease.ErrImmutable,
		lease.ErrNoSecret, lease.ErrLate, lease.ErrInvalid,
	} {
		if errors.Is(err, answer) {
			return resultRefused
		}
	}
	return resultFailed
}
