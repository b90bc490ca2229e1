package admission

import (
	"context"
	"errors"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Leased knows which keys and service accounts leases have.
type Leased interface {
	// Leased returns the role and the project of the lease that has a key, or of the
	// role whose service account an account is; ok is false for all others. The id alone
	// decides: projectID is what the request says, may be "", and may be wrong. An error
	// means that it is not known, and the write is refused.
	//
	// It is called for every write that can change either, before anything is sent, so it
	// answers from memory where it can.
	Leased(ctx context.Context, projectID string, thing catalog.Thing, id string) (lease authz.Lease, ok bool, err error)
}

// reasonLeased is why a write was refused, for records and metrics.
const reasonLeased = "leased"

// guard protects what is leased from writes of the mirror. The zero value protects
// nothing.
type guard struct {
	leased Leased
	// revoke is the RPC that ends a lease of another caller: whoever may call it may
	// write on what the lease has. empty is a request of it.
	revoke *authz.Handle
	empty  protoreflect.Message
}

func newGuard(leased Leased, methods *catalog.Catalog) (guard, error) {
	if leased == nil {
		return guard{}, nil
	}
	m := methods.LeaseRevocation()
	if m == nil {
		return guard{}, errors.New("admission: Options.Leased without an RPC that revokes leases")
	}
	return guard{leased: leased, revoke: m.Access(), empty: m.Request.New()}, nil
}

// refuseLeased refuses a write on a key that a lease has, or on a service account of a
// role, unless the caller may revoke the leases of others that are of that role.
func (c *Controller) refuseLeased(ctx context.Context, p *principal, rules *callers.Set, m *catalog.Method, request protoreflect.Message) error {
	if c.guard.leased == nil || !m.Touches() {
		return nil
	}
	account := &accounting.From(ctx).Admission
	for _, touched := range m.Touched(request) {
		lease, ok, err := c.guard.leased.Leased(ctx, touched.ProjectID, touched.Thing, touched.ID)
		switch {
		case err != nil:
			account.Verdict = audit.DecisionInvalid
			return rpcerror.OfLease(rpcerror.ReasonLeasesUnavailable, 0, err)
		case !ok:
			continue
		}
		lease.Caller = "" // The key of one's own lease is the gateway's, too.
		if rules.Policy.DecideLease(p.identity.Caller, c.guard.revoke, c.guard.empty, lease, time.Now()).Allowed {
			continue
		}
		account.Verdict, account.Reason = audit.DecisionDenied, reasonLeased
		c.metrics.denied.WithLabelValues(reasonLeased).Inc()
		refused := rpcerror.OfLease(rpcerror.ReasonLeased, 0, nil)
		refused.Metadata = map[string]string{"role": lease.Role, "thing": touched.Thing.String()}
		return refused
	}
	return nil
}
