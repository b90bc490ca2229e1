package broker

import (
	"context"

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

// Leased tells the role of the live credential that is a key, or that a service account
// is of; false where it is of none. It is what a write through the mirror is held
// against.
func (b *Broker) Leased(ctx context.Context, projectID, apiKeyID, serviceAccountID string) (role string, leased bool, err error) {
	if serviceAccountID != "" {
		of, err := b.o.Ledger.HasAccount(ctx, projectID, serviceAccountID)
		if err != nil || of {
			return "", of, ledgerError(err)
		}
	}
	for _, q := range []lease.Query{{APIKeyID: apiKeyID}, {ServiceAccountID: serviceAccountID}} {
		if q.APIKeyID == "" && q.ServiceAccountID == "" {
			continue
		}
		q.PageSize = 1
		page, err := b.o.Ledger.List(ctx, q)
		if err != nil {
			return "", false, ledgerError(err)
		}
		if len(page.Records) > 0 {
			return page.Records[0].Role, true, nil
		}
	}
	return "", false, nil
}
