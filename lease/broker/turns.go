package broker

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// turns does what needs no call upstream: ends, intents that nobody ended, secrets to
// erase, leases to forget.
func (w *worker) turns(ctx context.Context) {
	w.every(ctx, w.o.Tick, func(ctx context.Context) error {
		at := now()
		return errors.Join(
			w.due(ctx, lease.DueExpiry, at, func(rows []lease.Record) error { return w.follow(ctx, rows) }),
			// The minter has written down what it knows by then.
			w.due(ctx, lease.DueIntent, at.Add(-ledgerTime), func(rows []lease.Record) error { return w.follow(ctx, rows) }),
			w.due(ctx, lease.DueSecret, at, func(rows []lease.Record) error { return w.erase(ctx, rows) }),
			w.due(ctx, lease.DueForget, at, func(rows []lease.Record) error { return w.forget(ctx, rows) }),
		)
	})
}

// changes are the changes of several rows: one for each.
type changes struct {
	rows map[string]*lease.Change
	list []string
}

func (c *changes) of(row lease.Record) *lease.Change {
	if c.rows == nil {
		c.rows = make(map[string]*lease.Change)
	}
	if c.rows[row.ID] == nil {
		c.rows[row.ID] = &lease.Change{Record: row}
		c.list = append(c.list, row.ID)
	}
	return c.rows[row.ID]
}

func (c *changes) all() []lease.Change {
	var all []lease.Change
	for _, id := range c.list {
		if change := c.rows[id]; change.Kind != "" {
			all = append(all, *change)
		}
	}
	return all
}

// follow moves rows to where their time, or their credentials, have led. All are changed
// at once; where one of them has changed meanwhile, each is tried alone.
func (w *worker) follow(ctx context.Context, rows []lease.Record) error {
	err := w.followAll(ctx, rows)
	if !retryable(err) || len(rows) == 1 {
		return ignoreChanged(err)
	}
	var failures []error
	for i := range rows {
		failures = append(failures, ignoreChanged(w.followAll(ctx, rows[i:i+1])))
	}
	return errors.Join(failures...)
}

// ignoreChanged drops the error of a row that has changed: the next look sees it as it is.
func ignoreChanged(err error) error {
	if errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrClaimed) || errors.Is(err, lease.ErrNotFound) {
		return nil
	}
	return err
}

func (w *worker) followAll(ctx context.Context, rows []lease.Record) error {
	var c changes
	at := now()
	for _, row := range rows {
		if row.IsCredential() {
			// A lease before it in the list may have left it.
			if err := lapse(c.of(row), at); err != nil {
				return err
			}
			continue
		}
		if err := w.followOne(ctx, &c, row, at); err != nil {
			return err
		}
	}
	all := c.all()
	if len(all) == 0 {
		return nil
	}
	_, err := w.update(ctx, all...)
	return err
}

// lapse ends a credential whose time is over: the upstream has ended it, or nobody knows
// whether it was made.
func lapse(change *lease.Change, at time.Time) error {
	row := change.Record
	var err error
	switch {
	case open(&row) && !at.Before(row.UpstreamExpires):
		change.Record, err = lease.Move(row, lease.Expired, at, CauseExpired)
		change.Kind = EventEnded
	case row.State == lease.Intent && !at.Before(row.SendBefore):
		*change, err = unmadeChange(row, lease.Doubtful, CauseAnswerLost)
	}
	return err
}

// followOne adds the changes of a lease, and of the seat that it leaves.
func (w *worker) followOne(ctx context.Context, c *changes, row lease.Record, at time.Time) error {
	credential, err := w.credentialOf(ctx, c, &row)
	if err != nil {
		return err
	}
	next, cause := follow(&row, credential, at)
	if next == row.State {
		return nil
	}
	moved, err := lease.Move(row, next, at, cause)
	if err != nil {
		return err
	}
	change := c.of(row)
	change.Record, change.Kind = moved, EventEnded
	if !next.Final() {
		change.Kind = EventEnding
		change.Record.NextAttempt, change.Record.SecretUntil = at, time.Time{}
		if next == lease.Doubtful {
			change.Record.UpstreamExpires = whole(row.UpstreamExpires.Add(lateness))
		}
	}
	// It has left its seat before if it was being revoked.
	leaves := row.State == lease.Intent || open(&row)
	if !leaves || credential == nil || next == lease.Doubtful {
		return nil
	}
	freed, ok, err := left(*credential, &moved, true, false)
	if ok {
		*c.of(*credential) = freed
	}
	return err
}

// credentialOf is the credential of a lease, as the changes leave it; nil where there is
// none.
func (w *worker) credentialOf(ctx context.Context, c *changes, row *lease.Record) (*lease.Record, error) {
	if change := c.rows[row.Credential]; change != nil {
		return &change.Record, nil
	}
	credential, err := w.b.o.Ledger.Get(ctx, row.Credential)
	if errors.Is(err, lease.ErrNotFound) {
		return nil, nil //nolint:nilnil // None is what follow takes.
	}
	return &credential, err
}

// erase erases secrets that have been kept for long enough.
func (w *worker) erase(ctx context.Context, rows []lease.Record) error {
	var c changes
	for _, row := range rows {
		row.SecretUntil = time.Time{}
		change := c.of(row)
		change.Record, change.Kind = row, EventKept
	}
	_, err := w.update(ctx, c.all()...)
	if !retryable(err) || len(rows) == 1 {
		return ignoreChanged(err)
	}
	var failures []error
	for i := range rows {
		failures = append(failures, w.erase(ctx, rows[i:i+1]))
	}
	return errors.Join(failures...)
}

func (w *worker) forget(ctx context.Context, rows []lease.Record) error {
	for i := range rows {
		if err := w.b.o.Ledger.Forget(ctx, rows[i].ID, rows[i].Version); err != nil && !retryable(err) {
			return err
		}
	}
	return nil
}
