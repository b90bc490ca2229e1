package fileledger

import (
	"context"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// Create implements [lease.Ledger].
func (l *Ledger) Create(ctx context.Context, draft lease.Draft) (lease.Created, error) {
	d, err := layout.Draft(draft, true)
	if err != nil {
		return lease.Created{}, err
	}
	var created lease.Created
	err = l.update(ctx, func(t table) error {
		created, err = l.create(t, &d)
		return err
	})
	if err != nil {
		return lease.Created{}, err
	}
	return created, nil
}

func (l *Ledger) create(t table, d *lease.Draft) (lease.Created, error) {
	r, now := d.Record, l.o.Now()
	if there := t.keys(layout.Group(layout.RequestGroup(&r), ""), 1); len(there) > 0 {
		was, err := t.row(layout.ID(there[0]))
		if err != nil {
			return lease.Created{}, err
		}
		return lease.Created{Record: was.record, Repeated: was.record.ID != r.ID}, nil
	}
	if t.rows.Get([]byte(r.ID)) != nil {
		return lease.Created{}, lease.ErrConflict
	}
	held, err := l.refused(t, d.With, now)
	if err != nil {
		return lease.Created{}, err
	}
	if err := t.limited(d); err != nil {
		return lease.Created{}, err
	}
	kept := &row{record: r}
	if d.Owner != "" {
		kept.Fence, kept.Owner, kept.Until = 1, d.Owner, now.Add(d.ClaimLife)
	}
	if err := t.put(r.ID, kept); err != nil {
		return lease.Created{}, err
	}
	if err := t.reindex(layout.Keys{}, l.o.form.keys(&r)); err != nil {
		return lease.Created{}, err
	}
	if err := t.event(lease.EventCreated, now, &r, l.o.Events); err != nil {
		return lease.Created{}, err
	}
	r.Fence = kept.Fence
	created := lease.Created{Record: r}
	created.With, err = l.change(t, held, d.With, now)
	return created, err
}

// limited is the error if the draft is one too many.
func (t table) limited(d *lease.Draft) error {
	r := &d.Record
	if r.Credential == r.ID && t.counted(layout.LiveRoleGroup(r.Role)) >= d.Limits.RoleLive {
		return d.Limits.Refusal(lease.RoleLive, "")
	}
	if r.Caller == "" {
		return nil
	}
	if t.counted(layout.LiveCallerGroup(r.Caller)) >= d.Limits.CallerLive {
		return d.Limits.Refusal(lease.CallerLive, "")
	}
	if most := d.Limits.CallerMints; most != lease.Unlimited {
		since := lease.FirstID(r.Created.Add(-d.Limits.MintWindow + time.Millisecond))
		made := t.keys(layout.Since(layout.MadeGroup(r.Caller), since), -1)
		if len(made) >= most {
			oldest := ""
			if most > 0 {
				oldest = layout.ID(made[len(made)-most])
			}
			return d.Limits.Refusal(lease.CallerMints, oldest)
		}
	}
	return nil
}

// Update implements [lease.Ledger].
func (l *Ledger) Update(ctx context.Context, changes ...lease.Change) ([]lease.Record, error) {
	changes, err := layout.Changes(changes, true)
	if err != nil || len(changes) == 0 {
		return nil, err
	}
	var records []lease.Record
	err = l.update(ctx, func(t table) error {
		now := l.o.Now()
		held, err := l.refused(t, changes, now)
		if err != nil {
			return err
		}
		records, err = l.change(t, held, changes, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return records, nil
}

// refused returns the rows of changes, or the error if one of them must not be made.
func (l *Ledger) refused(t table, changes []lease.Change, now time.Time) ([]*row, error) {
	held := make([]*row, len(changes))
	for i := range changes {
		c := &changes[i]
		r, err := t.row(c.Record.ID)
		if err != nil {
			return nil, err
		}
		held[i] = r
		switch {
		case c.Term > 0 && c.Term < t.lead().Term, c.Record.Fence > 0 && c.Record.Fence != r.Fence:
			return nil, lease.ErrFenced
		case c.Record.Fence == 0 && r.claimed(now):
			return nil, lease.ErrClaimed
		case c.Record.Version != r.record.Version+1:
			return nil, lease.ErrConflict
		case !r.record.State.May(c.Record.State):
			return nil, &lease.TransitionError{From: r.record.State, To: c.Record.State}
		case c.Record.Identity() != r.record.Identity():
			return nil, lease.ErrImmutable
		case !c.Record.SecretUntil.IsZero() && c.Secret.IsZero() && t.secrets.Get([]byte(c.Record.ID)) == nil:
			return nil, lease.ErrNoSecret
		}
	}
	return held, nil
}

func (l *Ledger) change(t table, held []*row, changes []lease.Change, now time.Time) ([]lease.Record, error) {
	var records []lease.Record
	for i := range changes {
		c, r := &changes[i], held[i]
		id := []byte(c.Record.ID)
		was := r.record
		r.record = c.Record
		if c.Release {
			r.release()
		}
		if err := t.put(c.Record.ID, r); err != nil {
			return nil, err
		}
		var err error
		switch {
		case c.Record.SecretUntil.IsZero():
			err = t.secrets.Delete(id)
		case !c.Secret.IsZero():
			err = t.secrets.Put(id, l.o.Sealer.Seal(c.Secret.Reveal(), layout.Associated(c.Record.ID)))
		}
		if err != nil {
			return nil, err
		}
		if err := t.reindex(l.o.form.keys(&was), l.o.form.keys(&r.record)); err != nil {
			return nil, err
		}
		if err := t.event(c.Kind, now, &c.Record, l.o.Events); err != nil {
			return nil, err
		}
		records = append(records, c.After())
	}
	return records, nil
}

// Import implements [lease.Ledger].
func (l *Ledger) Import(ctx context.Context, records []lease.Record) error {
	records, err := layout.Imported(records)
	if err != nil || len(records) == 0 {
		return err
	}
	return l.update(ctx, func(t table) error {
		for i := range records {
			r := &records[i]
			if t.rows.Get([]byte(r.ID)) != nil || len(t.keys(layout.Group(layout.RequestGroup(r), ""), 1)) > 0 {
				return lease.ErrConflict
			}
		}
		for i := range records {
			r := &records[i]
			if err := t.put(r.ID, &row{record: *r}); err != nil {
				return err
			}
			if err := t.reindex(layout.Keys{}, l.o.form.keys(r)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Forget implements [lease.Ledger].
func (l *Ledger) Forget(ctx context.Context, id string, version uint64) error {
	return l.update(ctx, func(t table) error {
		if t.rows.Get([]byte(id)) == nil {
			return nil
		}
		r, err := t.row(id)
		switch {
		case err != nil:
			return err
		case r.claimed(l.o.Now()):
			return lease.ErrClaimed
		case r.record.Version != version:
			return lease.ErrConflict
		case !r.record.State.Final():
			return lease.ErrTransition
		}
		if err := t.rows.Delete([]byte(id)); err != nil {
			return err
		}
		if err := t.secrets.Delete([]byte(id)); err != nil {
			return err
		}
		return t.reindex(l.o.form.keys(&r.record), layout.Keys{})
	})
}
