package catalog

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"

	optionsv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/options/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// RevokeAnyPermission is the permission to end leases of other callers.
const RevokeAnyPermission = "leases.revoke_any"

// LeaseRevocation is the RPC that ends one lease, also of another caller; nil where the
// program does not link it.
func (c *Catalog) LeaseRevocation() *Method {
	for _, m := range c.methods {
		if m.leases != nil && m.leases.Role == "" && m.leases.Any == RevokeAnyPermission {
			return m
		}
	}
	return nil
}

// compileLeases reads how the call concerns leases, and the needs of its fields. Whether
// the fields and permissions are there, the compiler of methods says (authz.NewMethods).
func (m *Method) compileLeases(policy *optionsv1.Policy) error {
	for _, need := range policy.GetNeeds() {
		m.needs = append(m.needs, authz.Need{Field: need.GetField(), Permission: need.GetPermission()})
	}
	scope := policy.GetLeases()
	if scope == nil {
		return nil
	}
	m.leases = &authz.LeaseScope{Role: scope.GetRole(), Any: scope.GetAny()}
	input := m.Descriptor.Input()
	switch by := scope.GetBy().(type) {
	case *optionsv1.LeaseScope_Role:
		m.leaseField = by.Role
	case *optionsv1.LeaseScope_Lease:
		m.leaseField = by.Lease
	default:
		return errors.New("is about leases, and names neither the field of a role nor that of a lease")
	}
	field := input.Fields().ByName(protoreflect.Name(m.leaseField))
	if field == nil || field.Kind() != protoreflect.StringKind || field.IsList() {
		return fmt.Errorf("leases: %q is no string field of %s", m.leaseField, input.Name())
	}
	// One that is overlooked would open the leases of every role or project.
	for _, name := range append(slices.Clone(projectFields), "role", "roles", "lease_id", "lease_ids") {
		if input.Fields().ByName(name) != nil && string(name) != m.leaseField {
			return fmt.Errorf("has the request field %s, and its scope is another", name)
		}
	}
	return nil
}
