package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
)

const (
	// maxRoles bounds the roles that have series of their own: those of a policy, and
	// some that it had before.
	maxRoles = 2000
	// otherRole stands for all further roles. No role has this name.
	otherRole = "(other)"
	// otherOutcome stands for an outcome that this build does not know.
	otherOutcome = "other"
	// askEvery is how often the ledger is asked, and longestAsk how long that may take.
	askEvery, longestAsk = 10 * time.Second, 5 * time.Second
	// goodFor is how long numbers are shown after the ledger stopped answering.
	goodFor = time.Minute
)

// outcomes are those of mints and revocations: "done", and those of package broker.
func outcomes() []string {
	all := []string{"done"}
	for _, o := range []broker.Outcome{broker.NotSent, broker.Refused, broker.Gone, broker.Unknown} {
		all = append(all, o.String())
	}
	return append(all, otherOutcome)
}

// Metrics are the metrics of leases. It is a [broker.Observer] and a
// [prometheus.Collector], and safe for concurrent use.
type Metrics struct {
	logger  *slog.Logger
	minted  *prometheus.CounterVec
	revoked *prometheus.CounterVec

	mu    sync.Mutex
	roles map[string]struct{}
	stats broker.Stats
	at    time.Time // of the stats; zero before there were any
}

var _ broker.Observer = (*Metrics)(nil)

// New makes Metrics. The series of mints and revocations exist from the start.
func New(logger *slog.Logger) *Metrics {
	m := &Metrics{
		logger: logger, roles: make(map[string]struct{}),
		minted: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_lease_mints_total", Help: "Keys that were asked for, by role and outcome.",
		}, []string{"role", "outcome"}),
		revoked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "gateway_lease_revocations_total", Help: "Deletions of keys that were tried, by role and outcome.",
		}, []string{"role", "outcome"}),
	}
	m.prepare(otherRole)
	return m
}

// prepare makes the series of a role, so that the first of each is an increase.
func (m *Metrics) prepare(role string) {
	for _, outcome := range outcomes() {
		m.minted.WithLabelValues(role, outcome)
		m.revoked.WithLabelValues(role, outcome)
	}
}

// Minted implements [broker.Observer].
func (m *Metrics) Minted(role, outcome string) {
	m.minted.WithLabelValues(m.role(role), known(outcome)).Inc()
}

// Revoked implements [broker.Observer].
func (m *Metrics) Revoked(role, outcome string) {
	m.revoked.WithLabelValues(m.role(role), known(outcome)).Inc()
}

func known(outcome string) string {
	for _, o := range outcomes() {
		if o == outcome {
			return outcome
		}
	}
	return otherOutcome
}

// role is the label of a role. It is bounded: roles come and go with the policy.
func (m *Metrics) role(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.roleLocked(name)
}

func (m *Metrics) roleLocked(name string) string {
	if _, ok := m.roles[name]; ok {
		return name
	}
	if len(m.roles) >= maxRoles {
		return otherRole
	}
	m.roles[name] = struct{}{}
	m.prepare(name)
	return name
}

// Source tells numbers of the ledger.
type Source interface {
	// Stats asks the ledger, and returns with ctx.
	Stats(ctx context.Context) (broker.Stats, error)
}

// Watch asks a source for its numbers now and then, until ctx ends.
func (m *Metrics) Watch(ctx context.Context, from Source) {
	ticker := time.NewTicker(askEvery)
	defer ticker.Stop()
	for {
		m.ask(ctx, from)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (m *Metrics) ask(ctx context.Context, from Source) {
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	stats, err := from.Stats(ctx)
	if err != nil {
		// What it costs is said elsewhere: the ledger is degraded.
		m.logger.DebugContext(ctx, "the numbers of leases are not known", "error", err.Error())
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats, m.at = stats, time.Now()
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(out chan<- *prometheus.Desc) {
	m.minted.Describe(out)
	m.revoked.Describe(out)
	for _, g := range gauges() {
		out <- g.desc
	}
	out <- countDesc()
}

// Collect implements [prometheus.Collector]. It asks nobody. Numbers of the ledger that
// are old are left out.
func (m *Metrics) Collect(out chan<- prometheus.Metric) {
	m.minted.Collect(out)
	m.revoked.Collect(out)
	m.mu.Lock()
	stats, at := m.stats, m.at
	counts := m.countsLocked()
	m.mu.Unlock()
	now := time.Now()
	if !at.IsZero() && now.Sub(at) > goodFor {
		return
	}
	for _, g := range gauges() {
		out <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, g.value(&stats, now))
	}
	for of, n := range counts {
		out <- prometheus.MustNewConstMetric(countDesc(), prometheus.GaugeValue, float64(n), of.role, of.kind, of.state)
	}
}

// counted is what leases are counted by.
type counted struct{ role, kind, state string }

// countsLocked are the counts, with those of too many roles together. These have every
// state, so that a sum by state has each of them too.
func (m *Metrics) countsLocked() map[counted]int {
	all := make(map[counted]int)
	for _, state := range lease.States() {
		for _, kind := range []string{"lease", "credential"} {
			all[counted{otherRole, kind, state.String()}] = 0
		}
	}
	for _, c := range m.stats.Counts {
		kind := "lease"
		if c.Credentials {
			kind = "credential"
		}
		all[counted{m.roleLocked(c.Role), kind, c.State.String()}] += c.N
	}
	return all
}
