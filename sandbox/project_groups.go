package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func projectGroupOperations() []operation {
	base := "/organization/projects/{project_id}/groups"
	return []operation{
		get(base, listProjectGroups, limitParam(20, 100), afterParam(), orderParam()),
		post(base, addProjectGroup, str("group_id").must(), str("role").must()),
		get(base+"/{group_id}", getProjectGroup, str("group_type").oneOf("group", "tenant_group")),
		del(base+"/{group_id}", removeProjectGroup),
	}
}

type projectGroupView struct {
	Object    string `json:"object"`
	ProjectID string `json:"project_id"`
	GroupID   string `json:"group_id"`
	GroupName string `json:"group_name"`
	GroupType string `json:"group_type"`
	CreatedAt int64  `json:"created_at"`
}

func viewProjectGroup(o *data.Organization, p *data.Project, pg *data.ProjectGroup) projectGroupView {
	g := o.Groups.Get(pg.GroupID)
	return projectGroupView{"project.group", p.ID, g.ID, g.Name, g.Type, pg.CreatedAt}
}

func listProjectGroups(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return listing[*data.ProjectGroup]{
		items: p.Groups.All(),
		id:    func(pg *data.ProjectGroup) string { return pg.GroupID },
		view:  func(pg *data.ProjectGroup) any { return viewProjectGroup(c.org, p, pg) },
	}.byNext(c.query)
}

func addProjectGroup(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	g, err := find(c.org.Groups, "group", c.body.str("group_id"))
	if err != nil {
		return nil, err
	}
	r, err := find(p.Roles, "role", c.body.str("role"))
	if err != nil {
		return nil, err
	}
	pg := &data.ProjectGroup{GroupID: g.ID, CreatedAt: c.now}
	if !p.Groups.Add(g.ID, pg) {
		return nil, conflict("already_member", "Group '%s' is already in project '%s'.", g.ID, p.ID)
	}
	holder := data.Principal{Project: p.ID, Kind: "group", ID: g.ID}
	c.org.Assign(holder, r)
	c.recordAssignment("role.assignment.created", roleScope{p.Roles, p, data.ProjectResource, p.ID}, holder, r)
	return viewProjectGroup(c.org, p, pg), nil
}

func (c *call) projectGroup(project lookup) (*data.Project, *data.ProjectGroup, error) {
	return findIn(project, groupsOf, "project group", c.path["group_id"])
}

func groupsOf(p *data.Project) *data.Collection[*data.ProjectGroup] { return p.Groups }

func getProjectGroup(c *call) (any, error) {
	p, pg, err := c.projectGroup(c.project)
	if err != nil {
		return nil, err
	}
	want := c.query.str("group_type")
	if want == "" {
		want = "group"
	}
	if c.org.Groups.Get(pg.GroupID).Type != want {
		return nil, notFound("project "+want, pg.GroupID)
	}
	return viewProjectGroup(c.org, p, pg), nil
}

func removeProjectGroup(c *call) (any, error) {
	p, pg, err := c.projectGroup(c.openProject)
	if err != nil {
		return nil, err
	}
	holder := data.Principal{Project: p.ID, Kind: "group", ID: pg.GroupID}
	for _, a := range c.org.Assigned(holder).All() {
		c.recordAssignment("role.assignment.deleted", roleScope{p.Roles, p, data.ProjectResource, p.ID}, holder, a.Role)
	}
	c.org.UnassignAll(func(p data.Principal) bool { return p == holder })
	p.Groups.Remove(pg.GroupID)
	return deleted{Object: "project.group.deleted", Deleted: true}, nil
}
