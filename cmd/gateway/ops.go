package main

import (
	"crypto/tls"
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
func opsHandler(registry *prometheus.Registry, ready http.Handler, p parts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+healthPath, ok)
	mux.Handle("GET "+readyPath, ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mountDebug(mux, p.level, p.logger)
	return mux
}

// What probes ask for.
const (
	healthPath = "/healthz"
	readyPath  = "/readyz"
)

func isProbe(path string) bool { return path == healthPath || path == readyPath }

// requireCertificate refuses who shows none that crypto/tls has verified, but for
// what is open.
func requireCertificate(next http.Handler, open func(path string) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !open(r.URL.Path) && !verified(r.TLS) {
			http.Error(w, "a client certificate is required", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func verified(state *tls.ConnectionState) bool { return state != nil && len(state.VerifiedChains) > 0 }

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
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gateway_degraded", Help: "1 while something does not work that can be done without, as /readyz tells.",
		}, func() float64 {
			if p.memory.degraded() == "" {
				return 0
			}
			return 1
		}),
		counter("gateway_telemetry_unsent_spans_total", "Batches of spans that could not be sent.", p.telemetry.UnsentSpans),
		counter("gateway_telemetry_unsent_metrics_total", "Exports of metrics that could not be sent.", p.telemetry.UnsentMetrics),
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
