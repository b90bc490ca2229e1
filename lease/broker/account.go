package broker

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// roleAccount returns the id of the account on which the keys of a role are made. It is
// found by its name, made if it is not there, and in the ledger before any key of it is.
func (b *Broker) roleAccount(ctx context.Context, role *roles.Role, errand Errand) (string, error) {
	name := b.o.Marker.Account(role.Project, role.ServiceAccount)
	kept, err := b.o.Ledger.Account(ctx, role.Project, name)
	if err == nil || !errors.Is(err, lease.ErrNotFound) {
		return kept.ID, err
	}
	// All that ask at once share what is found. It may outlive the one that began it.
	result := b.accounts.DoChan(role.Project+"/"+name, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestMint)
		defer cancel()
		return b.findAccount(ctx, role, name, errand)
	})
	select {
	case r := <-result:
		id, _ := r.Val.(string)
		return id, r.Err
	case <-ctx.Done():
		return "", &UpstreamError{Outcome: NotSent, Err: ctx.Err()}
	}
}

// findAccount finds an account of the upstream by its name, or makes it. No key is asked
// for here, so whatever fails, none was made.
func (b *Broker) findAccount(ctx context.Context, role *roles.Role, name string, errand Errand) (string, error) {
	var found FoundAccount
	for account, err := range b.o.Upstream.Accounts(ctx, errand, role.Project) {
		if err != nil {
			return "", notAsked(err)
		}
		// Of several the oldest: two replicas have made them at once.
		if b.o.Marker.IsAccount(account.Name, role.Project, role.ServiceAccount) && (found.ID == "" || account.Created.Before(found.Created)) {
			found = account
		}
	}
	made := found.ID == ""
	if made {
		id, err := b.o.Upstream.CreateAccount(ctx, errand, role.Project, name)
		if err != nil {
			return "", notAsked(err)
		}
		found.ID = id
	}
	// Also one that was found: it may have been made by somebody who came no further.
	if err := b.o.Upstream.EnableAccount(ctx, errand, role.Project, found.ID); err != nil {
		return "", notAsked(err)
	}
	kept, err := b.o.Ledger.KeepAccount(ctx, lease.ServiceAccount{ProjectID: role.Project, Name: name, ID: found.ID})
	if err != nil {
		return "", err
	}
	if made && kept.ID != found.ID {
		// Another replica was first. This one has no key, and never will have.
		errand.Urgency = Idle
		if err := b.o.Upstream.DeleteAccount(ctx, errand, role.Project, found.ID); err != nil {
			b.o.Logger.WarnContext(ctx, "a service account that was made twice is left: it has no key", "role", role.Name, "service_account_id", found.ID, "error", err)
		}
	}
	return kept.ID, nil
}

// notAsked is the error of a call before the one that makes a key: as far as the key is
// concerned, nothing was sent, unless the upstream has refused for good.
func notAsked(err error) error {
	outcome := outcomeOf(err)
	if outcome != Refused {
		outcome = NotSent
	}
	return &UpstreamError{Outcome: outcome, RetryAfter: retryAfter(err), Err: err}
}

// lostAccount forgets the account of a role that the upstream does not have any more.
func (b *Broker) lostAccount(ctx context.Context, role *roles.Role, id string) error {
	name := b.o.Marker.Account(role.Project, role.ServiceAccount)
	return b.o.Ledger.ForgetAccount(ctx, lease.ServiceAccount{ProjectID: role.Project, Name: name, ID: id})
}
