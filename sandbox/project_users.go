package sandbox

import "strings"

// member is a user's place in a project.
type member struct {
	userID  string
	Role    string
	AddedAt int64
}

func projectUserOperations() []operation {
	base := "/organization/projects/{project_id}/users"
	return []operation{
		get(base, listProjectUsers, limitParam(20, 100), afterParam()),
		post(base, addProjectUser,
			str("user_id").orNull(), str("email").orNull(), str("role").oneOf("owner", "member").must()),
		get(base+"/{user_id}", getProjectUser),
		post(base+"/{user_id}", updateProjectUser, str("role").oneOf("owner", "member").orNull()),
		del(base+"/{user_id}", removeProjectUser),
	}
}

type memberView struct {
	Object  string  `json:"object"`
	ID      string  `json:"id"`
	Name    *string `json:"name"`
	Email   *string `json:"email"`
	Role    string  `json:"role"`
	AddedAt int64   `json:"added_at"`
}

func (o *organization) memberView(m *member) memberView {
	u := o.users.byID[m.userID]
	return memberView{"organization.project.user", u.ID, u.Name, u.Email, m.Role, m.AddedAt}
}

// hasAccess says whether the user reaches the project, as a member or through
// a group.
func (o *organization) hasAccess(p *project, userID string) bool {
	if p.members.has(userID) {
		return true
	}
	return p.groups.any(func(pg *projectGroup) bool {
		g := o.groups.byID[pg.groupID]
		return g != nil && g.members.has(userID)
	})
}

func listProjectUsers(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return listing[*member]{
		items: p.members.all(),
		id:    func(m *member) string { return m.userID },
		view:  func(m *member) any { return c.org.memberView(m) },
	}.byID(c.query)
}

// namedUser finds the organization member that a body names by user_id or by
// email.
func (c *call) namedUser() (*user, error) {
	id, email := c.body.str("user_id"), c.body.str("email")
	switch {
	case id == "" && email == "":
		return nil, badRequest("user_id", "missing_required_parameter",
			"Missing required parameter: 'user_id' or 'email'.")
	case id != "" && email != "":
		return nil, badRequest("email", "invalid_value", "Give either 'user_id' or 'email', not both.")
	case id != "":
		return c.org.users.find("user", id)
	}
	for _, u := range c.org.users.all() {
		if strings.EqualFold(u.address(), email) {
			return u, nil
		}
	}
	return nil, notFound("user", email)
}

func addProjectUser(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	u, err := c.namedUser()
	if err != nil {
		return nil, err
	}
	m := &member{u.ID, c.body.str("role"), c.now}
	if !p.members.add(u.ID, m) {
		return nil, conflict("already_member", "User '%s' is already in project '%s'.", u.ID, p.ID)
	}
	c.record("user.added", p, created{u.ID, map[string]string{"role": m.Role}}, u.ID, p.ID)
	return c.org.memberView(m), nil
}

func (c *call) member(p *project) (*member, error) {
	return p.members.find("project user", c.path["user_id"])
}

func getProjectUser(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	m, err := c.member(p)
	if err != nil {
		return nil, err
	}
	return c.org.memberView(m), nil
}

func updateProjectUser(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	m, err := c.member(p)
	if err != nil {
		return nil, err
	}
	if role := c.body.str("role"); role != "" {
		m.Role = role
	}
	c.record("user.updated", p, changed{m.userID, map[string]string{"role": m.Role}}, m.userID, p.ID)
	return c.org.memberView(m), nil
}

func removeProjectUser(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	m, err := c.member(p)
	if err != nil {
		return nil, err
	}
	p.members.remove(m.userID)
	if !c.org.hasAccess(p, m.userID) {
		delete(c.org.assignments, principal{p.ID, "user", m.userID})
	}
	c.record("user.deleted", p, ref{m.userID}, m.userID, p.ID)
	return deleted{"organization.project.user.deleted", m.userID, true}, nil
}
