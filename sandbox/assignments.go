package sandbox

import "strings"

// principal is who can hold roles in a scope: a user or a group, in the
// organization (empty project) or in one project.
type principal struct {
	project string
	kind    string // user or group
	id      string
}

// assignment is one role that a principal holds directly.
type assignment struct {
	id   string
	role *role
}

func assignmentOperations() []operation {
	var operations []operation
	for _, base := range []string{
		"/organization/groups/{group_id}/roles",
		"/organization/users/{user_id}/roles",
		"/projects/{project_id}/groups/{group_id}/roles",
		"/projects/{project_id}/users/{user_id}/roles",
	} {
		operations = append(operations,
			get(base, listAssignments, limitParam(1000, 1000), afterParam(), orderParam()),
			post(base, assignRole, str("role_id").must()),
			get(base+"/{role_id}", getAssignment),
			del(base+"/{role_id}", unassignRole),
		)
	}
	return operations
}

// assign gives p the role; it reports false when p holds it already.
func (o *organization) assign(p principal, r *role) bool {
	assigned := o.assignments[p]
	if assigned == nil {
		assigned = newCollection[*assignment]()
		o.assignments[p] = assigned
	}
	return assigned.add(r.ID, &assignment{id: o.newID("role_assignment_"), role: r})
}

// forgetPrincipal drops what a user or group holds, in every scope.
func (o *organization) forgetPrincipal(kind, id string) {
	for p := range o.assignments {
		if p.kind == kind && p.id == id {
			delete(o.assignments, p)
		}
	}
}

func (o *organization) assigned(p principal) []*assignment {
	if c := o.assignments[p]; c != nil {
		return c.all()
	}
	return nil
}

// principal resolves the user or group of the path. In a project it has to
// have access to that project.
func (c *call) principal(scope roleScope) (principal, error) {
	p := principal{kind: "user", id: c.path["user_id"]}
	var err error
	if p.id != "" {
		_, err = c.user()
	} else {
		p.kind, p.id = "group", c.path["group_id"]
		_, err = c.group()
	}
	if err != nil || scope.project == nil {
		return p, err
	}
	p.project = scope.project.ID
	if p.kind == "group" && !scope.project.groups.has(p.id) {
		return p, notFound("project group", p.id)
	}
	if p.kind == "user" && !c.org.hasAccess(scope.project, p.id) {
		return p, notFound("project user", p.id)
	}
	return p, nil
}

// held is a role as a principal has it, with the principals that it comes
// from. No sources means that it is assigned directly and only so.
type held struct {
	role    *role
	sources []assignmentSource
}

type assignmentSource struct {
	ID   string `json:"principal_id"`
	Type string `json:"principal_type"`
}

// rolesOf lists what p holds, directly first, then through groups.
func (o *organization) rolesOf(p principal) []held {
	var out []held
	at := make(map[string]int)
	for _, a := range o.assigned(p) {
		at[a.role.ID] = len(out)
		out = append(out, held{role: a.role})
	}
	if p.kind != "user" {
		return out
	}
	for _, g := range o.groups.all() {
		if !g.members.has(p.id) {
			continue
		}
		for _, a := range o.assigned(principal{p.project, "group", g.ID}) {
			i, known := at[a.role.ID]
			if !known {
				i = len(out)
				at[a.role.ID] = i
				out = append(out, held{role: a.role})
			} else if out[i].sources == nil {
				out[i].sources = []assignmentSource{{p.id, "user"}}
			}
			out[i].sources = append(out[i].sources, assignmentSource{g.ID, "group"})
		}
	}
	return out
}

type assignedRole struct {
	ID            string             `json:"id"`
	Name          string             `json:"name"`
	Permissions   []string           `json:"permissions"`
	ResourceType  string             `json:"resource_type"`
	Predefined    bool               `json:"predefined_role"`
	Description   *string            `json:"description"`
	CreatedAt     *int64             `json:"created_at"`
	UpdatedAt     *int64             `json:"updated_at"`
	CreatedBy     *string            `json:"created_by"`
	CreatedByUser *creator           `json:"created_by_user_obj"`
	Metadata      map[string]any     `json:"metadata"`
	Sources       []assignmentSource `json:"assignment_sources"`
}

type creator struct {
	ID    string  `json:"id"`
	Name  *string `json:"name"`
	Email *string `json:"email"`
}

// heldView shows a predefined role without a maker and without metadata, as
// nobody in the organization made it.
func (o *organization) heldView(h held) assignedRole {
	r := h.role
	v := assignedRole{
		ID: r.ID, Name: r.Name, Permissions: r.Permissions, ResourceType: r.ResourceType,
		Predefined: r.Predefined, Description: r.Description,
		CreatedAt: r.createdAt, UpdatedAt: r.updatedAt, CreatedBy: r.createdBy, Sources: h.sources,
	}
	if r.Predefined {
		return v
	}
	v.Metadata = map[string]any{"managed_by": "admin_api", "revision": 1, "labels": []string{"custom"}}
	if r.createdBy != nil {
		if u, ok := o.users.byID[*r.createdBy]; ok {
			v.CreatedByUser = &creator{u.ID, u.Name, u.Email}
		}
	}
	return v
}

func listAssignments(c *call) (any, error) {
	scope, err := c.roleScope(false)
	if err != nil {
		return nil, err
	}
	p, err := c.principal(scope)
	if err != nil {
		return nil, err
	}
	return listing[held]{
		items: c.org.rolesOf(p),
		id:    func(h held) string { return h.role.ID },
		view:  func(h held) any { return c.org.heldView(h) },
	}.byNext(c.query)
}

func getAssignment(c *call) (any, error) {
	scope, err := c.roleScope(false)
	if err != nil {
		return nil, err
	}
	p, err := c.principal(scope)
	if err != nil {
		return nil, err
	}
	for _, h := range c.org.rolesOf(p) {
		if h.role.ID == c.path["role_id"] {
			return c.org.heldView(h), nil
		}
	}
	return nil, notFound("role assignment", c.path["role_id"])
}

func assignRole(c *call) (any, error) {
	scope, err := c.roleScope(true)
	if err != nil {
		return nil, err
	}
	p, err := c.principal(scope)
	if err != nil {
		return nil, err
	}
	r, err := scope.roles.find("role", c.body.str("role_id"))
	if err != nil {
		return nil, err
	}
	if !c.org.assign(p, r) {
		return nil, conflict("role_assigned", "Role '%s' is already assigned to %s '%s'.", r.ID, p.kind, p.id)
	}
	c.recordAssignment("role.assignment.created", scope, p, r)
	if p.kind == "user" {
		return struct {
			Object string   `json:"object"`
			User   userView `json:"user"`
			Role   roleView `json:"role"`
		}{"user.role", c.org.users.byID[p.id].view(), r.view()}, nil
	}
	g := c.org.groups.byID[p.id]
	type summary struct {
		Object    string `json:"object"`
		ID        string `json:"id"`
		Name      string `json:"name"`
		CreatedAt int64  `json:"created_at"`
		SCIM      bool   `json:"scim_managed"`
	}
	return struct {
		Object string   `json:"object"`
		Group  summary  `json:"group"`
		Role   roleView `json:"role"`
	}{"group.role", summary{"group", g.ID, g.Name, g.CreatedAt, g.SCIM}, r.view()}, nil
}

// unassignRole ends a direct assignment. A role that comes through a group
// has to be taken from the group.
func unassignRole(c *call) (any, error) {
	scope, err := c.roleScope(true)
	if err != nil {
		return nil, err
	}
	p, err := c.principal(scope)
	if err != nil {
		return nil, err
	}
	assigned := c.org.assignments[p]
	if assigned == nil || !assigned.has(c.path["role_id"]) {
		return nil, notFound("role assignment", c.path["role_id"])
	}
	r := assigned.byID[c.path["role_id"]].role
	c.recordAssignment("role.assignment.deleted", scope, p, r)
	assigned.remove(r.ID)
	if assigned.len() == 0 {
		delete(c.org.assignments, p)
	}
	return deleted{Object: p.kind + ".role.deleted", Deleted: true}, nil
}

func (c *call) recordAssignment(eventType string, scope roleScope, p principal, r *role) {
	a := c.org.assignments[p].byID[r.ID]
	c.record(eventType, scope.project, map[string]string{
		"id": a.id, "principal_id": p.id, "principal_type": p.kind,
		"resource_id": scope.resourceID, "resource_type": strings.TrimPrefix(scope.resource, "api."),
	}, a.id, p.id, scope.resourceID)
}
