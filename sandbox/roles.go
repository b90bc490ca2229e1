package sandbox

import (
	"slices"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

type roleView struct {
	Object       string   `json:"object"`
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Description  *string  `json:"description"`
	Permissions  []string `json:"permissions"`
	ResourceType string   `json:"resource_type"`
	Predefined   bool     `json:"predefined_role"`
}

func viewRole(r *data.Role) roleView {
	return roleView{"role", r.ID, r.Name, r.Description, r.Permissions, r.ResourceType, r.Predefined}
}

func roleOperations() []operation {
	createBody := []field{
		str("role_name").between(1, 255).must(),
		strList("permissions").must(), str("description").orNull(),
	}
	updateBody := []field{
		str("role_name").between(1, 255).orNull(),
		strList("permissions").orNull(), str("description").orNull(),
	}
	var operations []operation
	for _, base := range []string{"/organization/roles", "/projects/{project_id}/roles"} {
		operations = append(operations,
			get(base, listRoles, limitParam(1000, 1000), afterParam(), orderParam()),
			post(base, createRole, createBody...),
			get(base+"/{role_id}", getRole),
			post(base+"/{role_id}", updateRole, updateBody...),
			del(base+"/{role_id}", deleteRole),
		)
	}
	return operations
}

// roleScope is the owner of the roles that a request is about: the organization, or
// the project that the path names.
type roleScope struct {
	roles      *data.Collection[*data.Role]
	project    *data.Project // nil for the organization
	resource   string
	resourceID string
}

func (c *call) roleScope(writing bool) (roleScope, error) {
	if c.path["project_id"] == "" {
		return roleScope{c.org.Roles, nil, data.OrganizationResource, c.org.ID}, nil
	}
	lookup := c.project
	if writing {
		lookup = c.openProject
	}
	p, err := lookup()
	if err != nil {
		return roleScope{}, err
	}
	return roleScope{p.Roles, p, data.ProjectResource, p.ID}, nil
}

func listRoles(c *call) (any, error) {
	scope, err := c.roleScope(false)
	if err != nil {
		return nil, err
	}
	return listing[*data.Role]{
		items: scope.roles.All(),
		id:    func(r *data.Role) string { return r.ID },
		view:  func(r *data.Role) any { return viewRole(r) },
	}.byNext(c.query)
}

func (s roleScope) nameTaken(name string, except *data.Role) bool {
	return s.roles.Any(func(r *data.Role) bool { return r != except && r.Name == name })
}

func createRole(c *call) (any, error) {
	scope, err := c.roleScope(true)
	if err != nil {
		return nil, err
	}
	name := c.body.str("role_name")
	if scope.nameTaken(name, nil) {
		return nil, conflict("role_exists", "A role named '%s' already exists.", name)
	}
	r := &data.Role{
		ID: c.org.NewID("role-"), Name: name, Description: c.body.optStr("description"),
		Permissions: c.body.strs("permissions"), ResourceType: scope.resource,
		CreatedAt: new(c.now), UpdatedAt: new(c.now), CreatedBy: nonEmpty(c.key.Owner.ID),
	}
	scope.roles.Add(r.ID, r)
	c.record("role.created", scope.project, map[string]any{
		"id": r.ID, "role_name": name, "permissions": r.Permissions,
		"resource_type": scope.resource, "resource_id": scope.resourceID,
	}, r.ID)
	return viewRole(r), nil
}

func getRole(c *call) (any, error) {
	_, r, err := c.role(false)
	if err != nil {
		return nil, err
	}
	return viewRole(r), nil
}

// role resolves the scope of the path, and {role_id} in it.
func (c *call) role(writing bool) (scope roleScope, r *data.Role, err error) {
	if scope, err = c.roleScope(writing); err != nil {
		return scope, nil, err
	}
	r, err = find(scope.roles, "role", c.path["role_id"])
	return scope, r, err
}

// customRole resolves {role_id} for a change.
func (c *call) customRole() (roleScope, *data.Role, error) {
	scope, r, err := c.role(true)
	if err == nil && r.Predefined {
		err = badRequest("", "predefined_role", "Role '%s' is predefined and cannot be changed.", r.ID)
	}
	return scope, r, err
}

func updateRole(c *call) (any, error) {
	scope, r, err := c.customRole()
	if err != nil {
		return nil, err
	}
	changes := map[string]any{"resource_type": scope.resource, "resource_id": scope.resourceID}
	if name := c.body.str("role_name"); name != "" {
		if scope.nameTaken(name, r) {
			return nil, conflict("role_exists", "A role named '%s' already exists.", name)
		}
		r.Name = name
		changes["role_name"] = name
	}
	if c.body.has("permissions") && !c.body.isNull("permissions") {
		permissions := c.body.strs("permissions")
		changes["permissions_added"] = without(permissions, r.Permissions)
		changes["permissions_removed"] = without(r.Permissions, permissions)
		r.Permissions = permissions
	}
	c.body.assign("description", &r.Description)
	if r.Description != nil && c.body.has("description") {
		changes["description"] = *r.Description
	}
	r.UpdatedAt = new(c.now)
	c.record("role.updated", scope.project, data.ChangedPayload{ID: r.ID, Changes: changes}, r.ID)
	return viewRole(r), nil
}

// without returns the elements of a that b lacks, never nil.
func without(a, b []string) []string {
	out := []string{}
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

func deleteRole(c *call) (any, error) {
	scope, r, err := c.customRole()
	if err != nil {
		return nil, err
	}
	c.org.DeleteRole(scope.roles, r.ID)
	c.record("role.deleted", scope.project, data.TargetPayload{ID: r.ID}, r.ID)
	return deleted{"role.deleted", r.ID, true}, nil
}
