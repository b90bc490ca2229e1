package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
)

// gauge is a number of the ledger.
type gauge struct {
	desc  *prometheus.Desc
	value func(s *broker.Stats, now time.Time) float64
}

func countDesc() *prometheus.Desc {
	return prometheus.NewDesc("gateway_leases", "Leases, and the keys that they have, by role and state.", []string{"role", "kind", "state"}, nil)
}

func gauges() []gauge {
	named := func(name, help string, value func(s *broker.Stats, now time.Time) float64) gauge {
		return gauge{prometheus.NewDesc(name, help, nil, nil), value}
	}
	return []gauge{
		named("gateway_lease_revocations_waiting", "Keys that are to be deleted.", in(lease.Revoking)),
		named("gateway_lease_revocation_oldest_seconds", "For how long the key has been waiting that has waited the longest to be deleted.", since(func(s *broker.Stats) time.Time { return s.OldestRevocation })),
		named("gateway_lease_revocations_overdue", "Keys that have waited to be deleted for more than ten minutes.", func(s *broker.Stats, _ time.Time) float64 { return float64(s.Overdue) }),
		named("gateway_lease_doubtful", "Keys of which nobody knows whether they were made.", in(lease.Doubtful)),
		named("gateway_lease_doubt_oldest_seconds", "For how long the oldest of these doubts has lasted.", since(func(s *broker.Stats) time.Time { return s.OldestDoubt })),
		named("gateway_lease_orphans", "Keys with the gateway's mark that no lease has, and that are to be deleted.", in(lease.Orphan)),
		named("gateway_lease_leader", "1 in the replica that revokes, looks and sweeps.", func(s *broker.Stats, _ time.Time) float64 { return flag(s.Leads) }),
		named("gateway_lease_last_sweep_timestamp_seconds", "When this replica last compared the leases with all keys upstream; 0 before it did.", func(s *broker.Stats, _ time.Time) float64 { return timestamp(s.LastSweep) }),
	}
}

// in counts the credentials in a state.
func in(state lease.State) func(s *broker.Stats, _ time.Time) float64 {
	return func(s *broker.Stats, _ time.Time) float64 {
		n := 0
		for _, c := range s.Counts {
			if c.Credentials && c.State == state {
				n += c.N
			}
		}
		return float64(n)
	}
}

// since is the age of a moment, 0 where there is none.
func since(of func(*broker.Stats) time.Time) func(s *broker.Stats, now time.Time) float64 {
	return func(s *broker.Stats, now time.Time) float64 {
		at := of(s)
		if at.IsZero() {
			return 0
		}
		return max(0, now.Sub(at).Seconds())
	}
}

func flag(set bool) float64 {
	if set {
		return 1
	}
	return 0
}

func timestamp(at time.Time) float64 {
	if at.IsZero() {
		return 0
	}
	return float64(at.UnixMilli()) / 1000
}
