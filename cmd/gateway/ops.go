package main

import (
	"io"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// opsHandler is what operators and their machines read; it has a listener of
// its own.
func opsHandler(registry *prometheus.Registry, degraded func() string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if why := degraded(); why != "" {
			_, _ = io.WriteString(w, "ok, degraded: "+why+"\n")
			return
		}
		ok(w, r)
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return mux
}

// newRegistry holds what the parts count.
func newRegistry(drift *adminjson.Drift, p parts) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	counter := func(name, help string, value func() uint64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, func() float64 { return float64(value()) })
	}
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newDriftCollector(drift),
		p.memory.events.total,
		newBudgetCollector(p.budget),
		counter("gateway_audit_written_total", "Audit records that were kept.", p.audit.Written),
		counter("gateway_audit_failed_total", "Audit records that could not be written.", p.audit.Failed),
		counter("gateway_audit_dropped_total", "Audit records for which there was no room.", p.audit.Dropped),
	)
	registry.MustRegister(p.budget.events.collectors()...)
	if source, ok := p.callers.(*callers.Source); ok {
		registry.MustRegister(
			counter("gateway_policy_reloads_total", "Policies that replaced another.", source.Reloads),
			counter("gateway_policy_failures_total", "Looks at a policy file that cannot be used.", source.Failures),
		)
	}
	return registry
}

func ok(w http.ResponseWriter, _ *http.Request) {
	// Who asked and has gone does not need the answer.
	_, _ = io.WriteString(w, "ok\n")
}

// cacheEvents counts what the stores do.
type cacheEvents struct{ total *prometheus.CounterVec }

func newCacheEvents() cacheEvents {
	return cacheEvents{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_cache_events_total", Help: "What the stores of the cache did: hits, misses, invalidations, failures, alerts.",
	}, []string{"store", "event"})}
}

// Count implements cache.Metrics. Both labels are closed sets.
func (c cacheEvents) Count(store string, e cache.Event) {
	c.total.WithLabelValues(store, e.String()).Inc()
}

// driftCollector shows what the upstream's answers have that the schema lacks.
// The set behind it is bounded, so the labels are.
type driftCollector struct {
	drift *adminjson.Drift
	desc  *prometheus.Desc
}

func newDriftCollector(drift *adminjson.Drift) driftCollector {
	return driftCollector{drift, prometheus.NewDesc("gateway_upstream_drift_total",
		"Members and values in upstream answers that this build's schema does not have.",
		[]string{"message", "member", "kind"}, nil)}
}

// Describe implements prometheus.Collector.
func (c driftCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

// Collect implements prometheus.Collector.
func (c driftCollector) Collect(ch chan<- prometheus.Metric) {
	for _, e := range c.drift.Snapshot() {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.CounterValue, float64(e.Count), string(e.Message), e.Member, string(e.Kind))
	}
}
