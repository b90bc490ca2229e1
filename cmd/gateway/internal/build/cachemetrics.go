package build

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cache"
)

// cacheEvents counts what the stores do.
type cacheEvents struct{ total *prometheus.CounterVec }

func newCacheEvents() cacheEvents {
	c := cacheEvents{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_cache_events_total", Help: "What the stores of the cache did: hits, misses, invalidations, failures, alerts.",
	}, []string{"store", "event"})}
	// What an alert is about has its series from the start: an increase that
	// nobody saw begin is none to Prometheus.
	for event := range cache.Events {
		if event.Alert() {
			for _, store := range []string{"memory", "redis", "sealed"} {
				c.total.WithLabelValues(store, event.String())
			}
		}
	}
	return c
}

// Count implements cache.Metrics. Both labels are closed sets.
func (c cacheEvents) Count(store string, e cache.Event) {
	c.total.WithLabelValues(store, e.String()).Inc()
}
