package broker

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// RotateRequest asks for another key of a lease.
type RotateRequest struct {
	ID, RequestID string
	// Overlap is how long the key before goes on working.
	Overlap time.Duration
}

// Rotated is a lease with its new key.
type Rotated struct {
	Lease  lease.Record
	Secret lease.Secret
	// Previous is the credential before, as it is now.
	Previous lease.Record
}

// Rotate gives a lease a key of its own in the place of the one that it has. The one
// before works for the overlap, and no longer than it would have anyway. A lease has one
// key before the current one at the most: another rotation ends it.
func (b *Broker) Rotate(ctx context.Context, q RotateRequest) (Rotated, error) {
	row, err := b.current(ctx, q.ID)
	if err != nil {
		return Rotated{}, err
	}
	role, ok := b.o.Roles().Lookup(row.Role)
	if !ok {
		return Rotated{}, &Error{Reason: NoRole, LeaseID: q.ID}
	}
	for {
		at := now()
		credential := b.newCredential(&role, forRotation+row.ID+"/"+q.RequestID, at, row.Expires, 1)
		credential.Seated, credential.MaxExpires = 1, row.MaxExpires
		// One more than the role may have: the one before is on its way out.
		limits := roleLimits(&role)
		limits.RoleLive += role.MaxLive
		created, err := b.o.Ledger.Create(ctx, lease.Draft{Record: credential, Limits: limits})
		if err != nil {
			return Rotated{}, ledgerError(err)
		}
		if created.Repeated {
			rotated, err := b.rotatedBefore(ctx, row.ID, created.Record)
			if errors.Is(err, errAgain) {
				continue
			}
			return rotated, err
		}
		made, secret, err := b.makeKey(ctx, &role, created.Record, errand(&row, "rotate", Mint))
		if err != nil {
			b.unmade(ctx, made, nil, err)
			return Rotated{}, b.mintError(&row, err)
		}
		return b.replace(ctx, row.ID, made, secret, q.Overlap)
	}
}

// rotatedBefore answers a rotation that was asked for before.
func (b *Broker) rotatedBefore(ctx context.Context, id string, credential lease.Record) (Rotated, error) {
	credential, err := b.settled(ctx, credential.ID, func(r *lease.Record) bool { return r.State != lease.Intent })
	switch {
	case errors.Is(err, lease.ErrNotFound):
		return Rotated{}, errAgain
	case ctx.Err() != nil:
		return Rotated{}, &Error{Reason: InProgress, LeaseID: id, RetryAfter: time.Second, Err: err}
	case err != nil:
		return Rotated{}, ledgerError(err)
	}
	row, err := b.current(ctx, id)
	if err != nil {
		return Rotated{}, err
	}
	if row.Credential != credential.ID {
		if credential.State == lease.Doubtful || credential.Cause == CauseAnswerLost {
			return Rotated{}, &Error{Reason: Doubtful, LeaseID: id}
		}
		return Rotated{}, &Error{Reason: NotMade, LeaseID: id}
	}
	rotated := Rotated{Lease: row}
	if rotated.Previous, err = b.previous(ctx, &row); err != nil {
		return Rotated{}, err
	}
	if row.SecretUntil.IsZero() && row.State == lease.Active && !row.Acknowledged.Before(credential.Created) {
		return rotated, nil // It has arrived.
	}
	rotated.Secret, err = b.o.Ledger.Secret(ctx, id)
	if errors.Is(err, lease.ErrNoSecret) || errors.Is(err, lease.ErrSecretLost) {
		// The lease lives, and its key is of no use: another rotation gives it one.
		return Rotated{}, &Error{Reason: SecretLost, LeaseID: id}
	}
	return rotated, ledgerError(err)
}

func (b *Broker) previous(ctx context.Context, row *lease.Record) (lease.Record, error) {
	if row.Previous == "" {
		return lease.Record{}, nil
	}
	previous, err := b.o.Ledger.Get(ctx, row.Previous)
	if errors.Is(err, lease.ErrNotFound) {
		return lease.Record{}, nil
	}
	return previous, ledgerError(err)
}

// replace gives a lease the key that was made for it, and ends the one before, in one
// change. A lease that has ended meanwhile leaves the new key to its revocation.
func (b *Broker) replace(ctx context.Context, id string, made lease.Record, secret lease.Secret, overlap time.Duration) (Rotated, error) {
	var rotated Rotated
	var over error
	_, err := b.keep(ctx, made, func(credential lease.Record) ([]lease.Change, error) {
		issuing, err := issue(credential, "", lease.Secret{}, time.Time{})
		if err != nil {
			return nil, err
		}
		var row lease.Record
		if row, over = b.current(ctx, id); over != nil {
			// Nobody is going to have it.
			issuing.Record.Seated = 0
			return []lease.Change{issuing}, nil //nolint:nilerr // The caller looks at over.
		}
		changes := []lease.Change{issuing}
		rotated = Rotated{Lease: row, Secret: secret}
		before := row.Credential
		if replaced, err := b.superseded(ctx, &row, overlap, &rotated.Previous); err != nil {
			return nil, err
		} else if len(replaced) > 0 {
			changes = append(changes, replaced...)
		}
		hold(&row, &issuing.Record)
		row.Previous = before
		row.SecretUntil = whole(now().Add(secretLife))
		rotated.Lease = row
		return append(changes, lease.Change{Record: row, Kind: EventRotated, Secret: secret}), nil
	})
	switch {
	case err != nil:
		return Rotated{}, &Error{Reason: Doubtful, LeaseID: id, Err: err}
	case over != nil:
		b.discard(ctx, made.ID)
		return Rotated{}, over
	}
	rotated.Lease.Version++
	return rotated, nil
}

// superseded are the changes of the credentials that a lease had: the current one is
// revoked when the overlap is over, the one before at once.
func (b *Broker) superseded(ctx context.Context, row *lease.Record, overlap time.Duration, previous *lease.Record) ([]lease.Change, error) {
	var changes []lease.Change
	at := now()
	credentials, err := b.credentialsOf(ctx, row)
	if err != nil {
		return nil, err
	}
	for _, credential := range credentials {
		current := credential.ID == row.Credential
		change, ok, err := left(credential, row, current, false)
		if err != nil {
			return nil, err
		}
		if current {
			*previous = credential
			if ok && change.Record.State == lease.Revoking {
				ends := whole(at.Add(overlap))
				change.Record.NextAttempt, change.Record.Since, change.Record.Cause = ends, ends, CauseRotated
				*previous = change.Record
			}
		}
		if ok {
			changes = append(changes, change)
		}
	}
	return changes, nil
}

// discard revokes a credential that is there for nobody.
func (b *Broker) discard(ctx context.Context, id string) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	err := b.change(ctx, id, b.update, func(credential lease.Record) (lease.Change, bool, error) {
		if !open(&credential) {
			return lease.Change{}, false, nil
		}
		return over(credential, now(), CauseUnused, false)
	})
	if err != nil {
		b.o.Logger.WarnContext(ctx, "a key that nobody has is left to its end", "lease", id, "error", err)
	}
}
