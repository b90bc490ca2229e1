package admission

import (
	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/rpcerror"
)

// Held knows the callers that an operator holds: they may not call, whatever the policy
// says.
type Held interface {
	// Held tells whether a caller is held at this moment. It is asked for every call and
	// every part of one, so it does not wait.
	Held(caller string) bool
}

// reasonHeld is why a call was refused, for records and metrics.
const reasonHeld = "held"

func (c *Controller) isHeld(caller string) bool { return c.held != nil && c.held.Held(caller) }

// refuseHeld is the error of a call whose caller is held. The caller is not told by whom
// and why.
func (c *Controller) refuseHeld(p *principal) error {
	account := &accounting.From(p).Admission
	account.Verdict, account.Reason = audit.DecisionDenied, reasonHeld
	c.metrics.denied.WithLabelValues(reasonHeld).Inc()
	return rpcerror.OfHold(rpcerror.ReasonCallerHeld, nil)
}

// Review looks again at all calls under way, and ends those whose callers are held. It is
// called after [Held] has changed.
func (c *Controller) Review() { c.tenures.look() }
