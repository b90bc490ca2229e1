package broker

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// errAsItIs is the error of a move that leaves a row as it is.
var errAsItIs = errors.New("broker: as it is")

// leave moves a lease out of its seat, with the credential that it leaves: one that
// nobody has any more is revoked. It returns the lease as it is then.
func (b *Broker) leave(ctx context.Context, id string, move func(lease.Record) (lease.Record, error), urgent bool) (lease.Record, error) {
	for wait := earliest; ; wait = min(2*wait, latest) {
		row, err := b.o.Ledger.Get(ctx, id)
		if err != nil {
			return row, err
		}
		changes, err := b.leaving(ctx, row, move, urgent)
		if errors.Is(err, errAsItIs) {
			return row, nil
		}
		if err != nil {
			return row, err
		}
		records, err := b.update(ctx, changes...)
		if err == nil {
			return records[0], nil
		}
		if !retryable(err) || pause(ctx, wait) != nil {
			return row, err
		}
	}
}

// leaving makes the changes of one lease that leaves, its own first.
func (b *Broker) leaving(ctx context.Context, row lease.Record, move func(lease.Record) (lease.Record, error), urgent bool) ([]lease.Change, error) {
	moved, err := move(row)
	if err != nil {
		return nil, err
	}
	kind := EventEnding
	if moved.State.Final() {
		kind = EventEnded
	}
	changes := []lease.Change{{Record: moved, Kind: kind}}
	credentials, err := b.credentialsOf(ctx, &row)
	if err != nil {
		return nil, err
	}
	for _, credential := range credentials {
		change, ok, err := left(credential, &moved, credential.ID == row.Credential, urgent)
		if err != nil {
			return nil, err
		}
		if ok {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// credentialsOf are the credentials of a lease that are there: the one that it has, and
// the one before.
func (b *Broker) credentialsOf(ctx context.Context, row *lease.Record) ([]lease.Record, error) {
	var found []lease.Record
	for _, id := range []string{row.Credential, row.Previous} {
		if id == "" {
			continue
		}
		credential, err := b.o.Ledger.Get(ctx, id)
		switch {
		case err == nil:
			found = append(found, credential)
		case !errors.Is(err, lease.ErrNotFound):
			return nil, err
		}
	}
	return found, nil
}

// change changes a row as it is, and again as it is then if it has changed meanwhile. of
// makes the change; false where there is none to make. update makes it.
func (b *Broker) change(ctx context.Context, id string, update updater, of func(lease.Record) (lease.Change, bool, error)) error {
	for wait := earliest; ; wait = min(2*wait, latest) {
		row, err := b.o.Ledger.Get(ctx, id)
		if errors.Is(err, lease.ErrNotFound) {
			return nil
		}
		if err == nil {
			change, ok, err := of(row)
			if err != nil || !ok {
				return err
			}
			_, err = update(ctx, change)
			if err == nil || !retryable(err) {
				return err
			}
		} else if !retryable(err) {
			return err
		}
		if ended := pause(ctx, wait); ended != nil {
			return ended
		}
	}
}

// updater makes changes of the ledger.
type updater = func(ctx context.Context, changes ...lease.Change) ([]lease.Record, error)

// left is the change of a credential when a lease has left its seat in it, or does not
// want it to work any longer where it is the one before.
func left(credential lease.Record, by *lease.Record, current, urgent bool) (lease.Change, bool, error) {
	at := now()
	if !current {
		if credential.State != lease.Revoking || !at.Before(credential.NextAttempt) {
			return lease.Change{}, false, nil
		}
		credential.NextAttempt, credential.Urgent = at, credential.Urgent || urgent
		return lease.Change{Record: credential, Kind: EventKept}, true, nil
	}
	if !open(&credential) && credential.State != lease.Intent || credential.Seated == 0 {
		return lease.Change{}, false, nil
	}
	credential.Seated--
	if credential.Seated > 0 || credential.State == lease.Intent || by.State == lease.Aborted && hasPurpose(&credential, forPool) {
		// Others have it, or it is still made, or nobody has seen its secret.
		return lease.Change{Record: credential, Kind: EventSeat}, true, nil
	}
	return over(credential, at, CauseUnused, urgent)
}

// over ends an open credential: the upstream has, or it is revoked.
func over(credential lease.Record, at time.Time, cause string, urgent bool) (lease.Change, bool, error) {
	next, kind := lease.Revoking, EventEnding
	if !at.Before(credential.UpstreamExpires) {
		next, kind, cause = lease.Expired, EventEnded, CauseExpired
	}
	moved, err := lease.Move(credential, next, at, cause)
	if err != nil {
		return lease.Change{}, false, err
	}
	moved.SecretUntil = time.Time{}
	if next == lease.Revoking {
		moved.NextAttempt, moved.Urgent = at, urgent
	}
	return lease.Change{Record: moved, Kind: kind}, true, nil
}
