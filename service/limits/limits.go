package limits

import (
	"context"
	"errors"
	"log/slog"
	"sync"
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
	// Ledger keeps the overrides. The caller closes it after Run has ended.
	Ledger overrides.Ledger
	// Callers has the limiters of callers.
	Callers Callers
	// Logger gets what operators have to know; discarded by default.
	Logger *slog.Logger
}

// Limit is other limits for a caller.
type Limit struct {
	overrides.Override

	Limits callers.Override `json:"limits"`
}

// Limits are the callers with other limits than the policy's. Nil Limits give none, and
// refuse to. They are safe for concurrent use.
type Limits struct {
	callers Callers
	kept    *overrides.Store[Limit]

	// mu guards what follows: the overrides that are in force in limiters, by caller.
	mu      sync.Mutex
	applied map[string]applied
}

// applied is an override that was put into a limiter.
type applied struct {
	at       time.Time
	override *callers.Override
}

// New makes Limits. They know of no override before [Limits.Read] or [Limits.Run].
func New(o Options) (*Limits, error) {
	if o.Callers == nil {
		return nil, errors.New("limits: Options.Callers is required")
	}
	kept, err := overrides.New[Limit](overrides.Options{Ledger: o.Ledger, Document: "callers.limits", Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	l := &Limits{callers: o.Callers, kept: kept, applied: make(map[string]applied)}
	kept.OnChange(l.apply)
	kept.OnLook(l.apply) // After a reload of the policy a caller may be new.
	return l, nil
}

// Of is the override of a caller that is in force at this moment.
func (l *Limits) Of(caller string) (Limit, bool) {
	if l == nil {
		return Limit{}, false
	}
	return l.kept.Of(caller)
}

// ReadAt is when the overrides were last read from the ledger; zero for never.
func (l *Limits) ReadAt() time.Time { return l.kept.ReadAt() }

// Read reads the overrides from the ledger, and puts them into force. Where that fails,
// those that are known stay, and the log says so once.
func (l *Limits) Read(ctx context.Context) {
	if l != nil {
		l.kept.Read(ctx)
	}
}

// Run reads the overrides again and again, and ends those that are over, until ctx ends.
func (l *Limits) Run(ctx context.Context) error {
	if l == nil {
		return nil
	}
	return l.kept.Run(ctx)
}

// apply makes the limits of callers those that are in force now.
func (l *Limits) apply() {
	l.mu.Lock()
	defer l.mu.Unlock()
	set, now := l.callers.Current(), make(map[string]applied)
	for _, limit := range l.kept.All() {
		next := l.applied[limit.Caller]
		if next.override == nil || !next.at.Equal(limit.At) {
			next = applied{at: limit.At, override: &limit.Limits}
		}
		now[limit.Caller] = next
	}
	for caller := range l.applied {
		if _, stays := now[caller]; !stays {
			if limiter := set.Limiter(caller); limiter != nil {
				limiter.Override(nil)
			}
		}
	}
	for caller, next := range now {
		if limiter := set.Limiter(caller); limiter != nil {
			limiter.Override(next.override)
		}
	}
	l.applied = now
}
