package sandbox

import (
	"strings"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

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

func viewMember(o *data.Organization, m *data.Member) memberView {
	u := o.Users.Get(m.UserID)
	return memberView{"organization.project.user", u.ID, u.Name, u.Email, m.Role, m.AddedAt}
}

// hasAccess says whether the user has access to the project, as a member or
// through a group.
func hasAccess(o *data.Organization, p *data.Project, userID string) bool {
	if p.Members.Has(userID) {
		return true
	}
	return p.Groups.Any(func(pg *data.ProjectGroup) bool {
		g := o.Groups.Get(pg.GroupID)
		return g != nil && g.Members.Has(userID)
	})
}

func listProjectUsers(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return listing[*data.Member]{
		items: p.Members.All(),
		id:    func(m *data.Member) string { return m.UserID },
		view:  func(m *data.Member) any { return viewMember(c.org, m) },
	}.byID(c.query)
}

// namedUser returns the user that the body names by user_id or by email.
func (c *call) namedUser() (*data.User, error) {
	id, email := c.body.str("user_id"), c.body.str("email")
	switch {
	case id == "" && email == "":
		return nil, badRequest("user_id", "missing_required_parameter",
			"Missing required parameter: 'user_id' or 'email'.")
	case id != "" && email != "":
		return nil, badRequest("email", "invalid_value", "Give either 'user_id' or 'email', not both.")
	case id != "":
		return find(c.org.Users, "user", id)
	}
	for _, u := range c.org.Users.All() {
		if strings.EqualFold(u.Address(), email) {
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
	m := &data.Member{UserID: u.ID, Role: c.body.str("role"), AddedAt: c.now}
	if !p.Members.Add(u.ID, m) {
		return nil, conflict("already_member", "User '%s' is already in project '%s'.", u.ID, p.ID)
	}
	c.record("user.added", p, data.CreatedPayload{ID: u.ID, Data: map[string]string{"role": m.Role}}, u.ID, p.ID)
	return viewMember(c.org, m), nil
}

func (c *call) member(project lookup) (*data.Project, *data.Member, error) {
	return findIn(project, membersOf, "project user", c.path["user_id"])
}

func membersOf(p *data.Project) *data.Collection[*data.Member] { return p.Members }

func getProjectUser(c *call) (any, error) {
	_, m, err := c.member(c.project)
	if err != nil {
		return nil, err
	}
	return viewMember(c.org, m), nil
}

func updateProjectUser(c *call) (any, error) {
	p, m, err := c.member(c.openProject)
	if err != nil {
		return nil, err
	}
	if role := c.body.str("role"); role != "" {
		m.Role = role
	}
	c.record("user.updated", p, data.ChangedPayload{ID: m.UserID, Changes: map[string]string{"role": m.Role}}, m.UserID, p.ID)
	return viewMember(c.org, m), nil
}

func removeProjectUser(c *call) (any, error) {
	p, m, err := c.member(c.openProject)
	if err != nil {
		return nil, err
	}
	p.Members.Remove(m.UserID)
	if !hasAccess(c.org, p, m.UserID) {
		left := data.Principal{Project: p.ID, Kind: "user", ID: m.UserID}
		c.org.UnassignAll(func(p data.Principal) bool { return p == left })
	}
	c.record("user.deleted", p, data.TargetPayload{ID: m.UserID}, m.UserID, p.ID)
	return deleted{"organization.project.user.deleted", m.UserID, true}, nil
}
