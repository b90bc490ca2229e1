package admission

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/service/observe"
)

// metrics count refusals. Their labels are closed sets.
type metrics struct {
	unauthenticated *prometheus.CounterVec
	denied          *prometheus.CounterVec
	limited         prometheus.Counter
}

func newMetrics(registerer prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		unauthenticated: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_unauthenticated_total", Help: "Calls without a valid credential, by reason.",
		}, []string{"reason"}),
		denied: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_denied_total", Help: "Calls that the policy does not allow, by reason.",
		}, []string{"reason"}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_limited_total", Help: "Calls beyond the limits of their caller.",
		}),
	}
	return m, observe.Register(registerer, m.unauthenticated, m.denied, m.limited)
}
