package fileledger

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// Get implements [lease.Ledger].
func (l *Ledger) Get(ctx context.Context, id string) (lease.Record, error) {
	var record lease.Record
	err := l.view(ctx, func(t table) error {
		r, err := t.row(id)
		if err == nil {
			record = r.record
		}
		return err
	})
	return record, err
}

// Secret implements [lease.Ledger].
func (l *Ledger) Secret(ctx context.Context, id string) (lease.Secret, error) {
	var secret lease.Secret
	err := l.view(ctx, func(t table) error {
		sealed := t.secrets.Get([]byte(id))
		switch {
		case t.rows.Get([]byte(id)) == nil:
			return lease.ErrNotFound
		case sealed == nil:
			return lease.ErrNoSecret
		}
		value, ok := l.o.Sealer.Open(sealed, layout.Associated(id))
		if !ok {
			return lease.ErrSecretLost
		}
		secret = lease.NewSecret(value)
		return nil
	})
	return secret, err
}

func (t table) records(ids []string) ([]lease.Record, error) {
	records := make([]lease.Record, 0, len(ids))
	for _, id := range ids {
		r, err := t.row(id)
		if err != nil {
			return nil, err
		}
		records = append(records, r.record)
	}
	return records, nil
}

// List implements [lease.Ledger].
func (l *Ledger) List(ctx context.Context, q lease.Query) (lease.Page, error) {
	if err := layout.Query(&q); err != nil {
		return lease.Page{}, err
	}
	var page lease.Page
	err := l.view(ctx, func(t table) error {
		var keys [][]string
		for _, r := range layout.Ranges(&q) {
			keys = append(keys, t.keys(r, q.PageSize))
		}
		ids, more := layout.IDs(keys, q.PageSize)
		records, err := t.records(ids)
		page = layout.PageOf(&q, ids, more, records)
		return err
	})
	return page, err
}

// Due implements [lease.Ledger].
func (l *Ledger) Due(ctx context.Context, q lease.DueQuery) (lease.DuePage, error) {
	if err := layout.DueQuery(&q); err != nil {
		return lease.DuePage{}, err
	}
	var page lease.DuePage
	err := l.view(ctx, func(t table) (err error) {
		due, later := layout.DueRange(&q)
		var ids []string
		page, ids, err = layout.DuePageOf(&q, t.keys(due, q.PageSize), t.keys(later, 1))
		if err != nil {
			return err
		}
		page.Records, err = t.records(ids)
		return err
	})
	return page, err
}

// Counts implements [lease.Ledger].
func (l *Ledger) Counts(ctx context.Context) ([]lease.Count, error) {
	groups := map[string]int{}
	err := l.view(ctx, func(t table) error {
		return t.counts.ForEach(func(group, _ []byte) error {
			groups[string(group)] = t.counted(string(group))
			return nil
		})
	})
	return layout.CountsOf(groups), err
}

// Events implements [lease.Ledger].
func (l *Ledger) Events(ctx context.Context, q lease.EventQuery) (lease.EventPage, error) {
	if err := layout.PageSize(q.PageSize); err != nil {
		return lease.EventPage{}, err
	}
	page := lease.EventPage{Last: q.After}
	err := l.view(ctx, func(t table) error {
		last := t.events.Sequence()
		first := last + 1
		c := t.events.Cursor()
		if key, _ := c.First(); key != nil {
			first = binary.BigEndian.Uint64(key)
		}
		if err := layout.Late(q.After, first, last); err != nil {
			return err
		}
		n := 0
		for key, data := c.Seek(sequenceKey(q.After + 1)); key != nil && n < q.PageSize; key, data = c.Next() {
			var event lease.Event
			if err := json.Unmarshal(data, &event); err != nil {
				return fmt.Errorf("an event cannot be read: %w", err)
			}
			n++
			page.Last = event.Sequence
			if q.Role == "" || q.Role == event.Record.Role {
				page.Events = append(page.Events, event)
			}
		}
		return nil
	})
	return page, err
}
