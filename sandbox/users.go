package sandbox

import (
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

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

// viewUser shows the user without their projects, as lists show them.
func viewUser(u *data.User) userView {
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

// viewUserInFull adds the projects that the user is a member of.
func viewUserInFull(o *data.Organization, u *data.User) userView {
	v := viewUser(u)
	v.Projects = &userProjects{Object: "list", Data: []userProject{}}
	for _, p := range o.Projects.All() {
		if m := p.Members.Get(u.ID); m != nil {
			v.Projects.Data = append(v.Projects.Data, userProject{p.ID, p.Name, m.Role})
		}
	}
	return v
}

func listUsers(c *call) (any, error) {
	l := listing[*data.User]{
		items: c.org.Users.All(),
		id:    func(u *data.User) string { return u.ID },
		view:  func(u *data.User) any { return viewUser(u) },
	}
	if c.query.has("emails") {
		emails := c.query.strs("emails")
		l.keep = func(u *data.User) bool {
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
	return viewUserInFull(c.org, u), nil
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
		r, err := find(c.org.Roles, "role", id)
		if err != nil {
			return nil, err
		}
		if r.Predefined {
			newRole = r.Name
		} else {
			c.org.Assign(data.Principal{Kind: "user", ID: u.ID}, r)
		}
	}
	if u.Role == "owner" && newRole == "reader" && owners(c.org) == 1 {
		return nil, badRequest("role", "last_owner", "The last owner of an organization cannot be demoted.")
	}
	if newRole != "" {
		u.Role = newRole
	}
	c.body.assign("technical_level", &u.TechnicalLevel)
	c.body.assign("developer_persona", &u.DeveloperPersona)
	c.record("user.updated", nil, data.ChangedPayload{ID: u.ID, Changes: map[string]string{"role": u.Role}}, u.ID)
	return viewUserInFull(c.org, u), nil
}

func deleteUser(c *call) (any, error) {
	u, err := c.user()
	if err != nil {
		return nil, err
	}
	if u.Role == "owner" && owners(c.org) == 1 {
		return nil, badRequest("", "last_owner", "The last owner of an organization cannot be removed.")
	}
	removeUser(c.org, u.ID)
	c.record("user.deleted", nil, data.TargetPayload{ID: u.ID}, u.ID)
	return deleted{"organization.user.deleted", u.ID, true}, nil
}

func owners(o *data.Organization) int {
	n := 0
	for _, u := range o.Users.All() {
		if u.Role == "owner" {
			n++
		}
	}
	return n
}

// removeUser removes the user, their memberships and role assignments, and the keys
// that only they could use.
func removeUser(o *data.Organization, id string) {
	o.Users.Remove(id)
	o.UnassignAll(func(p data.Principal) bool { return p.Kind == "user" && p.ID == id })
	for _, g := range o.Groups.All() {
		g.Members.Remove(id)
	}
	for _, p := range o.Projects.All() {
		p.Members.Remove(id)
		for _, k := range p.Keys.All() {
			if k.UserID == id {
				p.Keys.Remove(k.ID)
			}
		}
	}
}
