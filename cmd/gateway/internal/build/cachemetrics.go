package build

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cache"
)

// cacheEvents counts the events of the stores.
type cacheEvents struct {
	total *prometheus.CounterVec
	// counted are the counters that were counted with once, by store: every cached call
	// counts, and would look its counter up by the texts of its labels.
	counted map[string]*[cache.Events]atomic.Pointer[prometheus.Counter]
}

func newCacheEvents() cacheEvents {
	c := cacheEvents{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_cache_events_total", Help: "Events of the cache's stores: hits, misses, invalidations, failures, alerts.",
	}, []string{"store", "event"}), make(map[string]*[cache.Events]atomic.Pointer[prometheus.Counter])}
	for _, store := range []string{cache.StoreMemory, cache.StoreRedis, cache.StoreSealed} {
		c.counted[store] = new([cache.Events]atomic.Pointer[prometheus.Counter])
		// Alerts need their series from the start: see newPaceEvents.
		for event := range cache.Events {
			if event.Alert() {
				c.counter(store, event)
			}
		}
	}
	return c
}

// Count implements cache.Metrics. Both labels have a closed set of values.
func (c cacheEvents) Count(store string, e cache.Event) { c.counter(store, e).Inc() }

func (c cacheEvents) counter(store string, e cache.Event) prometheus.Counter {
	known := &c.counted[store][e]
	if found := known.Load(); found != nil {
		return *found
	}
	found := c.total.WithLabelValues(store, e.String())
	known.Store(&found)
	return found
}
