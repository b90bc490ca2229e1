package broker

import (
	"context"
	"errors"

	"github.com/admin-gateway/admin-gateway/lease"
)

// Get returns a lease. A credential is none.
func (b *Broker) Get(ctx context.Context, id string) (lease.Record, error) {
	row, err := b.o.Ledger.Get(ctx, id)
	if err != nil {
		return row, ledgerError(err)
	}
	if row.IsCredential() {
		return lease.Record{}, &Error{Reason: NoLease}
	}
	return row, nil
}

// List returns a page of leases, without credentials.
func (b *Broker) List(ctx context.Context, q lease.Query) (lease.Page, error) {
	q.Rows = lease.LeaseRows
	page, err := b.o.Ledger.List(ctx, q)
	return page, ledgerError(err)
}

// Thing is a key or an account of the upstream, by its id.
type Thing struct{ APIKeyID, ServiceAccountID string }

// Leased tells the role and the project of the credential that a thing is, or that is
// made on it; false where it is of none. It is what a write through the mirror is held
// against.
func (b *Broker) Leased(ctx context.Context, thing Thing) (role, projectID string, leased bool, err error) {
	page, err := b.o.Ledger.List(ctx, lease.Query{APIKeyID: thing.APIKeyID, ServiceAccountID: thing.ServiceAccountID, PageSize: 1})
	if err != nil {
		return "", "", false, ledgerError(err)
	}
	if len(page.Records) > 0 {
		return page.Records[0].Role, page.Records[0].ProjectID, true, nil
	}
	if thing.ServiceAccountID == "" {
		return "", "", false, nil
	}
	account, err := b.o.Ledger.AccountByID(ctx, thing.ServiceAccountID)
	if errors.Is(err, lease.ErrNotFound) {
		return "", "", false, nil
	}
	if err != nil {
		return "", "", false, ledgerError(err)
	}
	for _, r := range b.o.Roles().All() {
		if r.Project == account.ProjectID && b.o.Marker.IsAccount(account.Name, r.Project, r.ServiceAccount) {
			return r.Name, r.Project, true, nil
		}
	}
	return "", account.ProjectID, true, nil // Of a role that the policy has no more.
}

// Sequence is that of the latest event.
func (b *Broker) Sequence(ctx context.Context) (uint64, error) {
	info, err := b.o.Ledger.Info(ctx)
	return info.Sequence, ledgerError(err)
}

// Events returns what has changed after a sequence; a [*lease.LateError] where some of it
// is not kept any more. Those of credentials are among them.
func (b *Broker) Events(ctx context.Context, q lease.EventQuery) (lease.EventPage, error) {
	page, err := b.o.Ledger.Events(ctx, q)
	if late := (*lease.LateError)(nil); errors.As(err, &late) {
		return page, late
	}
	return page, ledgerError(err)
}
