package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/upstream"
)

// Upstream counts what the upstream's client and sender do. It implements
// [upstream.AttemptMetrics] and [upstream.SendMetrics]; its labels are the
// endpoints of the catalog and the words of closed sets.
type Upstream struct {
	inFlight prometheus.Gauge
	duration *prometheus.HistogramVec
	results  *prometheus.CounterVec
	retries  *prometheus.CounterVec
	refused  *prometheus.CounterVec
	breaker  *prometheus.GaugeVec
	masked   *prometheus.CounterVec
}

// attemptBuckets are in seconds: the API takes some tenths of one, an attempt a
// minute at most.
func attemptBuckets() []float64 {
	return []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
}

// The values of labels. Series of alerts exist from the start: Prometheus sees
// no increase in a series that begins with it.
func results() []string {
	all := []string{"OK"}
	for kind := upstream.InvalidArgument; kind <= upstream.Canceled; kind++ {
		all = append(all, kind.String())
	}
	return all
}

func retryReasons() []upstream.RetryReason {
	return []upstream.RetryReason{upstream.RetryConnection, upstream.RetryServerError, upstream.RetryRateLimited, upstream.RetryAnswerLost}
}

func retryRefusals() []upstream.RetryRefusal {
	return []upstream.RetryRefusal{upstream.RefusedByBudget, upstream.RefusedByDeadline, upstream.RefusedByAttempts}
}

func breakerStates() []upstream.BreakerState {
	return []upstream.BreakerState{upstream.BreakerClosed, upstream.BreakerOpen, upstream.BreakerHalfOpen}
}

// NewUpstream registers the metrics; it panics when a name is taken, as a
// registry does.
func NewUpstream(registerer prometheus.Registerer) *Upstream {
	u := &Upstream{
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "gateway_upstream_attempts_in_flight", Help: "Requests that the upstream has not answered yet.",
		}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "gateway_upstream_attempt_duration_seconds", Help: "Duration of requests to the upstream, by endpoint and class of the answer's status.",
			Buckets: attemptBuckets(),
		}, []string{"endpoint", "status"}),
		results: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_upstream_results_total", Help: "Requests to the upstream by result: OK, or a kind of failure.",
		}, []string{"result"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_upstream_retries_total", Help: "Requests to the upstream that were made again, by reason.",
		}, []string{"reason"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_upstream_retries_refused_total", Help: "Requests that might have been made again, and were not, by the bound that refused it.",
		}, []string{"by"}),
		breaker: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gateway_upstream_breaker_state", Help: "1 for the current state of the upstream's circuit breaker, 0 for the others.",
		}, []string{"state"}),
	}
	u.masked = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "gateway_upstream_masked_total", Help: "Answers of the upstream that had a secret which does not belong there, by its kind. It was taken out.",
	}, []string{"kind"})
	for _, kind := range []upstream.Masked{upstream.MaskedAdminKey, upstream.MaskedCredential} {
		u.masked.WithLabelValues(string(kind))
	}
	for _, result := range results() {
		u.results.WithLabelValues(result)
	}
	for _, reason := range retryReasons() {
		u.retries.WithLabelValues(string(reason))
	}
	for _, refusal := range retryRefusals() {
		u.refused.WithLabelValues(string(refusal))
	}
	registerer.MustRegister(u.inFlight, u.duration, u.results, u.retries, u.refused, u.breaker, u.masked)
	return u
}

// Began implements [upstream.AttemptMetrics].
func (u *Upstream) Began() { u.inFlight.Inc() }

// Ended implements [upstream.AttemptMetrics].
func (u *Upstream) Ended(e *upstream.Endpoint, status int, took time.Duration) {
	u.inFlight.Dec()
	u.duration.WithLabelValues(e.String(), statusClass(status)).Observe(took.Seconds())
}

// Masked implements [upstream.AttemptMetrics].
func (u *Upstream) Masked(kind upstream.Masked) { u.masked.WithLabelValues(string(kind)).Inc() }

// Attempt implements [upstream.SendMetrics].
func (u *Upstream) Attempt(result string) { u.results.WithLabelValues(result).Inc() }

// Retry implements [upstream.SendMetrics].
func (u *Upstream) Retry(reason upstream.RetryReason) {
	u.retries.WithLabelValues(string(reason)).Inc()
}

// RetryRefused implements [upstream.SendMetrics].
func (u *Upstream) RetryRefused(why upstream.RetryRefusal) {
	u.refused.WithLabelValues(string(why)).Inc()
}

// Breaker implements [upstream.SendMetrics].
func (u *Upstream) Breaker(state upstream.BreakerState) {
	for _, s := range breakerStates() {
		value := 0.0
		if s == state {
			value = 1
		}
		u.breaker.WithLabelValues(string(s)).Set(value)
	}
}

// statusClass is one of six words. "none" means without an answer.
func statusClass(status int) string {
	switch status / 100 {
	case 1, 2, 3, 4, 5:
		return [...]string{"1xx", "2xx", "3xx", "4xx", "5xx"}[status/100-1]
	case 0:
		return "none"
	default:
		return "other"
	}
}
