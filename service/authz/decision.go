package authz

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// Reason says why a call was allowed or refused. Reasons are in the order of how
// near a call came to being allowed.
type Reason uint8

// The reasons of a [Decision].
const (
	// UnknownCaller: the policy has no caller of this name.
	UnknownCaller Reason = iota + 1
	// NoPermission: no grant has the permission, or the policy does not know
	// the method.
	NoPermission
	// RoleOutOfScope: no grant with the permission names the role, or any where the
	// request names none.
	RoleOutOfScope
	// OrganizationWide: the grants are limited to projects, and the RPC has no
	// field that names one, or the request has a value that reaches beyond them.
	OrganizationWide
	// ProjectMissing: the grants are limited to projects, and the request
	// names none, or an empty one.
	ProjectMissing
	// ProjectOutOfScope: the request names a project that is not the grant's.
	ProjectOutOfScope
	// ConditionFailed: a condition, or the request itself, could not be
	// evaluated.
	ConditionFailed
	// ConditionFalse: a grant's condition is not met.
	ConditionFalse
	// NotOwner: the lease is another caller's, and no grant has the permission for
	// those.
	NotOwner
	// Denied: a grant allows the call and a deny forbids it.
	Denied
	// Granted: a grant allows the call and no deny forbids it.
	Granted
)

// String is a short stable word, fit for a metric's label: "granted",
// "no_permission".
func (r Reason) String() string {
	switch r {
	case UnknownCaller:
		return "unknown_caller"
	case NoPermission:
		return "no_permission"
	case RoleOutOfScope:
		return "role_out_of_scope"
	case OrganizationWide:
		return "organization_wide"
	case ProjectMissing:
		return "project_missing"
	case ProjectOutOfScope:
		return "project_out_of_scope"
	case ConditionFailed:
		return "condition_failed"
	case ConditionFalse:
		return "condition_false"
	case NotOwner:
		return "not_owner"
	case Denied:
		return "denied"
	case Granted:
		return "granted"
	default:
		return "unknown"
	}
}

// Decision is the answer to whether a call may be made. The zero value refuses.
type Decision struct {
	// Allowed says that the call may be made.
	Allowed bool
	// Grant is the grant that allowed, such as "grants[0]", or the deny that
	// refused, such as "denies[1]": the first of the caller that does. "" where
	// no grant allows, and in a decision of MayCall that allows.
	Grant string
	// Reason says why. Where no grant allows, it is that of the grant which
	// came nearest, the first of several.
	Reason Reason
	// Permission is the permission that the RPC needs.
	Permission string
	// Project is the project that is out of scope, where that is the reason.
	// The request named it: it has any length and any characters.
	Project string
	// Role is the role that is out of scope, where that is the reason. It has any
	// length and any characters, and need not be a role of the policy.
	Role string
	// EachLease says that the call is allowed as far as its request shows, because
	// that does not say which leases it concerns: each of them is decided on its own,
	// by [Policy.DecideLease].
	EachLease bool
}

// MayCall decides as far as possible before there is a request: it refuses
// when no grant has the method's permission, and when a deny without projects
// and condition has it. It refuses nothing that [Policy.Decide] would allow.
func (p *Policy) MayCall(caller string, m *Handle) Decision {
	c, refused := p.find(caller, m)
	if c == nil {
		return refused
	}
	if len(c.grants.of(m)) == 0 {
		return Decision{Reason: NoPermission, Permission: m.permission}
	}
	if m.leases != nil && !c.grants.nameRoles(m) {
		return Decision{Reason: RoleOutOfScope, Permission: m.permission}
	}
	for _, i := range c.denies.of(m) {
		if deny := &c.denies.rules[i]; deny.projects == nil && deny.conditions == nil && deny.roles == nil {
			return Decision{Grant: deny.label, Reason: Denied, Permission: m.permission}
		}
	}
	return Decision{Allowed: true, Reason: Granted, Permission: m.permission}
}

// Decide decides on a call with its decoded and validated request: it allows
// when some grant allows and no deny matches. Conditions know the moment as now. It
// takes no locks and changes nothing, and ends within a bounded time.
func (p *Policy) Decide(caller string, m *Handle, request protoreflect.Message, now time.Time) Decision {
	c, refused := p.find(caller, m)
	if c == nil {
		return refused
	}
	if request == nil || !request.IsValid() || request.Descriptor() != m.request {
		return Decision{Reason: ConditionFailed, Permission: m.permission}
	}
	if m.leases != nil {
		return p.decideLeases(c, m, request, now)
	}
	known := facts{caller: c, now: now}
	var room [8]string // Keeps most requests off the heap.
	ids := room[:0]
	if c.scoped {
		for _, path := range m.projects {
			ids = path.appendTo(ids, request)
		}
	}
	return c.decideWith(m, request, ids, known)
}

// decideWith decides on a request, which names ids, and on the needs of its fields.
func (c *caller) decideWith(m *Handle, request protoreflect.Message, ids []string, known facts) Decision {
	decision := c.decide(m, request, ids, known)
	for _, need := range m.needs {
		if !decision.Allowed {
			return decision
		}
		if !request.Has(need.field) {
			continue
		}
		if needed := c.decide(need.handle, request, ids, known); !needed.Allowed {
			return needed
		}
	}
	return decision
}

// decide decides on a request, which names ids.
func (c *caller) decide(m *Handle, request protoreflect.Message, ids []string, known facts) Decision {
	nearest := Decision{Reason: NoPermission, Permission: m.permission}
	for _, i := range c.grants.of(m) {
		grant := &c.grants.rules[i]
		reason, project := grant.admits(m, request, ids, known)
		if reason > nearest.Reason {
			nearest.Reason, nearest.Project, nearest.Role = reason, project, ""
			if reason == RoleOutOfScope {
				nearest.Role = known.role.Name
			}
		}
		if reason == Granted {
			nearest.Allowed, nearest.Grant = true, grant.label
			break
		}
	}
	if !nearest.Allowed {
		return nearest
	}
	for _, i := range c.denies.of(m) {
		if deny := &c.denies.rules[i]; deny.forbids(m, request, ids, known) {
			return Decision{Grant: deny.label, Reason: Denied, Permission: m.permission}
		}
	}
	return nearest
}

// find is the caller, or nil and the refusal.
func (p *Policy) find(name string, m *Handle) (*caller, Decision) {
	if m == nil {
		return nil, Decision{Reason: NoPermission}
	}
	if p == nil {
		return nil, Decision{Reason: UnknownCaller, Permission: m.permission}
	}
	if m.methods != p.methods {
		return nil, Decision{Reason: NoPermission, Permission: m.permission}
	}
	c := p.caller(name)
	if c == nil {
		return nil, Decision{Reason: UnknownCaller, Permission: m.permission}
	}
	return c, Decision{}
}

// caller is the caller with a name; nil for none, and of a nil Policy.
func (p *Policy) caller(name string) *caller {
	if p == nil {
		return nil
	}
	if number, known := p.numbers[name]; known {
		return p.callers.At(int(number))
	}
	return nil
}

// admits is Granted when the grant allows the request, which names ids.
func (r *rule) admits(m *Handle, request protoreflect.Message, ids []string, known facts) (reason Reason, project string) {
	switch {
	case m.leases != nil:
		// The project is the role's: a caller that did not name it is not told which.
		if !r.roles.has(known.role.Name) || r.projects != nil && !r.projects.has(known.role.Project) {
			return RoleOutOfScope, ""
		}
	case r.projects != nil && !m.eachCall:
		if m.OrganizationWide() {
			return OrganizationWide, ""
		}
		if reason, project := r.projects.admits(ids); reason != Granted {
			return reason, project
		}
		if m.reachesBeyond(request) {
			return OrganizationWide, ""
		}
	}
	if r.conditions == nil {
		return Granted, ""
	}
	switch holds, err := r.conditions.byMethod[m.number].holds(request, known); {
	case err != nil:
		return ConditionFailed, ""
	case !holds:
		return ConditionFalse, ""
	default:
		return Granted, ""
	}
}

// forbids says whether the deny matches the request, which names ids.
func (r *rule) forbids(m *Handle, request protoreflect.Message, ids []string, known facts) bool {
	if r.roles != nil && (m.leases == nil || !r.roles.has(known.role.Name)) {
		return false
	}
	if r.projects != nil && (m.OrganizationWide() || m.eachCall || !r.projects.touches(ids)) {
		return false
	}
	if r.conditions == nil {
		return true
	}
	holds, err := r.conditions.byMethod[m.number].holds(request, known)
	return holds || err != nil
}

// ruleTable is the grants or the denies of a caller, by method.
type ruleTable struct {
	*methodIndex
	rules  []rule
	scoped bool // Some rule is limited to projects.
}

// noRules is the table of a caller without any.
var noRules = ruleTable{methodIndex: new(methodIndex)}

// methodIndex has the rules for each method. Callers whose rules have the same
// permissions share it, for it is far larger than the rules.
type methodIndex struct {
	// order[starts[n]:starts[n+1]] are the rules that have the permission of
	// method number n. Nil where there are no rules.
	starts, order []uint32
}

func (t *methodIndex) of(m *Handle) []uint32 {
	if t.starts == nil {
		return nil
	}
	return t.order[t.starts[m.number]:t.starts[m.number+1]]
}

// rule is one grant or deny.
type rule struct {
	label       string // "grants[0]"
	permissions *texts // its patterns
	projects    projectSet
	// roles are the roles of leases that it is about. Nil: a grant opens none, a deny
	// closes all.
	roles *roleSet
	// conditions has the condition for each method. Nil: without a condition.
	conditions *conditionSet
}

// caller holds the compiled rules of one caller.
type caller struct {
	name           string
	labels         map[string]string
	grants, denies *ruleTable
	scoped         bool // Some rule is limited to projects.
}
