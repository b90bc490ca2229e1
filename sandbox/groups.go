package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func groupOperations() []operation {
	name := str("name").between(1, 255).must()
	return []operation{
		get("/organization/groups", listGroups, limitParam(100, 1000), afterParam(), orderParam()),
		post("/organization/groups", createGroup, name),
		get("/organization/groups/{group_id}", getGroup),
		post("/organization/groups/{group_id}", updateGroup, name),
		del("/organization/groups/{group_id}", deleteGroup),
	}
}

func groupUserOperations() []operation {
	return []operation{
		get("/organization/groups/{group_id}/users", listGroupUsers, limitParam(100, 1000), afterParam(), orderParam()),
		post("/organization/groups/{group_id}/users", addGroupUser, str("user_id").must()),
		get("/organization/groups/{group_id}/users/{user_id}", getGroupUser),
		del("/organization/groups/{group_id}/users/{user_id}", removeGroupUser),
	}
}

type groupView struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"`
	SCIM      bool   `json:"is_scim_managed"`
	Type      string `json:"group_type,omitempty"`
}

func viewGroup(g *data.Group) groupView {
	return groupView{g.ID, g.Name, g.CreatedAt, g.SCIM, g.Type}
}

// editableGroup resolves {group_id} for a change. An identity provider manages the
// groups that cannot be changed here.
func (c *call) editableGroup() (*data.Group, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	if g.SCIM {
		return nil, badRequest("", "scim_managed", "Group '%s' is managed through SCIM and cannot be changed here.", g.ID)
	}
	return g, nil
}

func listGroups(c *call) (any, error) {
	return listing[*data.Group]{
		items: c.org.Groups.All(),
		id:    func(g *data.Group) string { return g.ID },
		view:  func(g *data.Group) any { return viewGroup(g) },
	}.byNext(c.query)
}

func createGroup(c *call) (any, error) {
	name := c.body.str("name")
	if c.org.Groups.Any(func(g *data.Group) bool { return g.Name == name }) {
		return nil, conflict("group_exists", "A group named '%s' already exists.", name)
	}
	g := c.org.NewGroup(name, c.now)
	c.record("group.created", nil, data.CreatedPayload{ID: g.ID, Data: map[string]string{"group_name": name}}, g.ID)
	return viewGroup(g), nil
}

func getGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return viewGroup(g), nil
}

func updateGroup(c *call) (any, error) {
	g, err := c.editableGroup()
	if err != nil {
		return nil, err
	}
	name := c.body.str("name")
	if c.org.Groups.Any(func(other *data.Group) bool { return other != g && other.Name == name }) {
		return nil, conflict("group_exists", "A group named '%s' already exists.", name)
	}
	g.Name = name
	c.record("group.updated", nil, data.ChangedPayload{ID: g.ID, Changes: map[string]string{"group_name": name}}, g.ID)
	v := viewGroup(g)
	v.Type = "" // the answer to an update does not have it
	return v, nil
}

func deleteGroup(c *call) (any, error) {
	g, err := c.editableGroup()
	if err != nil {
		return nil, err
	}
	c.org.Groups.Remove(g.ID)
	c.org.UnassignAll(func(p data.Principal) bool { return p.Kind == "group" && p.ID == g.ID })
	for _, p := range c.org.Projects.All() {
		p.Groups.Remove(g.ID)
	}
	c.record("group.deleted", nil, data.TargetPayload{ID: g.ID}, g.ID)
	return deleted{"group.deleted", g.ID, true}, nil
}

func listGroupUsers(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	type view struct {
		ID    string  `json:"id"`
		Name  string  `json:"name"`
		Email *string `json:"email"`
	}
	return listing[*data.User]{
		items:       g.Members.All(),
		id:          func(u *data.User) string { return u.ID },
		view:        func(u *data.User) any { return view{u.ID, u.DisplayName(), u.Email} },
		newestFirst: true,
	}.byNext(c.query)
}

func addGroupUser(c *call) (any, error) {
	g, err := c.editableGroup()
	if err != nil {
		return nil, err
	}
	u, err := find(c.org.Users, "user", c.body.str("user_id"))
	if err != nil {
		return nil, err
	}
	if !g.Members.Add(u.ID, u) {
		return nil, conflict("already_member", "User '%s' is already in group '%s'.", u.ID, g.ID)
	}
	c.record("tenant.group.member.added", nil, nil, g.ID, u.ID)
	return struct {
		Object  string `json:"object"`
		UserID  string `json:"user_id"`
		GroupID string `json:"group_id"`
	}{"group.user", u.ID, g.ID}, nil
}

func getGroupUser(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	u, err := find(g.Members, "group user", c.path["user_id"])
	if err != nil {
		return nil, err
	}
	return struct {
		ID               string  `json:"id"`
		Name             string  `json:"name"`
		Email            *string `json:"email"`
		Picture          *string `json:"picture"`
		IsServiceAccount *bool   `json:"is_service_account"`
		UserType         string  `json:"user_type"`
	}{u.ID, u.DisplayName(), u.Email, nil, new(false), "user"}, nil
}

func removeGroupUser(c *call) (any, error) {
	g, err := c.editableGroup()
	if err != nil {
		return nil, err
	}
	u, err := find(g.Members, "group user", c.path["user_id"])
	if err != nil {
		return nil, err
	}
	g.Members.Remove(u.ID)
	c.record("tenant.group.member.removed", nil, nil, g.ID, u.ID)
	return deleted{Object: "group.user.deleted", Deleted: true}, nil
}
