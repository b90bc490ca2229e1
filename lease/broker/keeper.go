package broker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// KeeperOptions configure [NewKeeper].
type KeeperOptions struct {
	// SweepInterval is between two comparisons of the ledger with the keys upstream;
	// [DefaultSweepInterval] by default.
	SweepInterval time.Duration
	// Term is how long a replica leads without a sign of life; [DefaultTerm] by default.
	Term time.Duration
	// Tick is between two looks at what is due; [DefaultTick] by default.
	Tick time.Duration
}

// The defaults of [KeeperOptions].
const (
	DefaultSweepInterval = 15 * time.Minute
	DefaultTerm          = 9 * time.Second
	DefaultTick          = time.Second
)

const (
	// slowTick is between two looks at what is made ahead, and at static roles.
	slowTick = 10 * time.Second
	// revokers is how many revocations are tried at a time, of either urgency: as many
	// as may wait for a budget in which the other urgency waits too.
	revokers = 4
	// batch is how many rows are changed at once; each may take another with it.
	batch = lease.MaxBatch / 3
)

// Keeper does what is due: it ends leases whose time is over, deletes keys, looks for
// those that nobody knows of, makes spares, and rotates static roles. Every replica runs
// one, and one of them leads: its term is in the ledger, and fences those before it.
type Keeper struct {
	b *Broker
	o KeeperOptions

	mu    sync.Mutex
	leads bool
	swept time.Time
}

// NewKeeper makes the keeper of a broker.
func NewKeeper(b *Broker, o KeeperOptions) *Keeper {
	if o.SweepInterval <= 0 {
		o.SweepInterval = DefaultSweepInterval
	}
	if o.Term <= 0 {
		o.Term = DefaultTerm
	}
	if o.Tick <= 0 {
		o.Tick = DefaultTick
	}
	return &Keeper{b: b, o: o}
}

// Run keeps until ctx ends, and then gives the leadership back.
func (k *Keeper) Run(ctx context.Context) {
	for ctx.Err() == nil {
		term, err := k.b.o.Ledger.Lead(ctx, k.b.o.Replica, k.o.Term)
		if err == nil {
			k.lead(ctx, term)
			continue
		}
		if !errors.Is(err, lease.ErrClaimed) && ctx.Err() == nil {
			k.b.o.Logger.WarnContext(ctx, "the ledger of leases cannot be asked who leads", "error", err)
		}
		_ = pause(ctx, k.o.Term/3)
	}
}

// lead works for as long as the term lasts.
func (k *Keeper) lead(ctx context.Context, term lease.Term) {
	working, stop := context.WithCancel(ctx)
	defer stop()
	w := &worker{Keeper: k, term: term.Fence, busy: make(map[string]bool)}
	k.note(func() { k.leads = true })
	defer k.note(func() { k.leads = false })
	var work sync.WaitGroup
	for _, task := range []func(context.Context){
		w.turns, w.revocations(lease.DueUrgent), w.revocations(lease.DueRevocation), w.doubts, w.ahead, w.sweeps,
	} {
		work.Go(func() { task(working) })
	}
	k.holdOn(ctx, term)
	stop()
	work.Wait()
	resign, cancel := afterwards(ctx)
	defer cancel()
	_ = k.b.o.Ledger.Resign(resign, term) // It is over soon anyway.
}

// holdOn keeps the term until it is lost or ctx ends.
func (k *Keeper) holdOn(ctx context.Context, term lease.Term) {
	until := term.Until
	for {
		if pause(ctx, k.o.Term/3) != nil {
			return
		}
		again, err := k.b.o.Ledger.Lead(ctx, k.b.o.Replica, k.o.Term)
		switch {
		case err == nil && again.Fence == term.Fence:
			until = again.Until
		case err == nil, errors.Is(err, lease.ErrClaimed), !time.Now().Before(until):
			return // Somebody else leads, or may.
		}
	}
}

func (k *Keeper) note(f func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	f()
}

// worker is a keeper in one of its terms.
type worker struct {
	*Keeper

	term uint64
	// busy are the rows that are being revoked.
	busyMu sync.Mutex
	busy   map[string]bool
}

// update makes changes as the leader of the term.
func (w *worker) update(ctx context.Context, changes ...lease.Change) ([]lease.Record, error) {
	for i := range changes {
		changes[i].Term = w.term
	}
	return w.b.update(ctx, changes...)
}

// every calls f at once, and then with each tick, and when something has become due here.
func (w *worker) every(ctx context.Context, tick time.Duration, f func(context.Context) error) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if err := f(ctx); err != nil && ctx.Err() == nil {
			w.b.o.Logger.WarnContext(ctx, "what is due of leases is tried again", "error", err)
		}
		w.b.mu.Lock()
		changed := w.b.changed
		w.b.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-changed:
			// More may come at once: one look serves them all.
			if pause(ctx, earliest) != nil {
				return
			}
		}
	}
}

// due walks what is due of a kind, page by page. What each leaves as it is comes again
// with the next look.
func (w *worker) due(ctx context.Context, kind lease.DueKind, before time.Time, each func([]lease.Record) error) error {
	q := lease.DueQuery{Kind: kind, Now: before, PageSize: batch}
	for {
		page, err := w.b.o.Ledger.Due(ctx, q)
		if err != nil {
			return err
		}
		if len(page.Records) > 0 {
			if err := each(page.Records); err != nil {
				return err
			}
		}
		if page.After == "" {
			return nil
		}
		q.After = page.After
	}
}
