package broker

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// The purposes of a credential, as the beginning of its request.
const (
	// forLease is followed by the id of the lease that has its one seat.
	forLease = "lease/"
	// forRotation is followed by the id of a lease and its request.
	forRotation = "rotation/"
	// forPool is of one that leases take seats in, followed by what tells it from others.
	forPool = "pool/"
	// forStatic is of the key of a static role, followed by its number.
	forStatic = "static/"
	// forOrphan is followed by the id of a key that was found.
	forOrphan = "orphan/"
)

// newCredential is the row of a key that is about to be asked for. It is in the ledger
// before that, and says until when it may be sent.
func (b *Broker) newCredential(role *roles.Role, purpose string, at time.Time, expires time.Time, seats int) lease.Record {
	id := lease.NewID(at)
	return lease.Record{
		ID: id, RequestID: purpose, Role: role.Name, Kind: lease.Kind(role.Kind), ProjectID: role.Project,
		Created: at, Credential: id, CredentialName: b.o.Marker.Name(role.Name, id), State: lease.Intent,
		Seats: seats, SendBefore: whole(at.Add(longestMint)),
		// For leases, and what is certain of the key: it may be asked for until
		// SendBefore, and its seconds count from then.
		Expires: expires, MaxExpires: whole(at.Add(role.MaxTTL)), UpstreamExpires: whole(expires.Add(role.Grace)),
	}
}

// makeKey asks the upstream for the key of a credential. It returns the row with what is
// known of the key, which is not in the ledger yet but for an account of the key's own.
func (b *Broker) makeKey(ctx context.Context, role *roles.Role, row lease.Record, errand Errand) (lease.Record, lease.Secret, error) {
	ctx, cancel := context.WithDeadline(ctx, row.SendBefore)
	defer cancel()
	row, made, err := b.ask(ctx, role, row, errand)
	b.o.Observer.Minted(role.Name, outcomeLabel(err))
	if err != nil {
		return row, lease.Secret{}, err
	}
	row.APIKeyID = made.ID
	if made.Expires.After(row.UpstreamExpires) {
		row.UpstreamExpires = whole(made.Expires)
	}
	return row, lease.NewSecret([]byte(made.Secret)), nil
}

func outcomeLabel(err error) string { return outcomeOf(err).String() }

func (b *Broker) ask(ctx context.Context, role *roles.Role, row lease.Record, errand Errand) (lease.Record, MadeKey, error) {
	key := NewKey{ProjectID: role.Project, Name: row.CredentialName, Scopes: role.Scopes, Expires: row.UpstreamExpires}
	if row.Kind == lease.Account {
		return b.askWithAccount(ctx, row, key, errand)
	}
	// Twice: the account that the ledger knows may have been deleted.
	for try := 0; ; try++ {
		id, err := b.roleAccount(ctx, role, errand)
		if err != nil {
			return row, MadeKey{}, unasked(err)
		}
		key.ServiceAccountID, row.ServiceAccountID = id, id
		made, err := b.o.Upstream.CreateKey(ctx, errand, key)
		if outcomeOf(err) != Gone {
			return row, made, err
		}
		if forgetErr := b.lostAccount(ctx, role, id); forgetErr != nil || try > 0 {
			return row, MadeKey{}, &UpstreamError{Outcome: Refused, Err: errors.Join(err, forgetErr)}
		}
	}
}

// unasked is the error where no key was asked for.
func unasked(err error) error {
	if _, ok := errors.AsType[*UpstreamError](err); ok {
		return err
	}
	return &UpstreamError{Outcome: NotSent, Err: err}
}

// askWithAccount makes a key on an account of its own. The account has the marker for its
// name, and its id is in the ledger before the key is asked for.
func (b *Broker) askWithAccount(ctx context.Context, row lease.Record, key NewKey, errand Errand) (lease.Record, MadeKey, error) {
	id, err := b.o.Upstream.CreateAccount(ctx, errand, key.ProjectID, key.Name)
	if err != nil {
		return row, MadeKey{}, err
	}
	row.ServiceAccountID, key.ServiceAccountID = id, id
	after, cancel := afterwards(ctx)
	defer cancel()
	records, err := b.update(after, lease.Change{Record: row, Kind: EventKept})
	if err != nil {
		return row, MadeKey{}, &UpstreamError{Outcome: Unknown, Err: err}
	}
	row = records[0]
	if err := b.o.Upstream.EnableAccount(ctx, errand, key.ProjectID, id); err != nil {
		// The account is there, and has to go.
		return row, MadeKey{}, &UpstreamError{Outcome: Unknown, RetryAfter: retryAfter(err), Err: err}
	}
	made, err := b.o.Upstream.CreateKey(ctx, errand, key)
	if err != nil {
		err = &UpstreamError{Outcome: Unknown, RetryAfter: retryAfter(err), Err: err}
	}
	return row, made, err
}

// keep writes down what became of a credential: change makes the changes from the row as
// it is. It is tried again until it is certain, because the key is made. others are rows
// that change with it.
//
// A key that came too late is revoked: the keeper has taken the row for doubtful.
func (b *Broker) keep(ctx context.Context, made lease.Record, change func(row lease.Record) ([]lease.Change, error)) (lease.Record, error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	for pause := earliest; ; pause = min(2*pause, latest) {
		row, err := b.keepOnce(ctx, made, change)
		if err == nil || ctx.Err() != nil || !retryable(err) {
			return row, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
}

func retryable(err error) bool {
	return errors.Is(err, lease.ErrUnavailable) || errors.Is(err, lease.ErrConflict) || errors.Is(err, lease.ErrClaimed)
}

// errTooLate is the error where a row was taken for doubtful meanwhile.
var errTooLate = errors.New("broker: the key came too late, and is revoked")

func (b *Broker) keepOnce(ctx context.Context, made lease.Record, change func(lease.Record) ([]lease.Change, error)) (lease.Record, error) {
	row, err := b.o.Ledger.Get(ctx, made.ID)
	if err != nil {
		return made, err
	}
	switch row.State {
	case lease.Intent:
	case lease.Doubtful:
		row.APIKeyID, row.ServiceAccountID = made.APIKeyID, made.ServiceAccountID
		revoking, err := lease.Move(row, lease.Revoking, now(), CauseAnswerLost)
		if err != nil {
			return made, err
		}
		if _, err = b.update(ctx, lease.Change{Record: revoking, Kind: EventEnding}); err == nil {
			err = errTooLate
		}
		return made, err
	default:
		if row.APIKeyID == made.APIKeyID && made.APIKeyID != "" {
			return row, nil // It was written, and the answer was lost.
		}
		return row, errTooLate
	}
	row.APIKeyID, row.ServiceAccountID = made.APIKeyID, made.ServiceAccountID
	if made.UpstreamExpires.After(row.UpstreamExpires) {
		row.UpstreamExpires = made.UpstreamExpires
	}
	changes, err := change(row)
	if err != nil {
		return made, err
	}
	records, err := b.update(ctx, changes...)
	if err != nil {
		return made, err
	}
	return records[0], nil
}

// unmade writes down that a credential was not made, or that nobody knows. The rows of
// what was never made are forgotten, so that its request can be made again.
func (b *Broker) unmade(ctx context.Context, row lease.Record, leases []string, failure error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	next, cause := lease.Aborted, CauseNotSent
	switch outcomeOf(failure) {
	case Refused, Gone:
		cause = CauseRefused
	case Unknown:
		next, cause = lease.Doubtful, CauseAnswerLost
	case NotSent:
	}
	ended, err := b.moveAll(ctx, append([]string{row.ID}, leases...), next, cause)
	if err != nil {
		// The keeper comes to it when its time to be sent is over.
		b.o.Logger.WarnContext(ctx, "a key that was not made is still taken for one that may be", "lease", row.ID, "role", row.Role, "error", err)
		return
	}
	if next == lease.Doubtful {
		return
	}
	for i := range ended {
		if err := b.o.Ledger.Forget(ctx, ended[i].ID, ended[i].Version); err != nil {
			b.o.Logger.DebugContext(ctx, "a lease that was not made is kept", "lease", ended[i].ID, "error", err)
		}
	}
}

// moveAll moves those of the rows that are intents.
func (b *Broker) moveAll(ctx context.Context, ids []string, next lease.State, cause string) ([]lease.Record, error) {
	for pause := earliest; ; pause = min(2*pause, latest) {
		var changes []lease.Change
		for _, id := range ids {
			row, err := b.o.Ledger.Get(ctx, id)
			if errors.Is(err, lease.ErrNotFound) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if row.State != lease.Intent {
				continue
			}
			change, err := unmadeChange(row, next, cause)
			if err != nil {
				return nil, err
			}
			changes = append(changes, change)
		}
		if len(changes) == 0 {
			return nil, nil
		}
		records, err := b.update(ctx, changes...)
		if err == nil || !retryable(err) {
			return records, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// unmadeChange moves an intent. One that is doubtful may have been made later than it was
// asked for, so that it also ends later.
func unmadeChange(row lease.Record, next lease.State, cause string) (lease.Change, error) {
	moved, err := lease.Move(row, next, now(), cause)
	if err != nil {
		return lease.Change{}, err
	}
	kind := EventEnded
	if next == lease.Doubtful {
		kind = EventEnding
		moved.UpstreamExpires = whole(row.UpstreamExpires.Add(lateness))
		moved.NextAttempt = now()
	}
	return lease.Change{Record: moved, Kind: kind}, nil
}
