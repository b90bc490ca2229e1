package build

import (
	"cmp"
	"context"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/ledger"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/lease/marker"
	"github.com/admin-gateway/admin-gateway/service/leases"
	leasemetrics "github.com/admin-gateway/admin-gateway/service/leases/metrics"
	"github.com/admin-gateway/admin-gateway/upstream"
)

// leasing gives leases, and keeps them where the config says. A nil one gives none.
type leasing struct {
	*leases.Leases
	ledger  *ledger.Late
	marks   *marker.Marker
	shared  bool // other processes may have the ledger open
	calls   *ledger.Metrics
	metrics *leasemetrics.Metrics
}

// openLeases opens the ledger that the config names, and what gives leases over it; nil if
// it names none.
func openLeases(ctx context.Context, opened *closers, conf config.Config, key upstream.KeySource, policy policySource, stopping <-chan struct{}, logger *slog.Logger) (*leasing, error) {
	open, err := ledgerOf(ctx, opened, conf, logger)
	if err != nil || open == nil {
		return nil, err
	}
	l := &leasing{shared: inRedis(conf), calls: ledger.NewMetrics(), metrics: leasemetrics.New(logger)}
	if l.ledger, err = ledger.Open(ctx, ledger.Options{Open: open, Final: redisclient.RefusedLogin, Metrics: l.calls, Logger: logger}); err != nil {
		return nil, config.AtKey("leases", err)
	}
	opened.addWriter(l.ledger)
	keys, err := markKeys(ctx, conf, key, logger)
	if err != nil {
		return nil, err
	}
	l.marks, err = marker.New(cmp.Or(conf.Leases.Organization, ownOrganization), keys...)
	if err != nil {
		return nil, err
	}
	l.Leases, err = leases.New(leases.Options{
		Ledger: l.ledger, Marker: l.marks, Callers: policy, KeepEnded: conf.Leases.KeepEnded,
		Keeper: broker.KeeperOptions{SweepInterval: conf.Leases.SweepInterval}, Observer: l.metrics, Stopping: stopping, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	opened.add(l.Leases)
	return l, nil
}

// given is what the server gives leases with; nil for none.
func (l *leasing) given() *leases.Leases {
	if l == nil {
		return nil
	}
	return l.Leases
}

// Run revokes, looks, sweeps and counts, until ctx ends, and then waits for the keys that
// are being made.
func (l *leasing) Run(ctx context.Context) error {
	if l == nil {
		return nil
	}
	var watching sync.WaitGroup
	watching.Go(func() { l.metrics.Watch(ctx, l.Leases) })
	defer watching.Wait()
	defer l.Leases.Close()
	return l.Leases.Run(ctx)
}

// opening opens a ledger that does not answer yet, and looks after it.
func (l *leasing) opening() runner {
	if l == nil {
		return runnerFunc(func(context.Context) error { return nil })
	}
	return l.ledger
}

// runnerFunc is a component of one function.
type runnerFunc func(context.Context) error

// Run calls it.
func (f runnerFunc) Run(ctx context.Context) error { return f(ctx) }

// degraded says what is wrong with the ledger; "" for nothing, and where there is none.
func (l *leasing) degraded() string {
	if l == nil {
		return ""
	}
	return l.ledger.Degraded()
}

func (l *leasing) collectors() []prometheus.Collector {
	if l == nil {
		return nil
	}
	return append(l.calls.Collectors(), l.metrics, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gateway_lease_ledger_degraded", Help: "1 while the ledger of leases does not answer, or may forget leases; /readyz says which.",
	}, func() float64 {
		if l.degraded() == "" {
			return 0
		}
		return 1
	}))
}
