package redisledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// scanBatch is about how many rows or keys are read at a time.
const scanBatch = 100

// scan calls f with the members of a key, about scanBatch of them at a time; with
// their values if it is a hash, with their scores if it is a sorted set. What is
// written meanwhile may be missing or come twice.
func (l *Ledger) scan(ctx context.Context, key int, f func(members []string) error) error {
	for cursor := uint64(0); ; {
		var members []string
		err := l.call(ctx, func(ctx context.Context) (err error) {
			if key == indexKey {
				members, cursor, err = l.client.ZScan(ctx, l.key(key), cursor, "", scanBatch).Result()
			} else {
				members, cursor, err = l.client.HScan(ctx, l.key(key), cursor, "", scanBatch).Result()
			}
			return err
		})
		if err != nil {
			return err
		}
		if len(members) > 0 {
			if err := f(members); err != nil {
				return err
			}
		}
		if cursor == 0 {
			return nil
		}
	}
}

// head is the part of a head that a check looks at.
type head struct {
	V uint64   `json:"v"`
	S string   `json:"s"`
	I string   `json:"i"`
	X []string `json:"x"`
	N []string `json:"n"`
}

// Check implements [lease.Ledger]. It finds no false problems while the ledger is in
// use: it looks at each row, key and count in one moment.
func (l *Ledger) Check(ctx context.Context) (lease.Report, error) {
	var report lease.Report
	if _, err := l.Info(ctx); err != nil {
		return report, err
	}
	seen := map[string]bool{}
	checkRows := func(pairs []string) error { return l.checkRows(ctx, &report, seen, pairs) }
	for _, key := range []int{rowsKey, headsKey, secretsKey} {
		if err := l.scan(ctx, key, checkRows); err != nil {
			return report, err
		}
	}
	groups := map[string]bool{}
	err := l.scan(ctx, indexKey, func(pairs []string) error {
		args := []any{lease.IDLength}
		for i := 0; i < len(pairs); i += 2 {
			args = append(args, pairs[i])
			if group := layout.GroupOf(pairs[i]); layout.IsCounted(group) {
				groups[group] = true
			}
		}
		reply, err := l.run(ctx, l.scripts.checkKeys, args...)
		for i := 1; i < len(reply); i++ {
			report.Add(fmt.Sprintf("lease %s: the index has a key that it does not have", layout.ID(text(reply, i))))
		}
		return err
	})
	if err != nil {
		return report, err
	}
	err = l.scan(ctx, countsKey, func(pairs []string) error {
		for i := 0; i < len(pairs); i += 2 {
			groups[pairs[i]] = true
		}
		return nil
	})
	if err != nil {
		return report, err
	}
	return report, l.checkCounts(ctx, &report, groups)
}

func (l *Ledger) checkRows(ctx context.Context, report *lease.Report, seen map[string]bool, pairs []string) error {
	var ids []any
	for i := 0; i < len(pairs); i += 2 {
		if !seen[pairs[i]] {
			seen[pairs[i]] = true
			ids = append(ids, pairs[i])
		}
	}
	reply, err := l.run(ctx, l.scripts.check, ids...)
	if err != nil {
		return err
	}
	for i, id := range ids {
		part := reply[1+4*i : 5+4*i]
		l.checkRow(report, fmt.Sprint(id), text(part, 0), text(part, 1), text(part, 2) == "1", text(part, 3))
	}
	return nil
}

func (l *Ledger) checkRow(report *lease.Report, id, record, headText string, secret bool, missing string) {
	if record == "" && headText == "" && !secret {
		return // It has been forgotten meanwhile.
	}
	report.Records++
	r, err := layout.Decode([]byte(record))
	var h head
	if err = errors.Join(err, json.Unmarshal([]byte(headText), &h)); err != nil {
		report.Add(fmt.Sprintf("lease %.64q: the record or its head is missing or cannot be read", id))
		return
	}
	keys := l.o.form.keys(&r)
	for _, check := range []struct {
		ok      bool
		problem string
	}{
		{r.Validate() == nil, "the record is invalid"},
		{r.ID == id, "the record is another's"},
		{r.Version == h.V && layout.Letter(r.State) == h.S && r.Identity() == h.I, "the head is not of the record"},
		{slices.Equal(keys.Index, h.X) && slices.Equal(keys.Counted, h.N), "its keys do not follow from the record"},
		{missing == "0", missing + " of its keys are not in the index"},
		{secret == !r.SecretUntil.IsZero(), "there is a secret that the record does not know of, or the other way around"},
	} {
		if !check.ok {
			report.Add(fmt.Sprintf("lease %s: %s", id, check.problem))
		}
	}
}

func (l *Ledger) checkCounts(ctx context.Context, report *lease.Report, groups map[string]bool) error {
	var batch []any
	flush := func() error {
		reply, err := l.run(ctx, l.scripts.checkCounts, batch...)
		for i := 1; i < len(reply); i++ {
			report.Add(fmt.Sprintf("the count of %.64q is wrong", text(reply, i)))
		}
		batch = batch[:0]
		return err
	}
	for group := range groups {
		if batch = append(batch, group); len(batch) == scanBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

func keysJSON(r row) ([]byte, error) {
	return json.Marshal(struct {
		X []string `json:"x"`
		N []string `json:"n"`
	}{r.X, r.N})
}
