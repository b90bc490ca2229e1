package authz

import (
	"slices"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// Near is a rule that decided against a call: a grant that nearly allowed it, or the deny
// that forbids it.
type Near struct {
	Rule
	// Reason is the first part of the rule that the call does not meet. [NoPermission] is
	// for a grant that has another permission for the same resource.
	Reason Reason
	// Project is the project that is out of scope, where that is the reason.
	Project string
}

// Near explains a refusal to people: the rules of the caller that came near to another
// decision, in the order of the policy, the first most of them. The arguments are those
// of the decision; request is nil for one of [Policy.MayCall], and lease is the one of
// [Policy.DecideLease]. It is nil for a decision that allows.
func (p *Policy) Near(refused Decision, caller string, m *Handle, request protoreflect.Message, lease *Lease, now time.Time, most int) []Near {
	c, _ := p.find(caller, m)
	if c == nil || refused.Allowed {
		return nil
	}
	if refused.Reason == Denied {
		return c.denies.labelled(refused.Grant)
	}
	decided := m.decided(refused.Permission)
	if len(c.grants.of(decided)) == 0 {
		return c.grants.ofResource(refused.Permission, most)
	}
	if request != nil && (!request.IsValid() || request.Descriptor() != m.request) {
		return nil
	}
	ids, known := p.factsOf(c, m, request, lease)
	known.now = now
	var list []Near
	for _, i := range c.grants.of(decided) {
		if len(list) == most {
			break
		}
		grant := &c.grants.rules[i]
		if reason, project := grant.nearly(decided, request, ids, known); reason != Granted {
			list = append(list, Near{grant.describe(false), reason, project})
		}
	}
	return list
}

// decided is the handle of the RPC that has a permission: its own, or that of a field or
// of other callers' leases.
func (h *Handle) decided(permission string) *Handle {
	if h.permission == permission {
		return h
	}
	for _, other := range h.beside() {
		if other.permission == permission {
			return other
		}
	}
	return h
}

// factsOf are the projects and the role that a decision was about; no role where it was
// about any.
func (p *Policy) factsOf(c *caller, m *Handle, request protoreflect.Message, lease *Lease) (ids []string, known facts) {
	known.caller = c
	switch {
	case lease != nil:
		known.role, ids = p.role(lease.Role, lease.Project), []string{lease.Project}
	case request == nil:
	case m.leases == nil:
		ids = m.AppendProjects(nil, request)
	case m.leases.role != nil:
		if name := request.Get(m.leases.role).String(); name != "" {
			known.role = p.role(name, "")
			ids = []string{known.role.Project}
		}
	}
	return ids, known
}

// nearly is the reason for which the grant, which has the permission, does not allow the
// call; Granted where it does, as far as is known.
func (r *rule) nearly(m *Handle, request protoreflect.Message, ids []string, known facts) (Reason, string) {
	switch {
	case m.leases != nil && r.roles == nil:
		return RoleOutOfScope, ""
	case request == nil, m.leases != nil && known.role == nil:
		return Granted, ""
	default:
		return r.admits(m, request, ids, known)
	}
}

// labelled is the rule of a decision.
func (t *ruleTable) labelled(label string) []Near {
	for i := range t.rules {
		if t.rules[i].label == label {
			return []Near{{Rule: t.rules[i].describe(true), Reason: Denied}}
		}
	}
	return nil
}

// ofResource are the grants that name the resource of a permission, with another verb.
func (t *ruleTable) ofResource(needed string, most int) (list []Near) {
	for i := range t.rules {
		about := func(pattern string) bool { return permission.Resource(pattern) == permission.Resource(needed) }
		if len(list) < most && slices.ContainsFunc(t.rules[i].permissions.list, about) {
			list = append(list, Near{Rule: t.rules[i].describe(false), Reason: NoPermission})
		}
	}
	return list
}
