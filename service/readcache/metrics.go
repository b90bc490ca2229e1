package readcache

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/observe"
)

// Metrics count reads by how they ended.
type Metrics struct {
	// reads has a counter for every read and outcome, so that a hit needs no
	// look-up by name.
	reads map[*catalog.Method]*[accounting.CacheOutcomes]prometheus.Counter
}

// NewMetrics registers the metrics; with a nil registerer they are not
// exported.
func NewMetrics(registerer prometheus.Registerer, methods *catalog.Catalog) (*Metrics, error) {
	reads := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_reads_total", Help: "Reads by RPC and by how they ended: hit, stale, miss, coalesced, bypass or error.",
	}, []string{"rpc", "outcome"})
	m := &Metrics{reads: make(map[*catalog.Method]*[accounting.CacheOutcomes]prometheus.Counter)}
	for _, method := range methods.Mirrored() {
		if !method.Read {
			continue
		}
		counters := new([accounting.CacheOutcomes]prometheus.Counter)
		for outcome := range accounting.CacheOutcomes {
			counters[outcome] = reads.WithLabelValues(method.Name(), outcome.String())
		}
		m.reads[method] = counters
	}
	return m, observe.Register(registerer, reads)
}

func (m *Metrics) read(method *catalog.Method, outcome accounting.CacheOutcome) {
	m.reads[method][outcome].Inc()
}
