package fileledger

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/internal/layout"
)

// table is the file in one transaction.
type table struct {
	meta, rows, secrets, index, counts, events, accounts, documents *bbolt.Bucket
}

func tableOf(tx *bbolt.Tx) table {
	b := func(name string) *bbolt.Bucket { return tx.Bucket([]byte(name)) }
	return table{b(metaBucket), b(rowsBucket), b(secretsBucket), b(indexBucket), b(countsBucket), b(eventsBucket), b(accountsBucket), b(documentsBucket)}
}

// row is a lease in the file.
type row struct {
	Record json.RawMessage `json:"record"`
	// Fence, Owner and Until are the claim: the last one's number, and whose it is
	// until when.
	Fence uint64    `json:"fence,omitempty"`
	Owner string    `json:"owner,omitempty"`
	Until time.Time `json:"until,omitzero"`

	record lease.Record
}

// claimed tells whether somebody works on the row.
func (r *row) claimed(now time.Time) bool { return r.Until.After(now) }

func (r *row) release() { r.Owner, r.Until = "", time.Time{} }

// row returns a row: lease.ErrNotFound if there is none.
func (t table) row(id string) (*row, error) {
	data := t.rows.Get([]byte(id))
	if data == nil {
		return nil, lease.ErrNotFound
	}
	return decodeRow(data)
}

func decodeRow(data []byte) (*row, error) {
	var r row
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("a row cannot be read: %w", err)
	}
	var err error
	r.record, err = layout.Decode(r.Record)
	return &r, err
}

func (t table) put(id string, r *row) error {
	var err error
	if r.Record, err = layout.Encode(&r.record); err != nil {
		return err
	}
	return t.putRaw(id, r)
}

func (t table) putRaw(id string, r *row) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return t.rows.Put([]byte(id), data)
}

// reindex moves a row from its old keys to its new ones.
func (t table) reindex(old, now layout.Keys) error {
	for _, key := range old.Index {
		if err := t.index.Delete([]byte(key)); err != nil {
			return err
		}
	}
	for _, key := range now.Index {
		if err := t.index.Put([]byte(key), []byte{}); err != nil {
			return err
		}
	}
	if err := t.count(old.Counted, -1); err != nil {
		return err
	}
	return t.count(now.Counted, 1)
}

func (t table) count(groups []string, by int) error {
	for _, group := range groups {
		n := t.counted(group) + by
		if n <= 0 {
			if err := t.counts.Delete([]byte(group)); err != nil {
				return err
			}
			continue
		}
		if err := t.counts.Put([]byte(group), binary.BigEndian.AppendUint64(nil, uint64(n))); err != nil {
			return err
		}
	}
	return nil
}

func (t table) counted(group string) int {
	data := t.counts.Get([]byte(group))
	if len(data) != 8 {
		return 0
	}
	return int(binary.BigEndian.Uint64(data))
}

// keys returns the first n keys of a range; all if n is negative.
func (t table) keys(r layout.Range, n int) []string {
	var keys []string
	c, end := t.index.Cursor(), []byte(r.To)
	key, _ := c.Seek([]byte(r.From))
	if r.After && string(key) == r.From {
		key, _ = c.Next()
	}
	for ; key != nil && bytes.Compare(key, end) < 0 && len(keys) != n; key, _ = c.Next() {
		keys = append(keys, string(key))
	}
	return keys
}

// event adds an event, and drops those beyond the bound.
func (t table) event(kind lease.EventKind, at time.Time, r *lease.Record, most int) error {
	seq, err := t.events.NextSequence()
	if err != nil {
		return err
	}
	data, err := json.Marshal(lease.Event{Sequence: seq, Kind: kind, At: at.UTC().Truncate(time.Millisecond), Record: *r})
	if err != nil {
		return err
	}
	if err := t.events.Put(sequenceKey(seq), data); err != nil {
		return err
	}
	c := t.events.Cursor()
	for key, _ := c.First(); key != nil && binary.BigEndian.Uint64(key)+uint64(most) <= seq; key, _ = c.First() {
		if err := t.events.Delete(key); err != nil {
			return err
		}
	}
	return nil
}

func sequenceKey(seq uint64) []byte { return binary.BigEndian.AppendUint64(nil, seq) }
