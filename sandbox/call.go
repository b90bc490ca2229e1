package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

// call is one request after routing, authentication and checks. It holds the
// organization's lock: shared for a GET, exclusive otherwise.
type call struct {
	org   *data.Organization
	path  map[string]string
	query values
	body  values
	key   *data.AdminKey // who calls
	now   int64          // Unix seconds
	// costsAsNumbers is Options.CostsAsNumbers.
	costsAsNumbers bool
	// ignoreKeyLives is Options.IgnoreKeyLives.
	ignoreKeyLives bool
}

// project resolves {project_id}, archived or not.
func (c *call) project() (*data.Project, error) {
	return find(c.org.Projects, "project", c.path["project_id"])
}

// openProject resolves {project_id} for a change. An archived project refuses
// changes.
func (c *call) openProject() (*data.Project, error) { return c.openProjectCalled(c.path["project_id"]) }

// openProjectCalled is [call.openProject] for a project that the body names.
func (c *call) openProjectCalled(id string) (*data.Project, error) {
	p, err := find(c.org.Projects, "project", id)
	if err != nil {
		return nil, err
	}
	if p.ArchivedAt != nil {
		return nil, badRequest("", "project_archived", "Project '%s' is archived and cannot be changed.", p.ID)
	}
	return p, nil
}

// lookup is [call.project] or [call.openProject]: it says whether the request is
// a change.
type lookup func() (*data.Project, error)

// findIn returns the project and the item of one of its collections, or the
// upstream's refusal.
func findIn[T any](
	project lookup, items func(*data.Project) *data.Collection[T], what, id string,
) (p *data.Project, item T, err error) {
	if p, err = project(); err != nil {
		return nil, item, err
	}
	item, err = find(items(p), what, id)
	return p, item, err
}

func (c *call) user() (*data.User, error) {
	return find(c.org.Users, "user", c.path["user_id"])
}

func (c *call) group() (*data.Group, error) {
	return find(c.org.Groups, "group", c.path["group_id"])
}

// record leaves an audit event by the calling admin key. A nil project means
// that the action belongs to the organization.
func (c *call) record(eventType string, p *data.Project, payload any, resources ...string) {
	c.org.Record(c.now, c.key, eventType, p, payload, resources...)
}
