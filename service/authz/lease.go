package authz

import (
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/admin-gateway/admin-gateway/internal/permission"
)

// LeaseScope says how an RPC concerns leases.
type LeaseScope struct {
	// Role is the string field of the request that names a role. "", and a field that
	// is empty: the request does not say of which role the leases are.
	Role string
	// Any is the permission for leases of other callers; "" where they are out of reach.
	Any string
}

// Need is a field of a request that takes a permission of its own.
type Need struct {
	// Field is the field's name, Permission what a caller needs who sets it.
	Field, Permission string
}

// leaseScope is a [LeaseScope], compiled.
type leaseScope struct {
	role protoreflect.FieldDescriptor // nil: the request names no role
	any  *Handle                      // nil: leases of other callers are out of reach
}

// need is a [Need], compiled.
type need struct {
	field  protoreflect.FieldDescriptor
	handle *Handle
}

// anySuffix tells the permission for leases of other callers from the RPC's own. Those
// of needs have the name of their field.
const anySuffix = "#any"

func (h *Handle) compileLeases(method Method) error {
	if method.Leases != nil {
		h.leases = new(leaseScope)
		if name := method.Leases.Role; name != "" {
			field := method.Request.Fields().ByName(protoreflect.Name(name))
			if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
				return fmt.Errorf("leases: role %q is no string field of %s", name, method.Request.Name())
			}
			h.leases.role = field
		}
	}
	for _, n := range method.Needs {
		field := method.Request.Fields().ByName(protoreflect.Name(n.Field))
		if field == nil {
			return fmt.Errorf("needs: %s has no field %q", method.Request.Name(), n.Field)
		}
		if slices.ContainsFunc(h.needs, func(other need) bool { return other.field == field }) {
			return fmt.Errorf("needs: the field %q is there twice", n.Field)
		}
		handle, err := h.with("#"+n.Field, n.Permission)
		if err != nil {
			return fmt.Errorf("needs: %w", err)
		}
		h.needs = append(h.needs, need{field, handle})
	}
	if method.Leases != nil && method.Leases.Any != "" {
		var err error
		if h.leases.any, err = h.with(anySuffix, method.Leases.Any); err != nil {
			return fmt.Errorf("leases: %w", err)
		}
	}
	return nil
}

// with is the same RPC under another permission.
func (h *Handle) with(suffix, other string) (*Handle, error) {
	if !permission.Valid(other) {
		return nil, fmt.Errorf("permission %q is not a dotted resource and verb", other)
	}
	handle := *h
	handle.procedure, handle.permission, handle.needs = h.procedure+suffix, other, nil
	return &handle, nil
}

// beside are the handles of the further permissions of the RPC.
func (h *Handle) beside() []*Handle {
	var all []*Handle
	for _, need := range h.needs {
		all = append(all, need.handle)
	}
	if h.leases != nil && h.leases.any != nil {
		all = append(all, h.leases.any)
	}
	return all
}

// Leases says that the RPC concerns leases, which are decided on by [Policy.DecideLease]
// where a decision says EachLease.
func (h *Handle) Leases() bool { return h.leases != nil }

// Lease is what a decision knows of a lease.
type Lease struct {
	// Role is the role that it is of. The policy need not have it any more.
	Role string
	// Project is the project that its credential is in.
	Project string
	// Caller is the caller that it belongs to; "" where it belongs to none.
	Caller string
}

// DecideLease decides on one lease that a call concerns. The caller needs a grant of the
// RPC's permission that names the role, and for a lease of another caller one of the
// permission for these too, which most RPCs do not have. The reason of a refusal tells
// whose the lease is: whoever may not read it is told that there is none.
func (p *Policy) DecideLease(caller string, m *Handle, request protoreflect.Message, lease Lease, now time.Time) Decision {
	c, refused := p.find(caller, m)
	if c == nil {
		return refused
	}
	if m.leases == nil || request == nil || !request.IsValid() || request.Descriptor() != m.request {
		return Decision{Reason: ConditionFailed, Permission: m.permission}
	}
	known := facts{c, now, p.role(lease.Role, lease.Project)}
	ids := []string{lease.Project}
	decision := c.decideWith(m, request, ids, known)
	if !decision.Allowed || lease.Caller == caller {
		return decision
	}
	if m.leases.any == nil {
		return Decision{Reason: NotOwner, Permission: m.permission}
	}
	others := c.decide(m.leases.any, request, ids, known)
	if !others.Allowed && others.Reason != Denied {
		return Decision{Reason: NotOwner, Permission: others.Permission}
	}
	return others
}

// decideLeases decides on a request of an RPC that concerns leases.
func (p *Policy) decideLeases(c *caller, m *Handle, request protoreflect.Message, now time.Time) Decision {
	if m.leases.role != nil {
		if name := request.Get(m.leases.role).String(); name != "" {
			role := p.role(name, "")
			decision := c.decideWith(m, request, []string{role.Project}, facts{c, now, role})
			// A create is decided; leases that are there have owners.
			decision.EachLease = decision.Allowed && m.leases.any != nil
			return decision
		}
	}
	for _, handle := range append([]*Handle{m}, needed(m, request)...) {
		if may := p.MayCall(c.name, handle); !may.Allowed {
			return may
		}
	}
	return Decision{Allowed: true, Reason: Granted, Permission: m.permission, EachLease: true}
}

// needed are the handles of the needs of a request.
func needed(m *Handle, request protoreflect.Message) []*Handle {
	var handles []*Handle
	for _, need := range m.needs {
		if request.Has(need.field) {
			handles = append(handles, need.handle)
		}
	}
	return handles
}

// nameRoles says whether a rule that has the permission of the method names roles.
func (t *ruleTable) nameRoles(m *Handle) bool {
	return slices.ContainsFunc(t.of(m), func(i uint32) bool { return t.rules[i].roles != nil })
}

// warnOfNoRole reports each permission of a grant that says that leases are meant, as
// "leases.*" does and "*.read" does not, where the grant opens no role.
func (c *Compiler) warnOfNoRole(grant Grant, permissions *permissionSet) {
	if c.at.List == listDenies {
		return
	}
	for _, item := range permissions.named {
		c.at.Field, c.at.Item = fieldPermissions, item
		c.warning("%s opens no lease: the grant names no role in roles", quote(grant.Permissions[item]))
	}
}

// MayOthers says whether the caller has the permission for leases of other callers, with
// any request: where it has not, it need not be asked for each of them.
func (p *Policy) MayOthers(caller string, m *Handle) bool {
	return m.leases != nil && m.leases.any != nil && p.MayCall(caller, m.leases.any).Allowed
}
