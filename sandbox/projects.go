package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func projectOperations() []operation {
	return []operation{
		get("/organization/projects", listProjects, limitParam(20, 100), afterParam(), flag("include_archived")),
		post("/organization/projects", createProject,
			str("name").between(1, 255).must(),
			str("residency").oneOf(data.Residencies()...).orNull(), str("geography").orNull(),
			str("external_key_id").orNull()),
		get("/organization/projects/{project_id}", getProject),
		post("/organization/projects/{project_id}", updateProject,
			str("name").between(1, 255).orNull(), str("geography").orNull(), str("external_key_id").orNull()),
		post("/organization/projects/{project_id}/archive", archiveProject),
	}
}

type projectView struct {
	Object        string  `json:"object"`
	ID            string  `json:"id"`
	Name          *string `json:"name"`
	CreatedAt     int64   `json:"created_at"`
	ArchivedAt    *int64  `json:"archived_at"`
	Status        string  `json:"status"`
	ExternalKeyID *string `json:"external_key_id"`
	Residency     string  `json:"residency"`
}

func viewProject(p *data.Project) projectView {
	return projectView{
		"organization.project", p.ID, p.Name, p.CreatedAt, p.ArchivedAt, p.Status, p.ExternalKeyID, p.Residency,
	}
}

func listProjects(c *call) (any, error) {
	archived := c.query.flag("include_archived")
	return listing[*data.Project]{
		items: c.org.Projects.All(),
		id:    func(p *data.Project) string { return p.ID },
		view:  func(p *data.Project) any { return viewProject(p) },
		keep:  func(p *data.Project) bool { return archived || p.ArchivedAt == nil },
	}.byID(c.query)
}

// residency returns the region that the body asks for, empty for none. A geography
// is its older form.
func (c *call) residency() (string, error) {
	residency, geography := c.body.str("residency"), c.body.optStr("geography")
	switch {
	case geography == nil:
		return residency, nil
	case residency != "":
		return "", badRequest("geography", "invalid_value", "Give either 'residency' or the deprecated 'geography', not both.")
	}
	residency = data.ResidencyIn(*geography)
	if residency == "" {
		return "", badRequest("geography", "invalid_value", "Invalid value: '%s' is no geography.", *geography)
	}
	return residency, nil
}

func createProject(c *call) (any, error) {
	residency, err := c.residency()
	if err != nil {
		return nil, err
	}
	p := c.org.NewProject(c.body.str("name"), c.now)
	p.ExternalKeyID = c.body.optStr("external_key_id")
	if residency != "" {
		p.Residency = residency
	}
	name := p.DisplayName()
	c.record("project.created", p, data.CreatedPayload{ID: p.ID, Data: map[string]string{"name": name, "title": name}}, p.ID)
	return viewProject(p), nil
}

func getProject(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return viewProject(p), nil
}

// updateProject takes a geography and does nothing with it: a project stays where it
// was created.
func updateProject(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	if _, err := c.residency(); err != nil {
		return nil, err
	}
	c.body.assign("name", &p.Name)
	c.body.assign("external_key_id", &p.ExternalKeyID)
	c.record("project.updated", p, data.ChangedPayload{ID: p.ID, Changes: map[string]string{"title": p.DisplayName()}}, p.ID)
	return viewProject(p), nil
}

// archiveProject empties the project: an archived project has no users, groups,
// service accounts, keys, federation rules or role assignments.
func archiveProject(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	p.Status, p.ArchivedAt = "archived", new(c.now)
	c.endRules(func(r *data.FederationRule) bool { return r.ProjectID == p.ID })
	p.Members.Clear()
	p.Groups.Clear()
	p.Accounts.Clear()
	p.Keys.Clear()
	clear(p.Certificates)
	c.org.UnassignAll(func(holder data.Principal) bool { return holder.Project == p.ID })
	c.record("project.archived", p, data.TargetPayload{ID: p.ID}, p.ID)
	return viewProject(p), nil
}

// recordSettings leaves the event of a change for which the audit log has no
// specific type.
func (c *call) recordSettings(p *data.Project) {
	if p == nil {
		c.record("organization.updated", nil, data.ChangedPayload{ID: c.org.ID, Changes: map[string]any{}}, c.org.ID)
		return
	}
	c.record("project.updated", p, data.ChangedPayload{ID: p.ID, Changes: map[string]any{}}, p.ID)
}
