package redisledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// Get implements [lease.Ledger].
func (l *Ledger) Get(ctx context.Context, id string) (lease.Record, error) {
	records, err := l.records(ctx, []string{id})
	if err != nil {
		return lease.Record{}, err
	}
	if len(records) == 0 {
		return lease.Record{}, lease.ErrNotFound
	}
	return records[0], nil
}

// records returns those of the leases that are there.
func (l *Ledger) records(ctx context.Context, ids []string) ([]lease.Record, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var rows *redis.SliceCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) { rows = p.HMGet(ctx, l.key(rowsKey), ids...) })
	if err != nil {
		return nil, err
	}
	records := make([]lease.Record, 0, len(ids))
	for _, value := range rows.Val() {
		data, ok := value.(string)
		if !ok {
			continue
		}
		r, err := layout.Decode([]byte(data))
		if err != nil {
			return nil, err
		}
		records = append(records, r)
	}
	return records, nil
}

// Secret implements [lease.Ledger].
func (l *Ledger) Secret(ctx context.Context, id string) (lease.Secret, error) {
	var sealed *redis.StringCmd
	var there *redis.BoolCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) {
		sealed, there = p.HGet(ctx, l.key(secretsKey), id), p.HExists(ctx, l.key(rowsKey), id)
	})
	switch {
	case err != nil:
		return lease.Secret{}, err
	case !there.Val():
		return lease.Secret{}, lease.ErrNotFound
	case errors.Is(sealed.Err(), redis.Nil):
		return lease.Secret{}, lease.ErrNoSecret
	case l.o.Sealer == nil:
		return lease.Secret{}, lease.ErrSecretLost
	}
	secret, ok := l.o.Sealer.Open([]byte(sealed.Val()), layout.Associated(id))
	if !ok {
		return lease.Secret{}, lease.ErrSecretLost
	}
	return lease.NewSecret(secret), nil
}

// keysOf returns the first keys of ranges, as they are in one moment.
func (l *Ledger) keysOf(ctx context.Context, ranges []layout.Range, n int) ([][]string, error) {
	commands := make([]*redis.StringSliceCmd, len(ranges))
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) {
		for i, r := range ranges {
			commands[i] = p.ZRangeByLex(ctx, l.key(indexKey), &redis.ZRangeBy{Min: lower(r), Max: "(" + r.To, Count: int64(n)})
		}
	})
	if err != nil {
		return nil, err
	}
	keys := make([][]string, len(ranges))
	for i, command := range commands {
		keys[i] = command.Val()
	}
	return keys, nil
}

func lower(r layout.Range) string {
	if r.After {
		return "(" + r.From
	}
	return "[" + r.From
}

// List implements [lease.Ledger].
func (l *Ledger) List(ctx context.Context, q lease.Query) (lease.Page, error) {
	if err := layout.Query(&q); err != nil {
		return lease.Page{}, err
	}
	keys, err := l.keysOf(ctx, layout.Ranges(&q), q.PageSize)
	if err != nil {
		return lease.Page{}, err
	}
	ids, more := layout.IDs(keys, q.PageSize)
	records, err := l.records(ctx, ids)
	if err != nil {
		return lease.Page{}, err
	}
	return layout.PageOf(&q, ids, more, records), nil
}

// Due implements [lease.Ledger].
func (l *Ledger) Due(ctx context.Context, q lease.DueQuery) (lease.DuePage, error) {
	if err := layout.DueQuery(&q); err != nil {
		return lease.DuePage{}, err
	}
	due, later := layout.DueRange(&q)
	keys, err := l.keysOf(ctx, []layout.Range{due, later}, q.PageSize)
	if err != nil {
		return lease.DuePage{}, err
	}
	page, ids, err := layout.DuePageOf(&q, keys[0], keys[1])
	if err != nil {
		return lease.DuePage{}, err
	}
	page.Records, err = l.records(ctx, ids)
	return page, err
}

// Counts implements [lease.Ledger].
func (l *Ledger) Counts(ctx context.Context) ([]lease.Count, error) {
	var all *redis.MapStringStringCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) { all = p.HGetAll(ctx, l.key(countsKey)) })
	if err != nil {
		return nil, err
	}
	groups := make(map[string]int, len(all.Val()))
	for group, n := range all.Val() {
		groups[group] = int(number(n))
	}
	return layout.CountsOf(groups), nil
}

// Events implements [lease.Ledger].
func (l *Ledger) Events(ctx context.Context, q lease.EventQuery) (lease.EventPage, error) {
	if err := layout.PageSize(q.PageSize); err != nil {
		return lease.EventPage{}, err
	}
	var seq *redis.StringCmd
	var oldest, found *redis.XMessageSliceCmd
	err := l.read(ctx, func(ctx context.Context, p redis.Pipeliner) {
		seq = p.HGet(ctx, l.key(metaKey), "seq")
		oldest = p.XRangeN(ctx, l.key(eventsKey), "-", "+", 1)
		found = p.XRangeN(ctx, l.key(eventsKey), "("+strconv.FormatUint(q.After, 10)+"-0", "+", int64(q.PageSize))
	})
	if err != nil {
		return lease.EventPage{}, err
	}
	last := number(seq.Val())
	first := last + 1
	if len(oldest.Val()) > 0 {
		first = sequence(oldest.Val()[0])
	}
	if err := layout.Late(q.After, first, last); err != nil {
		return lease.EventPage{}, err
	}
	page := lease.EventPage{Last: q.After}
	for _, message := range found.Val() {
		data, _ := message.Values["e"].(string)
		var event lease.Event
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return lease.EventPage{}, fmt.Errorf("an event cannot be read: %w", err)
		}
		event.Sequence = sequence(message)
		page.Last = event.Sequence
		if q.Role == "" || q.Role == event.Record.Role {
			page.Events = append(page.Events, event)
		}
	}
	return page, nil
}

func sequence(m redis.XMessage) uint64 {
	seq, _, _ := strings.Cut(m.ID, "-")
	return number(seq)
}
