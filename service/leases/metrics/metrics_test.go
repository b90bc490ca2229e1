package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// source tells what a test sets.
type source struct {
	mu    sync.Mutex
	stats broker.Stats
	err   error
}

func (s *source) set(stats broker.Stats, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats, s.err = stats, err
}

func (s *source) Stats(context.Context) (broker.Stats, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats, s.err
}

// shown are the samples of a registry: name, values of labels, value.
func shown(t *testing.T, m *Metrics) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]float64)
	for _, f := range families {
		for _, sample := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "gateway_")
			for _, label := range sample.GetLabel() {
				name += " " + label.GetValue()
			}
			all[name] = sample.GetGauge().GetValue() + sample.GetCounter().GetValue()
		}
	}
	return all
}

func want(t *testing.T, got, want map[string]float64) {
	t.Helper()
	for name, value := range want {
		if is, ok := got[name]; !ok || is != value {
			t.Errorf("%s is %g (%t), want %g", name, is, ok, value)
		}
	}
}

// TestNumbersOfTheLedger: the numbers are those of the last answer; those of a ledger
// that has stopped to answer are not shown for long.
func TestNumbersOfTheLedger(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, from := New(slog.New(slog.DiscardHandler)), new(source)
		begun := time.Now()
		from.set(broker.Stats{
			Counts: []lease.Count{
				{Role: "search", State: lease.Active, N: 7}, {Role: "search", State: lease.Active, Credentials: true, N: 3},
				{Role: "search", State: lease.Revoking, Credentials: true, N: 2}, {Role: "batch", State: lease.Revoking, Credentials: true, N: 1},
				{Role: "batch", State: lease.Doubtful, Credentials: true, N: 4}, {Role: "batch", State: lease.Doubtful, N: 4},
				{Role: "batch", State: lease.Orphan, Credentials: true, N: 5},
			},
			OldestRevocation: begun.Add(-time.Minute), OldestDoubt: begun.Add(-time.Hour), Overdue: 1, Leads: true, LastSweep: begun.Add(-time.Second),
		}, nil)
		want(t, shown(t, m), map[string]float64{"lease_revocations_overdue": 0, "lease_leader": 0, "lease_last_sweep_timestamp_seconds": 0, "leases lease (other) ACTIVE": 0})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); m.Watch(ctx, from) }()
		synctest.Wait()
		now := shown(t, m)
		want(t, now, map[string]float64{
			"leases lease search ACTIVE": 7, "leases credential search ACTIVE": 3, "leases credential batch ORPHAN": 5,
			"lease_revocations_waiting": 3, "lease_revocation_oldest_seconds": 60, "lease_revocations_overdue": 1,
			"lease_doubtful": 4, "lease_doubt_oldest_seconds": 3600, "lease_orphans": 5, "lease_leader": 1,
			"lease_last_sweep_timestamp_seconds": float64(begun.Add(-time.Second).UnixMilli()) / 1000,
		})
		from.set(broker.Stats{}, errors.New("no answer"))
		time.Sleep(goodFor) //nolint:forbidigo // the time of the bubble
		want(t, shown(t, m), map[string]float64{"lease_doubtful": 4})
		time.Sleep(time.Second) //nolint:forbidigo // the time of the bubble
		old := shown(t, m)
		for _, name := range []string{"lease_doubtful", "leases lease search ACTIVE", "lease_leader"} {
			if _, ok := old[name]; ok {
				t.Errorf("%s is shown, and is old", name)
			}
		}
		want(t, old, map[string]float64{"lease_mints_total done (other)": 0})
		from.set(broker.Stats{Counts: []lease.Count{{Role: "search", State: lease.Expired, N: 7}}}, nil)
		time.Sleep(askEvery) //nolint:forbidigo // the time of the bubble
		synctest.Wait()
		again := shown(t, m)
		want(t, again, map[string]float64{"leases lease search EXPIRED": 7, "lease_doubtful": 0})
		if _, ok := again["leases lease search ACTIVE"]; ok {
			t.Error("a state without leases is shown")
		}
		stop()
		<-ended
	})
}

// TestMintsAndRevocations are counted by role and outcome, from zero on.
func TestMintsAndRevocations(t *testing.T) {
	t.Parallel()
	m := New(slog.New(slog.DiscardHandler))
	m.Minted("search", "done")
	m.Minted("search", "done")
	m.Revoked("search", broker.Gone.String())
	m.Revoked("search", "sk-something")
	want(t, shown(t, m), map[string]float64{
		"lease_mints_total done search": 2, "lease_mints_total refused search": 0, "lease_revocations_total gone search": 1, "lease_revocations_total other search": 1,
	})
}

// TestRolesAreBounded: whoever renames roles makes no series without end.
func TestRolesAreBounded(t *testing.T) {
	t.Parallel()
	m := New(slog.New(slog.DiscardHandler))
	counts := make([]lease.Count, 2*maxRoles)
	for i := range counts {
		name := fmt.Sprintf("role-%d", i)
		m.Minted(name, "done")
		counts[i] = lease.Count{Role: name, State: lease.Active, N: 1}
	}
	m.mu.Lock()
	m.stats.Counts, m.at = counts, time.Now()
	m.mu.Unlock()
	got := shown(t, m)
	want(t, got, map[string]float64{"lease_mints_total done (other)": maxRoles, "leases lease (other) ACTIVE": maxRoles, "leases lease role-0 ACTIVE": 1})
	if most := (maxRoles + 1) * (1 + 2*len(outcomes())) * 2; len(got) > most {
		t.Errorf("%d series", len(got))
	}
}
