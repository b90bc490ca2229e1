package gatewaytest

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/broker"
	"github.com/admin-gateway/admin-gateway/lease/fileledger"
	"github.com/admin-gateway/admin-gateway/lease/marker"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/leases"
)

// WithLeases keeps leases: in a file, unless a ledger is given. The ledger is closed with
// the test in either case.
func WithLeases(keeper broker.KeeperOptions, given ...lease.Ledger) Option {
	return func(s *settings) {
		s.leases = func(tb testing.TB, options *service.Options) *leases.Leases {
			tb.Helper()
			return keepLeases(tb, options, keeper, given)
		}
	}
}

func keepLeases(tb testing.TB, options *service.Options, keeper broker.KeeperOptions, given []lease.Ledger) *leases.Leases {
	tb.Helper()
	var ledger lease.Ledger
	if len(given) > 0 {
		ledger = given[0]
	} else {
		opened, err := fileledger.Open(fileledger.Options{Path: filepath.Join(tb.TempDir(), "leases.db")})
		if err != nil {
			tb.Fatal(err)
		}
		ledger = opened
	}
	mark, err := marker.New("org", make([]byte, marker.KeyBytes))
	if err != nil {
		tb.Fatal(err)
	}
	made, err := leases.New(leases.Options{
		Ledger: ledger, Marker: mark, Callers: options.Callers, Keeper: keeper, Logger: options.Logger,
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		made.Close()
		if err := ledger.Close(); err != nil {
			tb.Error(err)
		}
	})
	return made
}

// keep runs what is behind the leases until the test ends.
func (g *Gateway) keep(of *leases.Leases) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = of.Run(ctx) }()
	g.tb.Cleanup(func() { cancel(); <-done })
}
