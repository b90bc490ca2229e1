package broker

import (
	"context"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// RevokeRequest asks for the end of a lease.
type RevokeRequest struct {
	ID string
	// ByOwner says that it is the lease's own caller who asks.
	ByOwner bool
	// Wait asks for the deletion itself, or for as long as ctx lasts; Urgent puts it
	// before others.
	Wait, Urgent bool
}

// firstLook is when the keeper looks at a lease that waits for its credential, where the
// credential does not take it along.
const firstLook = 2 * time.Second

// answerTime is what is left of a call's time for its answer when a wait ends.
const answerTime = 500 * time.Millisecond

// Revoke ends a lease. It is durable when it returns that the key is going to be deleted.
// A lease that is over stays as it is.
func (b *Broker) Revoke(ctx context.Context, q RevokeRequest) (lease.Record, error) {
	cause := CauseRevokedByOther
	if q.ByOwner {
		cause = CauseRevokedByOwner
	}
	row, err := b.end(ctx, q.ID, cause, q.Urgent)
	if err != nil || !q.Wait || row.State != lease.Revoking {
		return row, err
	}
	wait, cancel := ctx, context.CancelFunc(func() {})
	if deadline, ok := ctx.Deadline(); ok {
		wait, cancel = context.WithDeadline(ctx, deadline.Add(-answerTime))
	}
	defer cancel()
	ended, err := b.settled(wait, row.ID, func(r *lease.Record) bool { return r.State != lease.Revoking })
	if wait.Err() != nil && ctx.Err() == nil {
		return row, nil // The answer says that it is still going on.
	}
	return ended, ledgerError(err)
}

// end moves a lease to its revocation, whatever it waits for. An intent is waited for: its
// key may be on its way.
func (b *Broker) end(ctx context.Context, id, cause string, urgent bool) (lease.Record, error) {
	row, err := b.settled(ctx, id, func(r *lease.Record) bool { return r.State != lease.Intent })
	if err != nil {
		if ctx.Err() != nil {
			return row, &Error{Reason: InProgress, LeaseID: id, RetryAfter: time.Second, Err: err}
		}
		return row, ledgerError(err)
	}
	row, err = b.leave(ctx, row.ID, func(r lease.Record) (lease.Record, error) {
		switch {
		case !open(&r), cause == CauseSecretLost && r.State == lease.Active:
			return r, errAsItIs
		case !now().Before(r.UpstreamExpires):
			return lease.Move(r, lease.Expired, now(), CauseExpired)
		}
		moved, err := lease.Move(r, lease.Revoking, now(), cause)
		moved.SecretUntil, moved.NextAttempt = time.Time{}, whole(now().Add(firstLook))
		return moved, err
	}, urgent)
	if err != nil {
		return row, ledgerError(err)
	}
	if row.State == lease.Revoking && urgent {
		return b.hurry(ctx, row)
	}
	return row, nil
}

// hurry puts the revocation of a lease that is already being revoked before others.
func (b *Broker) hurry(ctx context.Context, row lease.Record) (lease.Record, error) {
	credentials, err := b.credentialsOf(ctx, &row)
	if err != nil {
		return row, ledgerError(err)
	}
	for i := range credentials {
		err := b.change(ctx, credentials[i].ID, b.update, func(credential lease.Record) (lease.Change, bool, error) {
			if credential.State != lease.Revoking || credential.Urgent {
				return lease.Change{}, false, nil
			}
			credential.Urgent, credential.NextAttempt = true, now()
			return lease.Change{Record: credential, Kind: EventKept}, true, nil
		})
		if err != nil {
			return row, ledgerError(err)
		}
	}
	return row, nil
}
