package broker

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/admin-gateway/admin-gateway/lease"
)

// repeat answers a request that was made before.
func (b *Broker) repeat(ctx context.Context, q *CreateRequest, was lease.Record) (Grant, error) {
	if was.Holder != q.Holder || !maps.Equal(was.Labels, q.Labels) {
		return Grant{}, &Error{Reason: OtherRequest, LeaseID: was.ID}
	}
	if was.State == lease.Intent {
		var err error
		was, err = b.settled(ctx, was.ID, func(r *lease.Record) bool { return r.State != lease.Intent })
		switch {
		case errors.Is(err, lease.ErrNotFound):
			return Grant{}, errAgain // It was not made, and forgotten.
		case ctx.Err() != nil:
			return Grant{}, &Error{Reason: InProgress, LeaseID: was.ID, RetryAfter: max(time.Until(was.SendBefore), time.Second), Err: err}
		case err != nil:
			return Grant{}, ledgerError(err)
		}
	}
	switch was.State {
	case lease.Issued:
		return b.again(ctx, was)
	case lease.Active:
		return Grant{Lease: was, Repeated: true}, nil
	case lease.Doubtful:
		return Grant{}, &Error{Reason: Doubtful, LeaseID: was.ID}
	case lease.Aborted:
		if was.Cause == CauseNotSent || was.Cause == CauseRefused {
			if err := b.o.Ledger.Forget(ctx, was.ID, was.Version); err != nil {
				return Grant{}, ledgerError(err)
			}
			return Grant{}, errAgain
		}
		return Grant{}, &Error{Reason: NotMade, LeaseID: was.ID}
	case lease.Revoking, lease.Revoked:
		switch was.Cause {
		case CauseAnswerLost:
			return Grant{}, &Error{Reason: Doubtful, LeaseID: was.ID}
		case CauseSecretLost:
			return Grant{}, &Error{Reason: SecretLost, LeaseID: was.ID}
		}
	case lease.Intent, lease.Expired, lease.Orphan:
	}
	return Grant{}, &Error{Reason: Over, LeaseID: was.ID}
}

// again gives the secret of a lease that nobody has acknowledged once more. Where it is
// not to be had, the key is of no use to anybody, and is revoked.
func (b *Broker) again(ctx context.Context, was lease.Record) (Grant, error) {
	secret, err := b.o.Ledger.Secret(ctx, was.ID)
	switch {
	case err == nil:
		return Grant{Lease: was, Secret: secret, Repeated: true}, nil
	case errors.Is(err, lease.ErrNoSecret), errors.Is(err, lease.ErrSecretLost):
	default:
		return Grant{}, ledgerError(err)
	}
	was, err = b.end(ctx, was.ID, CauseSecretLost, false)
	if err != nil {
		return Grant{}, err
	}
	if was.State == lease.Active {
		return Grant{Lease: was, Repeated: true}, nil // It was acknowledged at this moment.
	}
	return Grant{}, &Error{Reason: SecretLost, LeaseID: was.ID}
}
