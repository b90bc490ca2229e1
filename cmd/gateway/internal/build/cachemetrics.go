package build

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cache"
)

// cacheEvents counts the events of the stores.
type cacheEvents struct{ total *prometheus.CounterVec }

func newCacheEvents() cacheEvents {
	c := cacheEvents{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_cache_events_total", Help: "Events of the cache's stores: hits, misses, invalidations, failures, alerts.",
	}, []string{"store", "event"})}
	// Alerts need their series from the start: see newPaceEvents.
	for event := range cache.Events {
		if event.Alert() {
			for _, store := range []string{"memory", "redis", "sealed"} {
				c.total.WithLabelValues(store, event.String())
			}
		}
	}
	return c
}

// Count implements cache.Metrics. Both labels have a closed set of values.
func (c cacheEvents) Count(store string, e cache.Event) {
	c.total.WithLabelValues(store, e.String()).Inc()
}
