package spending

import "github.com/prometheus/client_golang/prometheus"

// descriptions are those of the metrics.
type descriptions struct{ calls, requests, waited, waiting *prometheus.Desc }

func describe() descriptions {
	perBudget := []string{"caller", "budget"}
	return descriptions{
		calls:    prometheus.NewDesc("gateway_caller_calls_total", "Calls of a caller, by their end.", []string{"caller", "outcome"}, nil),
		requests: prometheus.NewDesc("gateway_caller_upstream_requests_total", "Requests to the upstream that a caller's calls were granted, by budget.", perBudget, nil),
		waited:   prometheus.NewDesc("gateway_caller_budget_wait_seconds_total", "Time for which requests of a caller have waited for a budget.", perBudget, nil),
		waiting:  prometheus.NewDesc("gateway_caller_waiting", "Requests of a caller that wait for a budget.", perBudget, nil),
	}
}

// collector shows an [Account] as metrics, with series of callers that are in the policy
// and have done anything: [MaxCallers] of them, and two more.
type collector struct {
	account *Account
	is      descriptions
}

// Collector returns the metrics by caller.
func (a *Account) Collector() prometheus.Collector { return collector{a, describe()} }

// Describe implements [prometheus.Collector].
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.is.calls, c.is.requests, c.is.waited, c.is.waiting} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, l := range c.account.Snapshot() {
		if l.Total.All() > 0 {
			for end, n := range [outcomes]uint64{answered: l.Total.Answered, cached: l.Total.Cached, refused: l.Total.Refused, failed: l.Total.Failed} {
				to <- prometheus.MustNewConstMetric(c.is.calls, prometheus.CounterValue, float64(n), l.Caller, outcomeNames[end])
			}
		}
		for _, b := range l.Budgets {
			to <- prometheus.MustNewConstMetric(c.is.requests, prometheus.CounterValue, float64(b.Requests), l.Caller, b.Budget)
			to <- prometheus.MustNewConstMetric(c.is.waited, prometheus.CounterValue, b.Waited.Seconds(), l.Caller, b.Budget)
			to <- prometheus.MustNewConstMetric(c.is.waiting, prometheus.GaugeValue, float64(b.Waiting), l.Caller, b.Budget)
		}
	}
}
