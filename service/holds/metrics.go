package holds

import (
	"math"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collectors are the metrics; none for a nil Holds.
func (h *Holds) Collectors() []prometheus.Collector {
	if h == nil {
		return nil
	}
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_callers_held", Help: "Callers that are held, as this replica knows.",
		}, func() float64 { return float64(len(h.kept.All())) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_holds_age_seconds", Help: "Time since the holds of callers were last read from the ledger; +Inf where they never were.",
		}, func() float64 {
			at := h.ReadAt()
			if at.IsZero() {
				return math.Inf(1)
			}
			return time.Since(at).Seconds()
		}),
	}
}
