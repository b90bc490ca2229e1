package data

// The resource types that a role can belong to.
const (
	OrganizationResource = "api.organization"
	ProjectResource      = "api.project"
)

// Role is a set of permissions, of the organization or of one project. The
// predefined roles exist in every organization and cannot be changed.
type Role struct {
	ID           string
	Name         string
	Description  *string
	Permissions  []string
	ResourceType string
	Predefined   bool
	CreatedAt    *int64
	UpdatedAt    *int64
	CreatedBy    *string
}

func predefinedRoles() []*Role {
	return []*Role{
		{
			ID: "role-api-organization-owner", Name: "owner", Description: new("Can change everything in the organization."),
			Permissions: []string{"api.organization.read", "api.organization.write"}, ResourceType: OrganizationResource, Predefined: true,
		},
		{
			ID: "role-api-organization-reader", Name: "reader", Description: new("Can see the organization."),
			Permissions: []string{"api.organization.read"}, ResourceType: OrganizationResource, Predefined: true,
		},
	}
}

func predefinedProjectRoles() []*Role {
	return []*Role{
		{
			ID: "role-api-project-owner", Name: "owner", Description: new("Can change everything in the project."),
			Permissions: []string{"api.project.read", "api.project.write"}, ResourceType: ProjectResource, Predefined: true,
		},
		{
			ID: "role-api-project-member", Name: "member", Description: new("Can use the project."),
			Permissions: []string{"api.model.request", "api.project.read"}, ResourceType: ProjectResource, Predefined: true,
		},
	}
}

// Principal is a user or a group that can hold roles, in the organization or in
// one project.
type Principal struct {
	Project string // empty: the organization
	Kind    string // user or group
	ID      string
}

// Assignment is one role that a principal holds directly.
type Assignment struct {
	ID   string
	Role *Role
}

// Assign gives p the role. It returns false if p holds the role already.
func (o *Organization) Assign(p Principal, r *Role) bool {
	assigned := o.assignments[p]
	if assigned == nil {
		assigned = newCollection[*Assignment]()
		o.assignments[p] = assigned
	}
	return assigned.Add(r.ID, &Assignment{ID: o.NewID("role_assignment_"), Role: r})
}

// Assigned returns the roles that p holds directly, by the id of the role. The
// caller does not change the collection: see Unassign.
func (o *Organization) Assigned(p Principal) *Collection[*Assignment] {
	if assigned := o.assignments[p]; assigned != nil {
		return assigned
	}
	return newCollection[*Assignment]()
}

// Unassign takes the role from p.
func (o *Organization) Unassign(p Principal, roleID string) {
	assigned := o.assignments[p]
	if assigned != nil && assigned.Remove(roleID) && assigned.Len() == 0 {
		delete(o.assignments, p)
	}
}

// DeleteRole takes the role from every principal and removes it from the
// collection that holds it.
func (o *Organization) DeleteRole(from *Collection[*Role], roleID string) {
	from.Remove(roleID)
	for p := range o.assignments {
		o.Unassign(p, roleID)
	}
}

// UnassignAll takes every role from the principals that match.
func (o *Organization) UnassignAll(match func(Principal) bool) {
	for p := range o.assignments {
		if match(p) {
			delete(o.assignments, p)
		}
	}
}
