package sandbox

// project holds everything that exists per project. Its exported part is the
// project as the API shows it.
type project struct {
	Object        string  `json:"object"`
	ID            string  `json:"id"`
	Name          *string `json:"name"`
	CreatedAt     int64   `json:"created_at"`
	ArchivedAt    *int64  `json:"archived_at"`
	Status        string  `json:"status"`
	ExternalKeyID *string `json:"external_key_id"`
	Residency     string  `json:"residency"`

	members      *collection[*member]
	groups       *collection[*projectGroup]
	accounts     *collection[*serviceAccount]
	keys         *collection[*projectKey]
	roles        *collection[*role]
	alerts       *collection[*spendAlert]
	spendLimit   *spendLimit
	retention    string
	models       *modelPermissions
	tools        hostedTools
	rateLimits   map[string]rateLimit // only those that differ from the model's
	certificates map[string]bool      // the active ones
}

var residencies = []string{
	"GLOBAL", "US_STORAGE_PROCESSING", "EU_STORAGE_PROCESSING", "JP_STORAGE", "KR_STORAGE", "CA_STORAGE",
	"SG_STORAGE", "IN_STORAGE", "AU_STORAGE", "GB_STORAGE", "AE_STORAGE", "AE_STORAGE_PROCESSING",
}

func projectOperations() []operation {
	return []operation{
		get("/organization/projects", listProjects, limitParam(20, 100), afterParam(), flag("include_archived")),
		post("/organization/projects", createProject,
			str("name").between(1, 255).must(),
			str("residency").oneOf(residencies...).orNull(), str("external_key_id").orNull()),
		get("/organization/projects/{project_id}", getProject),
		post("/organization/projects/{project_id}", updateProject,
			str("name").between(1, 255).orNull(), str("external_key_id").orNull()),
		post("/organization/projects/{project_id}/archive", archiveProject),
	}
}

func (o *organization) newProject(name string, createdAt int64) *project {
	p := &project{
		Object: "organization.project", ID: o.newID("proj_"), Name: &name, CreatedAt: createdAt,
		Status: "active", Residency: "GLOBAL",
		members: newCollection[*member](), groups: newCollection[*projectGroup](),
		accounts: newCollection[*serviceAccount](), keys: newCollection[*projectKey](),
		roles: newCollection[*role](), alerts: newCollection[*spendAlert](),
		retention: "organization_default", tools: allHostedTools(),
		rateLimits: make(map[string]rateLimit), certificates: make(map[string]bool),
	}
	for _, r := range predefinedProjectRoles() {
		p.roles.add(r.ID, r)
	}
	return p
}

func (p *project) displayName() string {
	if p.Name == nil {
		return ""
	}
	return *p.Name
}

func listProjects(c *call) (any, error) {
	archived := c.query.flag("include_archived")
	return listing[*project]{
		items: c.org.projects.all(),
		id:    func(p *project) string { return p.ID },
		view:  func(p *project) any { return p },
		keep:  func(p *project) bool { return archived || p.ArchivedAt == nil },
	}.byID(c.query)
}

func createProject(c *call) (any, error) {
	p := c.org.newProject(c.body.str("name"), c.now)
	p.ExternalKeyID = c.body.optStr("external_key_id")
	if residency := c.body.str("residency"); residency != "" {
		p.Residency = residency
	}
	c.org.projects.add(p.ID, p)
	name := p.displayName()
	c.record("project.created", p, created{p.ID, map[string]string{"name": name, "title": name}}, p.ID)
	return p, nil
}

func getProject(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return p, nil
}

func updateProject(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	c.body.assign("name", &p.Name)
	c.body.assign("external_key_id", &p.ExternalKeyID)
	c.record("project.updated", p, changed{p.ID, map[string]string{"title": p.displayName()}}, p.ID)
	return p, nil
}

// archiveProject empties the project: an archived one has no users, groups,
// service accounts or keys, and no roles held in it.
func archiveProject(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	p.Status, p.ArchivedAt = "archived", new(c.now)
	p.members.clear()
	p.groups.clear()
	p.accounts.clear()
	p.keys.clear()
	clear(p.certificates)
	for holder := range c.org.assignments {
		if holder.project == p.ID {
			delete(c.org.assignments, holder)
		}
	}
	c.record("project.archived", p, ref{p.ID}, p.ID)
	return p, nil
}

// recordSettings leaves the event of a change for which the audit log has no
// type of its own.
func (c *call) recordSettings(p *project) {
	if p == nil {
		c.record("organization.updated", nil, changed{c.org.id, map[string]any{}}, c.org.id)
		return
	}
	c.record("project.updated", p, changed{p.ID, map[string]any{}}, p.ID)
}
