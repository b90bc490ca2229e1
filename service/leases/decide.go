package leases

import (
	"context"

	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/admission"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// knownAs is what a decision knows of a lease.
func knownAs(r *lease.Record) authz.Lease {
	return authz.Lease{Role: r.Role, Project: r.ProjectID, Caller: r.Caller}
}

// lookup returns a lease that the call of the permit may concern. To a caller that may
// not, the lease of another one is none: the error is the same.
func (h *handlers) lookup(ctx context.Context, permit admission.Permit, id string) (lease.Record, error) {
	row, err := h.broker.Get(ctx, id)
	if err != nil {
		return row, toCaller(err)
	}
	if err := h.admission.CheckLease(ctx, permit, knownAs(&row)); err != nil {
		if row.Caller != permit.Caller() {
			return lease.Record{}, rpcerror.OfLease(rpcerror.ReasonLeaseNotFound, 0, err)
		}
		return lease.Record{}, err
	}
	h.about(ctx, &row)
	return row, nil
}

// about says in the record of the call which lease it is about.
func (h *handlers) about(ctx context.Context, r *lease.Record) {
	accounting.From(ctx).Lease = accounting.Lease{ID: r.ID, Role: r.Role, Holder: r.Holder, Cause: r.Cause}
}
