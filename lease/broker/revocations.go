package broker

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

const (
	// longestBackoff bounds the pause after a deletion that failed. It is tried for
	// ever.
	longestBackoff = 5 * time.Minute
	// longestDeletion bounds one attempt, with its wait for the budget.
	longestDeletion = 2 * time.Minute
)

// revocations deletes what is to be deleted: the urgent before the others, which have
// workers of their own. A lease that is being revoked follows its credential.
func (w *worker) revocations(kind lease.DueKind) func(context.Context) {
	return func(ctx context.Context) {
		var tried sync.WaitGroup
		defer tried.Wait()
		free := make(chan struct{}, revokers)
		w.every(ctx, w.o.Tick, func(ctx context.Context) error {
			var leases []lease.Record
			err := w.due(ctx, kind, now(), func(rows []lease.Record) error {
				for _, row := range rows {
					if !row.IsCredential() {
						leases = append(leases, row)
						continue
					}
					if !w.begin(row.ID) {
						continue
					}
					select {
					case free <- struct{}{}:
					default:
						w.done(row.ID)
						return errFull
					}
					tried.Go(func() {
						defer func() { <-free; w.done(row.ID); w.b.tell() }()
						if err := w.revoke(ctx, row); err != nil && ctx.Err() == nil {
							w.b.o.Logger.WarnContext(ctx, "a revocation is tried again", "lease", row.ID, "role", row.Role, "error", err)
						}
					})
				}
				return nil
			})
			if errors.Is(err, errFull) {
				err = nil // The rest has its turn with a later look.
			}
			return errors.Join(err, w.followRevoking(ctx, leases))
		})
	}
}

// errFull ends a look at what is due when all workers are busy.
var errFull = errors.New("broker: all workers are busy")

func (w *worker) begin(id string) bool {
	w.busyMu.Lock()
	defer w.busyMu.Unlock()
	if w.busy[id] {
		return false
	}
	w.busy[id] = true
	return true
}

func (w *worker) done(id string) {
	w.busyMu.Lock()
	defer w.busyMu.Unlock()
	delete(w.busy, id)
}

// followRevoking lets leases follow their credentials, and looks at those again that
// cannot yet.
func (w *worker) followRevoking(ctx context.Context, rows []lease.Record) error {
	var failures []error
	for _, row := range rows {
		failures = append(failures, w.follow(ctx, []lease.Record{row}))
		now, err := w.b.o.Ledger.Get(ctx, row.ID)
		if err != nil || now.Version != row.Version {
			continue
		}
		row.Attempts++
		failures = append(failures, ignoreChanged(w.postpone(ctx, row, backoff(row.Attempts))))
	}
	return errors.Join(failures...)
}

// postpone looks at a row again later.
func (w *worker) postpone(ctx context.Context, row lease.Record, wait time.Duration) error {
	row.NextAttempt = whole(now().Add(wait))
	_, err := w.update(ctx, lease.Change{Record: row, Kind: EventKept})
	return err
}

// revoke deletes what a credential is upstream. What is not there is deleted, and what
// has expired needs no call.
func (w *worker) revoke(ctx context.Context, row lease.Record) error {
	if row.State == lease.Orphan {
		moved, err := lease.Move(row, lease.Revoking, now(), CauseNotRecorded)
		if err != nil {
			return err
		}
		records, err := w.update(ctx, lease.Change{Record: moved, Kind: EventEnding})
		if err != nil {
			return ignoreChanged(err)
		}
		row = records[0]
	}
	if !row.UpstreamExpires.IsZero() && !now().Before(row.UpstreamExpires) && row.Kind == lease.Key {
		return w.revoked(ctx, row)
	}
	errand, err := w.errandOf(ctx, &row)
	if err != nil {
		return err
	}
	send, cancel := context.WithTimeout(ctx, longestDeletion)
	defer cancel()
	if row.Kind == lease.Account {
		err = w.b.o.Upstream.DeleteAccount(send, errand, row.ProjectID, row.ServiceAccountID)
	} else {
		err = w.b.o.Upstream.DeleteKey(send, errand, row.ProjectID, row.APIKeyID)
	}
	w.b.o.Observer.Revoked(row.Role, outcomeLabel(err))
	after, release := afterwards(ctx)
	defer release()
	switch outcomeOf(err) {
	case 0, Gone:
		return w.revoked(after, row)
	case NotSent:
		return errors.Join(err, w.again(after, row, max(retryAfter(err), time.Second), false))
	default:
		return errors.Join(err, w.again(after, row, backoff(row.Attempts), true))
	}
}

// backoff is the pause after so many failures, with a part drawn at random.
func backoff(attempts int) time.Duration {
	pause := min(longestBackoff, time.Second<<min(attempts, 10))
	return pause/2 + rand.N(pause/2+1) //nolint:gosec // It spreads calls, and is no secret.
}

// again says when a deletion is tried again.
func (w *worker) again(ctx context.Context, row lease.Record, wait time.Duration, failed bool) error {
	return w.b.change(ctx, row.ID, w.update, func(current lease.Record) (lease.Change, bool, error) {
		if current.State != lease.Revoking {
			return lease.Change{}, false, nil
		}
		if failed {
			current.Attempts++
		}
		current.NextAttempt = whole(now().Add(wait))
		return lease.Change{Record: current, Kind: EventKept}, true, nil
	})
}

// revoked says that a credential is gone, and takes its lease along.
func (w *worker) revoked(ctx context.Context, row lease.Record) error {
	err := w.b.change(ctx, row.ID, w.update, func(current lease.Record) (lease.Change, bool, error) {
		if current.State != lease.Revoking {
			return lease.Change{}, false, nil
		}
		moved, err := lease.Move(current, lease.Revoked, now(), current.Cause)
		return lease.Change{Record: moved, Kind: EventEnded}, true, err
	})
	if err != nil {
		return err
	}
	id := ownerOf(&row)
	if id == "" {
		return nil
	}
	owner, err := w.b.o.Ledger.Get(ctx, id)
	if err != nil || owner.Credential != row.ID {
		return ignoreChanged(err)
	}
	return w.follow(ctx, []lease.Record{owner})
}

// ownerOf is the id of the lease that a credential was made for; empty where it was made
// for several, or for none.
func ownerOf(row *lease.Record) string {
	if !hasPurpose(row, forLease) && !hasPurpose(row, forRotation) {
		return ""
	}
	_, id, _ := strings.Cut(row.RequestID, "/")
	id, _, _ = strings.Cut(id, "/")
	return id
}

// errandOf says for whom a credential is revoked: whoever's lease it was made for.
func (w *worker) errandOf(ctx context.Context, row *lease.Record) (Errand, error) {
	errand := Errand{Lease: row.ID, Role: row.Role, Cause: row.Cause, Urgency: Revoke}
	if row.Urgent {
		errand.Urgency = Urgent
	}
	id := ownerOf(row)
	if id == "" {
		return errand, nil
	}
	owner, err := w.b.o.Ledger.Get(ctx, id)
	if errors.Is(err, lease.ErrNotFound) {
		return errand, nil
	}
	errand.Caller, errand.Holder, errand.Lease = owner.Caller, owner.Holder, owner.ID
	return errand, err
}
