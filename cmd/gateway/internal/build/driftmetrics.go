package build

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/upstream/adminjson"
)

// driftCollector exports the members of upstream answers that the schema lacks. The
// set is bounded, and so are the labels.
type driftCollector struct {
	drift *adminjson.Drift
	desc  *prometheus.Desc
}

func newDriftCollector(drift *adminjson.Drift) driftCollector {
	return driftCollector{drift, prometheus.NewDesc("gateway_upstream_drift_total",
		"Members and values in upstream answers that this build's schema does not have, or has with another type.",
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
