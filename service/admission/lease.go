package admission

import (
	"context"
	"time"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// CheckLease refuses when the call of a permit may not concern a lease. The refusal is
// that of the call of ctx.
func (c *Controller) CheckLease(ctx context.Context, permit Permit, lease authz.Lease) error {
	d, err := c.decideLease(ctx, permit, lease)
	if err != nil || d.Allowed {
		return err
	}
	account := &accounting.From(ctx).Admission
	account.Decision, account.Verdict = d, audit.DecisionDenied
	return c.denied(account)
}

// MayLease says whether the call of a permit may concern a lease. It refuses nothing: it
// is for one of many, of which the others are answered.
func (c *Controller) MayLease(ctx context.Context, permit Permit, lease authz.Lease) (bool, error) {
	d, err := c.decideLease(ctx, permit, lease)
	return d.Allowed, err
}

// MayOthers says whether the call of a permit may concern any lease of another caller.
func (c *Controller) MayOthers(ctx context.Context, permit Permit) (bool, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return false, err
	}
	rules, err := p.rulesNow()
	if err != nil {
		return false, err
	}
	return rules.Policy.MayOthers(permit.caller, permit.method.Access()), nil
}

func (c *Controller) decideLease(ctx context.Context, permit Permit, lease authz.Lease) (authz.Decision, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return authz.Decision{}, err
	}
	rules, err := p.rulesNow()
	if err != nil {
		return authz.Decision{}, err
	}
	return rules.Policy.DecideLease(permit.caller, permit.method.Access(), permit.request, lease, time.Now()), nil
}
