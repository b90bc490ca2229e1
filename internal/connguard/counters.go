package connguard

import "github.com/prometheus/client_golang/prometheus"

// kind is a label: whether a call on the connection was authenticated.
type kind int

const (
	anonymous kind = iota
	authenticated
	kinds
)

// reason is a label: why the gateway ended a connection, or a call on it.
type reason int

const (
	// replaced is a connection whose place a newer one has.
	replaced reason = iota
	// late is one without an authenticated call in time.
	late
	// heldUp is one that made too many requests without a credential.
	heldUp
	// noPlace is a call that was refused, because no place of a caller was idle.
	noPlace
	reasons
)

// Metrics are those of the connections of all listeners.
type Metrics struct {
	open *prometheus.GaugeVec
	ends *prometheus.CounterVec
}

// NewMetrics makes the metrics. Their labels are of closed sets: the listeners for
// which [Metrics.Of] is called, and constants.
func NewMetrics() *Metrics {
	return &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "gateway_connections", Help: "Open connections by listener, and by whether a call on them was authenticated.",
		}, []string{"listener", "kind"}),
		ends: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_connections_ended_total", Help: "Connections that the gateway ended for want of a place or a credential, by listener, kind and reason.",
		}, []string{"listener", "kind", "reason"}),
	}
}

// Collectors are for a registry.
func (m *Metrics) Collectors() []prometheus.Collector { return []prometheus.Collector{m.open, m.ends} }

// Counters count the connections of one listener. Nil counts nothing.
type Counters struct {
	open [kinds]prometheus.Gauge
	ends [kinds][reasons]prometheus.Counter
}

// Of returns the counters of a listener, whose series exist from then on. Of nil they
// are nil.
func (m *Metrics) Of(listener string) *Counters {
	if m == nil {
		return nil
	}
	kindNames := [kinds]string{"anonymous", "authenticated"}
	reasonNames := [reasons]string{"replaced", "late", "held_up", "no_place"}
	c := new(Counters)
	for k, kind := range kindNames {
		c.open[k] = m.open.WithLabelValues(listener, kind)
	}
	for why, reason := range reasonNames {
		c.ends[anonymous][why] = m.ends.WithLabelValues(listener, kindNames[anonymous], reason)
	}
	// The others concern anonymous connections alone.
	c.ends[authenticated][replaced] = m.ends.WithLabelValues(listener, kindNames[authenticated], reasonNames[replaced])
	return c
}

func (c *Counters) opened(k kind) {
	if c != nil {
		c.open[k].Inc()
	}
}

func (c *Counters) closed(k kind) {
	if c != nil {
		c.open[k].Dec()
	}
}

// moved counts an anonymous connection that is authenticated now.
func (c *Counters) moved() {
	if c != nil {
		c.open[anonymous].Dec()
		c.open[authenticated].Inc()
	}
}

func (c *Counters) ended(k kind, why reason) {
	if c != nil {
		c.ends[k][why].Inc()
	}
}

func (c *Counters) refused() {
	if c != nil {
		c.ends[anonymous][noPlace].Inc()
	}
}
