package sandbox

// call is one request that got through routing, authentication and checking,
// with the organization locked for it: shared for a GET, alone otherwise.
type call struct {
	org   *organization
	path  map[string]string
	query values
	body  values
	key   *adminKey // who calls
	now   int64     // Unix seconds
	// costsAsNumbers is Options.CostsAsNumbers.
	costsAsNumbers bool
}

// project resolves {project_id}, archived or not.
func (c *call) project() (*project, error) {
	return c.org.projects.find("project", c.path["project_id"])
}

// openProject resolves {project_id} for a change, which an archived project
// refuses.
func (c *call) openProject() (*project, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	if p.ArchivedAt != nil {
		return nil, badRequest("", "project_archived", "Project '%s' is archived and cannot be changed.", p.ID)
	}
	return p, nil
}

func (c *call) user() (*user, error) {
	return c.org.users.find("user", c.path["user_id"])
}

func (c *call) group() (*group, error) {
	return c.org.groups.find("group", c.path["group_id"])
}

// record leaves an audit event by the calling admin key. A nil project means
// that the action belongs to the organization.
func (c *call) record(eventType string, p *project, payload any, resources ...string) {
	e := &auditEvent{
		ID: c.org.newID("audit_log-"), Type: eventType, EffectiveAt: c.now,
		Actor: c.org.keyActor(c.key), payload: payload, resources: resources,
	}
	if p != nil {
		e.Project = &auditProject{ID: p.ID, Name: p.displayName()}
	}
	c.org.audit.add(e)
}

// ref is the payload of an event that names nothing but its target.
type ref struct {
	ID string `json:"id"`
}

// created is the payload of an event that carries what was asked for.
type created struct {
	ID   string `json:"id"`
	Data any    `json:"data"`
}

// changed is the payload of an event that carries the requested changes.
type changed struct {
	ID      string `json:"id"`
	Changes any    `json:"changes_requested"`
}
