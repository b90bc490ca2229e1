package service

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// metrics count what happens to callers on the road. Their labels are closed
// sets.
type metrics struct {
	unauthenticatedTotal *prometheus.CounterVec
	deniedTotal          *prometheus.CounterVec
	limited              prometheus.Counter
	keyedTotal           *prometheus.CounterVec
	// reads has a counter for every read and outcome, so that a hit need not look
	// for its own by name.
	reads map[*Method]*[cacheOutcomes]prometheus.Counter
	calls *callMetrics
}

func newMetrics(registerer prometheus.Registerer, catalog *Catalog) (*metrics, error) {
	m := &metrics{
		unauthenticatedTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_unauthenticated_total", Help: "Calls without a valid credential, by reason.",
		}, []string{"reason"}),
		deniedTotal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_denied_total", Help: "Calls that the policy does not allow, by reason.",
		}, []string{"reason"}),
		limited: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "gateway_limited_total", Help: "Calls beyond their caller's own limits.",
		}),
	}
	readsTotal := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_reads_total", Help: "Reads by RPC and by how they ended: hit, stale, miss, coalesced, bypass or error.",
	}, []string{"rpc", "outcome"})
	m.keyedTotal = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_idempotent_writes_total", Help: "Writes with an idempotency key, by what came of the key: first, released, unkept, replayed, lost, reused or refused.",
	}, []string{"outcome"})
	for _, outcome := range []string{"first", "released", "unkept", "replayed", "lost", "reused", "refused"} {
		m.keyedTotal.WithLabelValues(outcome)
	}
	m.calls = newCallMetrics(newRPCNames(catalog))
	m.reads = make(map[*Method]*[cacheOutcomes]prometheus.Counter)
	for _, method := range catalog.methods {
		if !method.Read {
			continue
		}
		counters := new([cacheOutcomes]prometheus.Counter)
		for outcome := range cacheOutcomes {
			counters[outcome] = readsTotal.WithLabelValues(method.Name(), outcome.String())
		}
		m.reads[method] = counters
	}
	if registerer == nil {
		return m, nil
	}
	for _, c := range append(m.calls.collectors(), m.unauthenticatedTotal, m.deniedTotal, m.limited, readsTotal, m.keyedTotal) {
		if err := registerer.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) unauthenticated(reason authn.Reason) {
	m.unauthenticatedTotal.WithLabelValues(string(reason)).Inc()
}

// read counts a read by how it ended.
func (m *metrics) read(method *Method, outcome cacheOutcome) { m.reads[method][outcome].Inc() }

// keyed counts a write with an idempotency key.
func (m *metrics) keyed(outcome string) { m.keyedTotal.WithLabelValues(outcome).Inc() }

func (m *metrics) denied(reason authz.Reason) {
	m.deniedTotal.WithLabelValues(reason.String()).Inc()
}
