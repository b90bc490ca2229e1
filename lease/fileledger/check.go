package fileledger

import (
	"context"
	"fmt"
	"strconv"

	"go.etcd.io/bbolt"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// migrate brings the ledger to the form of this build, in one transaction.
func (l *Ledger) migrate(tx *bbolt.Tx, meta *bbolt.Bucket) error {
	want := l.o.form.schema
	found := string(meta.Get([]byte("schema")))
	if found == strconv.Itoa(want) {
		return nil
	}
	if l.o.form.migrate == nil || found != strconv.Itoa(want-1) {
		return fmt.Errorf("%s: %w", l.o.Path, &lease.SchemaError{Found: found, Want: want})
	}
	// What follows from the rows is made anew.
	for _, name := range []string{indexBucket, countsBucket} {
		if err := tx.DeleteBucket([]byte(name)); err != nil {
			return err
		}
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	t := tableOf(tx)
	// A bucket must not change while it is walked.
	next := []byte{}
	for {
		key, data := t.rows.Cursor().Seek(next)
		if key == nil {
			break
		}
		id := string(key)
		next = append([]byte(id), 0)
		if err := l.migrateRow(t, id, data); err != nil {
			return fmt.Errorf("%s: lease %s cannot be migrated: %w", l.o.Path, id, err)
		}
	}
	return meta.Put([]byte("schema"), []byte(strconv.Itoa(want)))
}

func (l *Ledger) migrateRow(t table, id string, data []byte) error {
	r, err := decodeRow(data)
	if err != nil {
		return err
	}
	if r.Record, err = l.o.form.migrate(r.Record); err != nil {
		return err
	}
	if r.record, err = layout.Decode(r.Record); err != nil {
		return err
	}
	if err := t.putRaw(id, r); err != nil {
		return err
	}
	return t.reindex(layout.Keys{}, l.o.form.keys(&r.record))
}

// Check implements [lease.Ledger]. It looks at the file as it is in one moment.
func (l *Ledger) Check(ctx context.Context) (lease.Report, error) {
	var report lease.Report
	err := l.view(ctx, func(t table) error {
		keys, counts := map[string]string{}, map[string]int{}
		err := t.rows.ForEach(func(id, data []byte) error {
			report.Records++
			l.checkRow(&report, t, string(id), data, keys, counts)
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		err = t.index.ForEach(func(key, _ []byte) error {
			if _, ok := keys[string(key)]; !ok {
				report.Add(fmt.Sprintf("lease %s: the index has a key that it does not have", layout.ID(string(key))))
			}
			delete(keys, string(key))
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		for _, id := range keys {
			report.Add(fmt.Sprintf("lease %s: one of its keys is not in the index", id))
		}
		err = t.counts.ForEach(func(group, _ []byte) error {
			if counts[string(group)] != t.counted(string(group)) {
				report.Add(fmt.Sprintf("the count of %.64q is wrong", group))
			}
			delete(counts, string(group))
			return nil
		})
		if err != nil {
			return err
		}
		for group := range counts {
			report.Add(fmt.Sprintf("the count of %.64q is missing", group))
		}
		return t.secrets.ForEach(func(id, _ []byte) error {
			if t.rows.Get(id) == nil {
				report.Add(fmt.Sprintf("lease %.64q: there is a secret, and no record", id))
			}
			return nil
		})
	})
	return report, err
}

func (l *Ledger) checkRow(report *lease.Report, t table, id string, data []byte, keys map[string]string, counts map[string]int) {
	r, err := decodeRow(data)
	if err != nil {
		report.Add(fmt.Sprintf("lease %.64q: the record cannot be read", id))
		return
	}
	if err := r.record.Validate(); err != nil || r.record.ID != id {
		report.Add(fmt.Sprintf("lease %.64q: the record is invalid, or another's", id))
	}
	if (t.secrets.Get([]byte(id)) != nil) != !r.record.SecretUntil.IsZero() {
		report.Add(fmt.Sprintf("lease %s: there is a secret that the record does not know of, or the other way around", id))
	}
	k := l.o.form.keys(&r.record)
	for _, key := range k.Index {
		keys[key] = id
	}
	for _, group := range k.Counted {
		counts[group]++
	}
}
