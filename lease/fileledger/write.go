package fileledger

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/admin-gateway/admin-gateway/lease"
)

// maxGroup is how many changes are written to the disk at once.
const maxGroup = 64

// write is a change that waits for the writer.
type write struct {
	// f makes the change, or fails before it has changed anything.
	f    func(table) error
	done chan error
}

// writer makes changes: all that have come while the last ones were written, in one
// write to the disk.
func (l *Ledger) writer() {
	defer close(l.ended)
	for {
		select {
		case <-l.stop:
			return
		case first := <-l.writes:
			l.commit(l.gather(first))
		}
	}
}

func (l *Ledger) gather(first write) []write {
	group := []write{first}
	for len(group) < maxGroup {
		select {
		case next := <-l.writes:
			group = append(group, next)
		default:
			return group
		}
	}
	return group
}

func (l *Ledger) commit(group []write) {
	results := make([]error, len(group))
	err := l.db.Update(func(tx *bbolt.Tx) error {
		t := tableOf(tx)
		for i, w := range group {
			results[i] = w.f(t)
			if results[i] != nil && !refusal(results[i]) {
				return results[i] // The file fails, so all of it is undone.
			}
		}
		return nil
	})
	for i, w := range group {
		switch {
		case err != nil:
			w.done <- unavailable(err)
		default:
			w.done <- results[i]
		}
	}
}

// refusal tells whether an error is one with which nothing has been changed.
func refusal(err error) bool {
	_, limited := errors.AsType[*lease.LimitError](err)
	for _, target := range []error{
		lease.ErrNotFound, lease.ErrConflict, lease.ErrClaimed, lease.ErrFenced,
		lease.ErrTransition, lease.ErrImmutable, lease.ErrNoSecret,
	} {
		limited = limited || errors.Is(err, target)
	}
	return limited
}

// update makes a change, with those of others. Once it has begun, it does not end with
// ctx: a write to the disk takes as long as the disk does.
func (l *Ledger) update(ctx context.Context, f func(table) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := write{f, make(chan error, 1)}
	select {
	case l.writes <- w:
	case <-l.stop:
		return unavailable(berrors.ErrDatabaseNotOpen)
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-w.done
}

// view reads in one moment.
func (l *Ledger) view(ctx context.Context, f func(table) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := l.db.View(func(tx *bbolt.Tx) error { return f(tableOf(tx)) })
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return unavailable(err)
	}
	return err
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", lease.ErrUnavailable, err) }
