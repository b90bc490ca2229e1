package holds

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/overrides"
)

// Callers holds the policy in force.
type Callers interface {
	// Current is the policy.
	Current() *callers.Set
}

// Options configure [New]. Ledger and Callers are required.
type Options struct {
	// Ledger keeps the holds. The caller closes it after Run has ended.
	Ledger overrides.Ledger
	// Callers says who can be held.
	Callers Callers
	// Logger gets what operators have to know; discarded by default.
	Logger *slog.Logger
}

// Hold is a caller that may not call.
type Hold struct{ overrides.Override }

// Holds are the callers that are held. A nil Holds holds nobody, and refuses to. It is safe
// for concurrent use.
type Holds struct {
	callers Callers
	kept    *overrides.Store[Hold]
}

// New makes Holds. They know of no hold before [Holds.Read] or [Holds.Run].
func New(o Options) (*Holds, error) {
	if o.Callers == nil {
		return nil, errors.New("holds: Options.Callers is required")
	}
	kept, err := overrides.New[Hold](overrides.Options{Ledger: o.Ledger, Document: "callers.holds", Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	return &Holds{callers: o.Callers, kept: kept}, nil
}

// Held tells whether calls of a caller are refused at this moment.
func (h *Holds) Held(caller string) bool {
	if h == nil {
		return false
	}
	_, held := h.kept.Of(caller)
	return held
}

// ReadAt is when the holds were last read from the ledger; zero for never.
func (h *Holds) ReadAt() time.Time { return h.kept.ReadAt() }

// Run reads the holds again and again, until ctx ends.
func (h *Holds) Run(ctx context.Context) error {
	if h == nil {
		return nil
	}
	return h.kept.Run(ctx)
}

// Read reads the holds from the ledger. Where that fails, those that are known stay, and
// the log says so once.
func (h *Holds) Read(ctx context.Context) {
	if h != nil {
		h.kept.Read(ctx)
	}
}
