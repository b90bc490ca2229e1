package fileledger

import (
	"context"
	"encoding/json"
	"time"

	"go.etcd.io/bbolt"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// Claim implements [lease.Ledger].
func (l *Ledger) Claim(ctx context.Context, id, owner string, life time.Duration) (lease.Record, error) {
	if err := layout.Claim(owner, life); err != nil {
		return lease.Record{}, err
	}
	var record lease.Record
	err := l.update(ctx, func(t table) error {
		r, err := t.row(id)
		if err != nil {
			return err
		}
		now := l.o.Now()
		if r.claimed(now) && r.Owner != owner {
			return lease.ErrClaimed
		}
		if !r.claimed(now) {
			r.Fence++
		}
		r.Owner, r.Until = owner, now.Add(life)
		record = r.record
		record.Fence = r.Fence
		return t.putRaw(id, r)
	})
	return record, err
}

// Release implements [lease.Ledger].
func (l *Ledger) Release(ctx context.Context, id string, fence uint64) error {
	return l.update(ctx, func(t table) error {
		if t.rows.Get([]byte(id)) == nil {
			return nil
		}
		r, err := t.row(id)
		if err != nil || r.Fence != fence || r.Owner == "" {
			return err
		}
		r.release()
		return t.putRaw(id, r)
	})
}

// lead is who leads.
type lead struct {
	Replica string    `json:"replica"`
	Term    uint64    `json:"term"`
	Until   time.Time `json:"until,omitzero"`
}

// lead returns who leads. One that cannot be read is none: the term begins anew, and
// rows have fences of their own.
func (t table) lead() lead {
	var at lead
	if err := json.Unmarshal(t.meta.Get([]byte("lead")), &at); err != nil {
		return lead{}
	}
	return at
}

func (t table) setLead(at lead) error {
	data, err := json.Marshal(at)
	if err != nil {
		return err
	}
	return t.meta.Put([]byte("lead"), data)
}

// vacate ends the term of a process before this one. It is gone, since this one has the
// file: nobody has to wait until the term is over.
func vacate(meta *bbolt.Bucket) error {
	t := table{meta: meta}
	at := t.lead()
	at.Until = time.Time{}
	return t.setLead(at)
}

// Lead implements [lease.Ledger].
func (l *Ledger) Lead(ctx context.Context, replica string, life time.Duration) (lease.Term, error) {
	if err := layout.Claim(replica, life); err != nil {
		return lease.Term{}, err
	}
	term := lease.Term{Replica: replica, Until: time.Now().Add(life)}
	err := l.update(ctx, func(t table) error {
		at, now := t.lead(), l.o.Now()
		leads := at.Until.After(now)
		if leads && at.Replica != replica {
			return lease.ErrClaimed
		}
		if !leads {
			at.Term++
		}
		at.Replica, at.Until = replica, now.Add(life)
		term.Fence = at.Term
		return t.setLead(at)
	})
	if err != nil {
		return lease.Term{}, err
	}
	return term, nil
}

// Resign implements [lease.Ledger].
func (l *Ledger) Resign(ctx context.Context, term lease.Term) error {
	return l.update(ctx, func(t table) error {
		at := t.lead()
		if at.Term != term.Fence {
			return nil
		}
		at.Until = time.Time{}
		return t.setLead(at)
	})
}
