package build

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/admin-gateway/admin-gateway/service/holds"
	"github.com/admin-gateway/admin-gateway/service/limits"
)

// holdsLate is how old the holds of callers may be before the gateway says so.
const holdsLate = 10 * time.Second

// holding holds callers, in the ledger of leases. A nil one holds nobody.
type holding struct{ *holds.Holds }

// openHolds reads the holds of callers before the first of them can call; nil without a
// ledger.
func openHolds(ctx context.Context, leases *leasing, policy policySource, logger *slog.Logger) (*holding, error) {
	if leases == nil {
		return nil, nil
	}
	made, err := holds.New(holds.Options{Ledger: leases.ledger, Callers: policy, Logger: logger})
	if err != nil {
		return nil, err
	}
	made.Read(ctx)
	return &holding{made}, nil
}

// openLimits reads the other limits of callers before the first of them can call; nil
// without a ledger.
func openLimits(ctx context.Context, leases *leasing, policy policySource, logger *slog.Logger) (*limits.Limits, error) {
	if leases == nil {
		return nil, nil
	}
	made, err := limits.New(limits.Options{Ledger: leases.ledger, Callers: policy, Logger: logger})
	if err != nil {
		return nil, err
	}
	made.Read(ctx)
	return made, nil
}

// given is what the server holds callers with; nil for none.
func (h *holding) given() *holds.Holds {
	if h == nil {
		return nil
	}
	return h.Holds
}

// Run reads the holds again and again, until ctx ends.
func (h *holding) Run(ctx context.Context) error { return h.given().Run(ctx) }

// degraded says why callers may call that are held; "" for nothing, and where there are no
// holds.
func (h *holding) degraded() string {
	if h == nil {
		return ""
	}
	switch at := h.ReadAt(); {
	case at.IsZero():
		return "the ledger has not answered since the start, so it is not known which callers are held, and none is"
	case time.Since(at) > holdsLate:
		return "the ledger does not answer: callers that were held or released since then may or may not call"
	}
	return ""
}

func (h *holding) collectors() []prometheus.Collector { return h.given().Collectors() }
