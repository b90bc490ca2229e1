package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/lease"
)

// The defaults of what a ledger is configured with.
const (
	// DefaultSweepInterval is the time between two comparisons with the keys upstream.
	DefaultSweepInterval = 15 * time.Minute
	// DefaultKeepEnded is how long a lease that has ended stays.
	DefaultKeepEnded = lease.DefaultKept
)

const (
	// openEvery is how often a ledger is asked for that did not answer.
	openEvery = 2 * time.Second
	// lookEvery is how often the settings of Redis are looked at.
	lookEvery = time.Minute
	// longestLook bounds one such look, and one attempt to open.
	longestLook = 10 * time.Second
)

// Options configure [Open]. Open is required.
type Options struct {
	// Open opens the ledger. It is called until it succeeds once.
	Open func(context.Context) (lease.Ledger, error)
	// Final tells an error of Open that no time heals, beside those that are not
	// lease.ErrUnavailable; nil: there are no others.
	Final func(error) bool
	// Metrics measures calls; nil measures nothing.
	Metrics *Metrics
	// Logger gets what operators have to know.
	Logger *slog.Logger
}

// Late is a [lease.Ledger] that may not be there yet: until it was opened, every call
// fails with [lease.ErrUnavailable]. It is safe for concurrent use.
type Late struct {
	options Options

	opening sync.Mutex // one attempt at a time, and none after Close
	closed  bool
	opened  atomic.Pointer[lease.Ledger]
	// lost is set when the ledger said that its data were lost: only a restart opens it
	// again.
	lost atomic.Bool
	// said is the last failure to open that was logged; it belongs to Run.
	said string
	// risks are what was found out about this Redis, as one text; "" for nothing.
	risks atomic.Pointer[string]
}

var _ lease.Ledger = (*Late)(nil)

// Open opens the ledger if it answers. One that cannot be asked is asked again in
// [Late.Run]; any other failure, such as a ledger of a newer build, is an error.
func Open(ctx context.Context, o Options) (*Late, error) {
	l := &Late{options: o}
	if err := l.open(ctx); err != nil {
		if l.final(err) {
			return nil, err
		}
		o.Logger.WarnContext(ctx, "the ledger of leases cannot be opened yet", "error", err.Error())
	}
	return l, nil
}

func (l *Late) final(err error) bool {
	return !errors.Is(err, lease.ErrUnavailable) || l.options.Final != nil && l.options.Final(err)
}

// open opens the ledger, if it is not open and not closed.
func (l *Late) open(ctx context.Context) error {
	l.opening.Lock()
	defer l.opening.Unlock()
	if l.closed || l.opened.Load() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	inner, err := l.options.Open(ctx)
	if err != nil {
		return err
	}
	l.opened.Store(&inner)
	l.look(ctx)
	return nil
}

// Run opens the ledger if it is not open, and looks at the settings of Redis now and
// then, until ctx ends.
func (l *Late) Run(ctx context.Context) error {
	next := time.NewTimer(openEvery)
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-next.C:
		}
		if l.opened.Load() != nil {
			l.look(ctx)
			next.Reset(lookEvery)
			continue
		}
		err := l.open(ctx)
		switch {
		case err == nil:
			l.options.Logger.InfoContext(ctx, "the ledger of leases is open")
		case l.final(err) && err.Error() != l.said:
			l.said = err.Error()
			l.options.Logger.ErrorContext(ctx, "the ledger of leases cannot be opened", "error", l.said)
		}
		next.Reset(openEvery)
	}
}

// Close implements [lease.Ledger].
func (l *Late) Close() error {
	l.opening.Lock()
	defer l.opening.Unlock()
	l.closed = true
	inner := l.opened.Swap(nil)
	if inner == nil {
		return nil
	}
	return (*inner).Close()
}

// Degraded says in words what is wrong with the ledger; "" for nothing. It asks nobody.
func (l *Late) Degraded() string {
	inner := l.opened.Load()
	switch {
	case inner == nil:
		return "the ledger of leases does not answer, so no lease is given, renewed or revoked"
	case l.lost.Load():
		return "the ledger of leases has lost its data: docs/ledger.md says what to do"
	}
	if asked, ok := (*inner).(interface{ Available() bool }); ok && !asked.Available() {
		return "the ledger of leases does not answer, so no lease is given, renewed or revoked"
	}
	if risks := l.risks.Load(); risks != nil {
		return *risks
	}
	return ""
}

// look finds out how safe leases are in this Redis. A file needs no look.
func (l *Late) look(ctx context.Context) {
	inner := l.opened.Load()
	if inner == nil {
		return
	}
	looked, ok := (*inner).(interface {
		Findings(ctx context.Context) ([]redisclient.Finding, error)
	})
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, longestLook)
	defer cancel()
	findings, err := looked.Findings(ctx)
	if err != nil {
		return // Degraded says that it does not answer, and the next look comes.
	}
	l.found(ctx, findings)
}

// found takes note of findings, and logs them when they are others than before.
func (l *Late) found(ctx context.Context, findings []redisclient.Finding) {
	var risky, unknown []string
	for _, f := range findings {
		switch f.Level {
		case redisclient.Risky:
			risky = append(risky, f.Text)
		case redisclient.Unknown:
			unknown = append(unknown, f.Text)
		case redisclient.Good:
		}
	}
	text := ""
	if len(risky) > 0 {
		text = "leases may be forgotten: " + strings.Join(risky, " ")
	}
	before := l.risks.Swap(&text)
	if before != nil && *before == text {
		return
	}
	if text != "" {
		l.options.Logger.WarnContext(ctx, "leases are not safe in this Redis", "findings", strings.Join(risky, " "))
	} else if before != nil {
		l.options.Logger.InfoContext(ctx, "leases are safe in this Redis again")
	}
	if before == nil && len(unknown) > 0 {
		l.options.Logger.InfoContext(ctx, "it is not known whether leases are safe in this Redis", "findings", strings.Join(unknown, " "))
	}
}

// errNotOpen is the error while the ledger was not opened.
var errNotOpen = fmt.Errorf("%w: it was not opened yet", lease.ErrUnavailable)
