package sandbox

import (
	"strings"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

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

// principal resolves the scope of the path, and its user or group. In a project
// the latter has to have access to that project.
func (c *call) principal(writing bool) (scope roleScope, p data.Principal, err error) {
	if scope, err = c.roleScope(writing); err != nil {
		return scope, p, err
	}
	p = data.Principal{Kind: "user", ID: c.path["user_id"]}
	if p.ID != "" {
		_, err = c.user()
	} else {
		p.Kind, p.ID = "group", c.path["group_id"]
		_, err = c.group()
	}
	if err != nil || scope.project == nil {
		return scope, p, err
	}
	p.Project = scope.project.ID
	if p.Kind == "group" && !scope.project.Groups.Has(p.ID) {
		return scope, p, notFound("project group", p.ID)
	}
	if p.Kind == "user" && !hasAccess(c.org, scope.project, p.ID) {
		return scope, p, notFound("project user", p.ID)
	}
	return scope, p, nil
}

// held is a role that a principal has, with the principals that it comes from.
// A role without sources is assigned directly, and in no other way.
type held struct {
	role    *data.Role
	sources []assignmentSource
}

type assignmentSource struct {
	ID   string `json:"principal_id"`
	Type string `json:"principal_type"`
}

// rolesOf returns the roles of p: first the direct ones, then those of its groups.
func rolesOf(o *data.Organization, p data.Principal) []held {
	var out []held
	at := make(map[string]int)
	for _, a := range o.Assigned(p).All() {
		at[a.Role.ID] = len(out)
		out = append(out, held{role: a.Role})
	}
	if p.Kind != "user" {
		return out
	}
	for _, g := range o.Groups.All() {
		if !g.Members.Has(p.ID) {
			continue
		}
		for _, a := range o.Assigned(data.Principal{Project: p.Project, Kind: "group", ID: g.ID}).All() {
			i, known := at[a.Role.ID]
			if !known {
				i = len(out)
				at[a.Role.ID] = i
				out = append(out, held{role: a.Role})
			} else if out[i].sources == nil {
				out[i].sources = []assignmentSource{{p.ID, "user"}}
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

// viewHeld shows a predefined role without creator and metadata, because nobody
// in the organization created it.
func viewHeld(o *data.Organization, h held) assignedRole {
	r := h.role
	v := assignedRole{
		ID: r.ID, Name: r.Name, Permissions: r.Permissions, ResourceType: r.ResourceType,
		Predefined: r.Predefined, Description: r.Description,
		CreatedAt: r.CreatedAt, UpdatedAt: r.UpdatedAt, CreatedBy: r.CreatedBy, Sources: h.sources,
	}
	if r.Predefined {
		return v
	}
	v.Metadata = map[string]any{"managed_by": "admin_api", "revision": 1, "labels": []string{"custom"}}
	if r.CreatedBy != nil {
		if u := o.Users.Get(*r.CreatedBy); u != nil {
			v.CreatedByUser = &creator{u.ID, u.Name, u.Email}
		}
	}
	return v
}

func listAssignments(c *call) (any, error) {
	_, p, err := c.principal(false)
	if err != nil {
		return nil, err
	}
	return listing[held]{
		items: rolesOf(c.org, p),
		id:    func(h held) string { return h.role.ID },
		view:  func(h held) any { return viewHeld(c.org, h) },
	}.byNext(c.query)
}

func getAssignment(c *call) (any, error) {
	_, p, err := c.principal(false)
	if err != nil {
		return nil, err
	}
	for _, h := range rolesOf(c.org, p) {
		if h.role.ID == c.path["role_id"] {
			return viewHeld(c.org, h), nil
		}
	}
	return nil, notFound("role assignment", c.path["role_id"])
}

func assignRole(c *call) (any, error) {
	scope, p, err := c.principal(true)
	if err != nil {
		return nil, err
	}
	r, err := find(scope.roles, "role", c.body.str("role_id"))
	if err != nil {
		return nil, err
	}
	if !c.org.Assign(p, r) {
		return nil, conflict("role_assigned", "Role '%s' is already assigned to %s '%s'.", r.ID, p.Kind, p.ID)
	}
	c.recordAssignment("role.assignment.created", scope, p, r)
	if p.Kind == "user" {
		return struct {
			Object string   `json:"object"`
			User   userView `json:"user"`
			Role   roleView `json:"role"`
		}{"user.role", viewUser(c.org.Users.Get(p.ID)), viewRole(r)}, nil
	}
	g := c.org.Groups.Get(p.ID)
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
	}{"group.role", summary{"group", g.ID, g.Name, g.CreatedAt, g.SCIM}, viewRole(r)}, nil
}

// unassignRole ends a direct assignment. A role that comes through a group can
// only be taken from the group.
func unassignRole(c *call) (any, error) {
	scope, p, err := c.principal(true)
	if err != nil {
		return nil, err
	}
	a, err := find(c.org.Assigned(p), "role assignment", c.path["role_id"])
	if err != nil {
		return nil, err
	}
	c.recordAssignment("role.assignment.deleted", scope, p, a.Role)
	c.org.Unassign(p, a.Role.ID)
	return deleted{Object: p.Kind + ".role.deleted", Deleted: true}, nil
}

func (c *call) recordAssignment(eventType string, scope roleScope, p data.Principal, r *data.Role) {
	a := c.org.Assigned(p).Get(r.ID)
	c.record(eventType, scope.project, map[string]string{
		"id": a.ID, "principal_id": p.ID, "principal_type": p.Kind,
		"resource_id": scope.resourceID, "resource_type": strings.TrimPrefix(scope.resource, "api."),
	}, a.ID, p.ID, scope.resourceID)
}
