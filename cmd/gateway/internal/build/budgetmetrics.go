package build

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// paceEvents count the events of the pacer. All labels have a closed set of values:
// the buckets come from the catalog.
type paceEvents struct {
	waited    *prometheus.HistogramVec
	exhausted *prometheus.CounterVec
	left      *prometheus.CounterVec
	demoted   *prometheus.CounterVec
	limited   *prometheus.CounterVec
	shared    prometheus.Gauge
}

// newPaceEvents creates the series of refusals at the start. Prometheus does not
// count the increase from a missing series to its first value.
func newPaceEvents(budgets []string) paceEvents {
	e := paceEvents{
		waited: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_budget_wait_seconds", Help: "How long calls to the upstream waited for the budget.",
			Buckets: []float64{0.001, 0.01, 0.1, 1, 5, 10, 30, 60, 300, 1800},
		}, []string{"budget", "class"}),
		exhausted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_budget_exhausted_total", Help: "Calls that the budget did not admit before their deadline, or for which the queue was full.",
		}, []string{"budget", "class", "reason"}),
		left: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_budget_left_total", Help: "Calls that ended while they waited for the budget.",
		}, []string{"budget", "class"}),
		demoted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_budget_demoted_total", Help: "Revocations that waited as interactive calls, because their caller was too far ahead of its turn.",
		}, []string{"budget"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_upstream_limited_total", Help: "Calls that the upstream refused with 429, by whether the rate was lowered for it.",
		}, []string{"budget", "lowered"}),
		shared: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_budget_shared", Help: "1 while replicas count the budget together; 0 alone, or while Redis is lost.",
		}),
	}
	for _, budget := range budgets {
		e.demoted.WithLabelValues(budget)
		for class := pace.Urgent; class <= pace.Spare; class++ {
			e.left.WithLabelValues(budget, class.String())
			for reason := pace.TooLate; reason <= pace.QueueFull; reason++ {
				e.exhausted.WithLabelValues(budget, class.String(), reason.String())
			}
		}
		for _, lowered := range []string{"no", "yes"} {
			e.limited.WithLabelValues(budget, lowered)
		}
	}
	return e
}

func (e paceEvents) collectors() []prometheus.Collector {
	return []prometheus.Collector{e.waited, e.exhausted, e.left, e.demoted, e.limited, e.shared}
}

// Granted implements pace.Metrics.
func (e paceEvents) Granted(bucket string, class pace.Class, waited time.Duration) {
	e.waited.WithLabelValues(bucket, class.String()).Observe(waited.Seconds())
}

// Exhausted implements pace.Metrics.
func (e paceEvents) Exhausted(bucket string, class pace.Class, reason pace.Reason) {
	e.exhausted.WithLabelValues(bucket, class.String(), reason.String()).Inc()
}

// Left implements pace.Metrics.
func (e paceEvents) Left(bucket string, class pace.Class) {
	e.left.WithLabelValues(bucket, class.String()).Inc()
}

// Demoted implements pace.Metrics.
func (e paceEvents) Demoted(bucket string) { e.demoted.WithLabelValues(bucket).Inc() }

// Limited implements pace.Metrics.
func (e paceEvents) Limited(bucket string, lowered bool) {
	label := "no"
	if lowered {
		label = "yes"
	}
	e.limited.WithLabelValues(bucket, label).Inc()
}

// Shared implements pace.Metrics.
func (e paceEvents) Shared(available bool) {
	value := 0.0
	if available {
		value = 1
	}
	e.shared.Set(value)
}

// budgetCollector reads the state of the buckets at each scrape.
type budgetCollector struct {
	budget                *budget
	rate, ceiling, queued *prometheus.Desc
}

func newBudgetCollector(b *budget) budgetCollector {
	return budgetCollector{
		budget:  b,
		rate:    prometheus.NewDesc("gateway_budget_rate_per_minute", "Current rate in calls a minute, configured or learned; the empty budget is the organization's.", []string{"budget"}, nil),
		ceiling: prometheus.NewDesc("gateway_budget_ceiling_per_minute", "Configured rate in calls a minute.", []string{"budget"}, nil),
		queued:  prometheus.NewDesc("gateway_budget_queued", "Calls of this replica that wait.", []string{"budget", "class"}, nil),
	}
}

// snapshotTimeout bounds the time for reading the buckets.
const snapshotTimeout = time.Second

// Describe implements prometheus.Collector.
func (c budgetCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.rate, c.ceiling, c.queued} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c budgetCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), snapshotTimeout)
	defer cancel()
	for _, s := range c.budget.Snapshot(ctx) {
		ch <- prometheus.MustNewConstMetric(c.rate, prometheus.GaugeValue, s.Rate, s.Bucket)
		ch <- prometheus.MustNewConstMetric(c.ceiling, prometheus.GaugeValue, s.Ceiling, s.Bucket)
		for class, n := range s.Queued.ByClass() {
			ch <- prometheus.MustNewConstMetric(c.queued, prometheus.GaugeValue, float64(n), s.Bucket, class.String())
		}
	}
}
