package sandbox

// projectGroup is a group's access to a project.
type projectGroup struct {
	groupID   string
	CreatedAt int64
}

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

func (o *organization) projectGroupView(p *project, pg *projectGroup) projectGroupView {
	g := o.groups.byID[pg.groupID]
	return projectGroupView{"project.group", p.ID, g.ID, g.Name, g.Type, pg.CreatedAt}
}

func listProjectGroups(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return listing[*projectGroup]{
		items: p.groups.all(),
		id:    func(pg *projectGroup) string { return pg.groupID },
		view:  func(pg *projectGroup) any { return c.org.projectGroupView(p, pg) },
	}.byNext(c.query)
}

func addProjectGroup(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	g, err := c.org.groups.find("group", c.body.str("group_id"))
	if err != nil {
		return nil, err
	}
	r, err := p.roles.find("role", c.body.str("role"))
	if err != nil {
		return nil, err
	}
	pg := &projectGroup{g.ID, c.now}
	if !p.groups.add(g.ID, pg) {
		return nil, conflict("already_member", "Group '%s' is already in project '%s'.", g.ID, p.ID)
	}
	holder := principal{p.ID, "group", g.ID}
	c.org.assign(holder, r)
	c.recordAssignment("role.assignment.created", roleScope{p.roles, p, projectResource, p.ID}, holder, r)
	return c.org.projectGroupView(p, pg), nil
}

func getProjectGroup(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	pg, err := p.groups.find("project group", c.path["group_id"])
	if err != nil {
		return nil, err
	}
	want := c.query.str("group_type")
	if want == "" {
		want = "group"
	}
	if c.org.groups.byID[pg.groupID].Type != want {
		return nil, notFound("project "+want, pg.groupID)
	}
	return c.org.projectGroupView(p, pg), nil
}

func removeProjectGroup(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	pg, err := p.groups.find("project group", c.path["group_id"])
	if err != nil {
		return nil, err
	}
	holder := principal{p.ID, "group", pg.groupID}
	for _, a := range c.org.assigned(holder) {
		c.recordAssignment("role.assignment.deleted", roleScope{p.roles, p, projectResource, p.ID}, holder, a.role)
	}
	delete(c.org.assignments, holder)
	p.groups.remove(pg.groupID)
	return deleted{Object: "project.group.deleted", Deleted: true}, nil
}
