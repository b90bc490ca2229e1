package broker

import (
	"context"
	"errors"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Acknowledge notes that the secret of a lease has arrived: it is not kept any longer.
func (b *Broker) Acknowledge(ctx context.Context, id string) (lease.Record, error) {
	return b.hold(ctx, id, EventAcknowledged, func(r *lease.Record) {})
}

// Renew moves the end of a lease to ttl from now, and not past its latest end; zero is
// the role's. It acknowledges the secret too. An end is never moved back, so that a
// repetition leads to the same one or a later one.
func (b *Broker) Renew(ctx context.Context, id string, ttl time.Duration) (lease.Record, error) {
	row, err := b.current(ctx, id)
	if err != nil {
		return row, err
	}
	role, ok := b.o.Roles().Lookup(row.Role)
	if !ok {
		return row, &Error{Reason: NoRole, LeaseID: id}
	}
	if ttl <= 0 {
		ttl = role.TTL
	}
	until := earlier(whole(now().Add(ttl)), row.MaxExpires)
	credential, err := b.o.Ledger.Get(ctx, row.Credential)
	if err != nil {
		return row, ledgerError(err)
	}
	long := credential.Expires.Sub(now()) >= time.Duration(enough*float64(ttl)) && credential.Seats > 1
	if until.After(row.Expires) && credential.Expires.Before(until) && !long {
		if credential, err = b.extend(ctx, &role, credential.ID, until, errand(&row, "renew", Mint)); err != nil {
			return row, err
		}
	}
	until = earlier(until, credential.Expires)
	return b.hold(ctx, id, EventRenewed, func(r *lease.Record) {
		if r.Credential == credential.ID && until.After(r.Expires) {
			r.Expires = until
			r.UpstreamExpires = whole(until.Add(role.Grace))
		}
	})
}

// current is a lease that has its key, and is not over.
func (b *Broker) current(ctx context.Context, id string) (lease.Record, error) {
	row, err := b.o.Ledger.Get(ctx, id)
	switch {
	case err != nil:
		return row, ledgerError(err)
	case row.IsCredential():
		return row, &Error{Reason: NoLease}
	case row.State == lease.Intent:
		return row, &Error{Reason: InProgress, LeaseID: id, RetryAfter: time.Second}
	case row.State == lease.Doubtful:
		return row, &Error{Reason: Doubtful, LeaseID: id}
	case !open(&row), !now().Before(row.Expires):
		return row, &Error{Reason: Over, LeaseID: id}
	}
	return row, nil
}

// hold changes a lease that its holder has, and with that acknowledges its secret.
func (b *Broker) hold(ctx context.Context, id string, kind lease.EventKind, change func(*lease.Record)) (lease.Record, error) {
	for {
		row, err := b.current(ctx, id)
		if err != nil {
			return row, err
		}
		before := row
		if row.State == lease.Issued {
			if row, err = lease.Move(row, lease.Active, now(), ""); err != nil {
				return row, ledgerError(err)
			}
			row.Acknowledged = now()
		}
		row.SecretUntil = time.Time{}
		change(&row)
		if row.State == before.State && row.Expires.Equal(before.Expires) && row.SecretUntil.Equal(before.SecretUntil) {
			return row, nil
		}
		records, err := b.update(ctx, lease.Change{Record: row, Kind: kind})
		switch {
		case err == nil:
			return records[0], nil
		case !errors.Is(err, lease.ErrConflict):
			return row, ledgerError(err)
		}
	}
}
