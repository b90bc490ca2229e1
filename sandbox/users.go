package sandbox

import (
	"slices"
	"strings"
)

// user is a member of the organization.
type user struct {
	ID               string
	Name             *string
	Email            *string
	Role             string
	AddedAt          int64
	Created          int64
	IsDefault        bool
	IsSCIMManaged    bool
	KeyLastUsedAt    *int64
	TechnicalLevel   *string
	DeveloperPersona *string
}

func userOperations() []operation {
	return []operation{
		get("/organization/users", listUsers, limitParam(20, 100), afterParam(), strList("emails")),
		get("/organization/users/{user_id}", getUser),
		post("/organization/users/{user_id}", updateUser,
			str("role").oneOf("owner", "reader").orNull(), str("role_id").orNull(),
			str("technical_level").orNull(), str("developer_persona").orNull()),
		del("/organization/users/{user_id}", deleteUser),
	}
}

func (u *user) displayName() string {
	if u.Name == nil {
		return ""
	}
	return *u.Name
}

func (u *user) address() string {
	if u.Email == nil {
		return ""
	}
	return *u.Email
}

type userView struct {
	Object           string        `json:"object"`
	ID               string        `json:"id"`
	Name             *string       `json:"name"`
	Email            *string       `json:"email"`
	Role             string        `json:"role"`
	AddedAt          int64         `json:"added_at"`
	Created          int64         `json:"created"`
	IsDefault        bool          `json:"is_default"`
	IsServiceAccount bool          `json:"is_service_account"`
	ScaleTierBuyer   *bool         `json:"is_scale_tier_authorized_purchaser"`
	IsSCIMManaged    bool          `json:"is_scim_managed"`
	KeyLastUsedAt    *int64        `json:"api_key_last_used_at"`
	TechnicalLevel   *string       `json:"technical_level"`
	DeveloperPersona *string       `json:"developer_persona"`
	Projects         *userProjects `json:"projects"`
	User             userDetail    `json:"user"`
}

type userDetail struct {
	Object   string  `json:"object"`
	ID       string  `json:"id"`
	Email    *string `json:"email"`
	Name     *string `json:"name"`
	Picture  *string `json:"picture"`
	Enabled  *bool   `json:"enabled"`
	Banned   *bool   `json:"banned"`
	BannedAt *int64  `json:"banned_at"`
}

type userProjects struct {
	Object string        `json:"object"`
	Data   []userProject `json:"data"`
}

type userProject struct {
	ID   string  `json:"id"`
	Name *string `json:"name"`
	Role string  `json:"role"`
}

// view is the user without their projects, as lists show them.
func (u *user) view() userView {
	v := userView{
		Object: "organization.user", ID: u.ID, Name: u.Name, Email: u.Email, Role: u.Role,
		AddedAt: u.AddedAt, Created: u.Created, IsDefault: u.IsDefault, IsSCIMManaged: u.IsSCIMManaged,
		KeyLastUsedAt: u.KeyLastUsedAt, TechnicalLevel: u.TechnicalLevel, DeveloperPersona: u.DeveloperPersona,
		User: userDetail{Object: "user", ID: u.ID, Email: u.Email, Name: u.Name, Enabled: new(true), Banned: new(false)},
	}
	if u.Role == "owner" {
		v.ScaleTierBuyer = new(u.IsDefault)
	}
	return v
}

// fullView adds the projects that the user is a member of.
func (o *organization) fullView(u *user) userView {
	v := u.view()
	v.Projects = &userProjects{Object: "list", Data: []userProject{}}
	for _, p := range o.projects.all() {
		if m, ok := p.members.byID[u.ID]; ok {
			v.Projects.Data = append(v.Projects.Data, userProject{p.ID, p.Name, m.Role})
		}
	}
	return v
}

func listUsers(c *call) (any, error) {
	l := listing[*user]{
		items: c.org.users.all(),
		id:    func(u *user) string { return u.ID },
		view:  func(u *user) any { return u.view() },
	}
	if c.query.has("emails") {
		emails := c.query.strs("emails")
		l.keep = func(u *user) bool {
			return slices.ContainsFunc(emails, func(e string) bool {
				return u.Email != nil && strings.EqualFold(e, *u.Email)
			})
		}
	}
	return l.byID(c.query)
}

func getUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	return c.org.fullView(u), nil
}

func updateUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	newRole := c.body.str("role")
	if id := c.body.str("role_id"); id != "" {
		if newRole != "" {
			return nil, badRequest("role_id", "invalid_value", "Give either 'role' or 'role_id', not both.")
		}
		r, err := c.org.roles.find("role", id)
		if err != nil {
			return nil, err
		}
		if r.Predefined {
			newRole = r.Name
		} else {
			c.org.assign(principal{kind: "user", id: u.ID}, r)
		}
	}
	if u.Role == "owner" && newRole == "reader" && c.org.owners() == 1 {
		return nil, badRequest("role", "last_owner", "The last owner of an organization cannot be demoted.")
	}
	if newRole != "" {
		u.Role = newRole
	}
	c.body.assign("technical_level", &u.TechnicalLevel)
	c.body.assign("developer_persona", &u.DeveloperPersona)
	c.record("user.updated", nil, changed{u.ID, map[string]string{"role": u.Role}}, u.ID)
	return c.org.fullView(u), nil
}

func deleteUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	if u.Role == "owner" && c.org.owners() == 1 {
		return nil, badRequest("", "last_owner", "The last owner of an organization cannot be removed.")
	}
	c.org.forgetUser(u.ID)
	c.record("user.deleted", nil, ref{u.ID}, u.ID)
	return deleted{"organization.user.deleted", u.ID, true}, nil
}

func (o *organization) owners() int {
	n := 0
	for _, u := range o.users.byID {
		if u.Role == "owner" {
			n++
		}
	}
	return n
}

// forgetUser takes the user out of everything that refers to them: groups,
// projects, role assignments, and the keys that only they could use.
func (o *organization) forgetUser(id string) {
	o.users.remove(id)
	o.forgetPrincipal("user", id)
	for _, g := range o.groups.all() {
		g.members.remove(id)
	}
	for _, p := range o.projects.all() {
		p.members.remove(id)
		for _, k := range p.keys.all() {
			if k.userID == id {
				p.keys.remove(k.ID)
			}
		}
	}
}
