package admission

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/catalog"
	"github.com/admin-gateway/admin-gateway/upstream/pace"
)

// Agent makes the permits of calls that the gateway makes for itself, of a closed set of
// methods. It does not ask the policy: whoever has an Agent has asked it about what the
// call is for, such as a lease. It is safe for concurrent use.
type Agent struct {
	controller *Controller
	methods    map[*catalog.Method]struct{}
}

// Errand is for what the gateway makes a call of its own. All but Class may be "".
type Errand struct {
	// Caller is the caller for whom the call is made, and in whose turn it waits for the
	// upstream's budget. Calls for nobody share one turn.
	Caller string
	// Class is the urgency with which it waits.
	Class pace.Class
	// Lease is the id of the lease that the call is about, Role its role, Holder whom it
	// is for, and Cause why the call is made: words for the record.
	Lease, Role, Holder, Cause string
}

// Agent makes an Agent for these methods and no others. Each of them mirrors an operation
// of the upstream.
func (c *Controller) Agent(methods ...*catalog.Method) (*Agent, error) {
	if len(methods) == 0 {
		return nil, errors.New("admission: an Agent without methods")
	}
	a := &Agent{controller: c, methods: make(map[*catalog.Method]struct{}, len(methods))}
	for _, m := range methods {
		if m == nil || m.Source != catalog.Upstream {
			return nil, errors.New("admission: a method of an Agent does not mirror the upstream")
		}
		if known, ok := c.catalog.Lookup(m.Procedure); !ok || known != m {
			return nil, fmt.Errorf("admission: the catalog does not have %s", m.Name())
		}
		a.methods[m] = struct{}{}
	}
	return a, nil
}

// Methods are the methods that it was made with, in no order.
func (a *Agent) Methods() []*catalog.Method { return slices.Collect(maps.Keys(a.methods)) }

// Permit validates a request like one of a caller's, and makes a permit for it. It fails
// for a method that the Agent was not made with, and without an account of the call
// ([accounting.Own]), which it writes.
//
// The permit of a read accepts no stored answer: the gateway looks at what is there.
func (a *Agent) Permit(ctx context.Context, m *catalog.Method, request protoreflect.Message, errand Errand) (Permit, error) {
	if _, ok := a.methods[m]; !ok {
		return nil, errNotOfAgent
	}
	account := accounting.From(ctx)
	if account.Own.Agent == "" {
		return nil, errNotOwn
	}
	account.Lease = accounting.Lease{ID: errand.Lease, Role: errand.Role, Holder: errand.Holder, Cause: errand.Cause}
	account.Admission.Identity.Caller = errand.Caller
	account.Admission.Method, account.Admission.Verdict = m, audit.DecisionInvalid
	if err := a.controller.validate(m, request); err != nil {
		return nil, err
	}
	for _, consent := range m.Consents() {
		if consent.Needed(request) {
			return nil, unsaid(consent)
		}
	}
	account.Admission.Request, account.Admission.Verdict = request, audit.DecisionOwn
	account.Admission.Decision = authz.Decision{Allowed: true, Permission: m.Permission}
	made := &permit{method: m, request: request, caller: errand.Caller, errand: &errand}
	if m.Read {
		made.freshness = Freshness{Limited: true}
	}
	return made, nil
}

var (
	// errNotOfAgent is a call that the gateway does not make for itself.
	errNotOfAgent = errors.New("admission: the Agent was not made with this method")
	// errNotOwn is a call of the gateway's own in the account of a caller's.
	errNotOwn = errors.New("admission: the call has no account of the gateway's own")
)
