package sandbox

// group is a set of users that can be given access as one.
type group struct {
	ID        string
	Name      string
	CreatedAt int64
	SCIM      bool
	Type      string // group or tenant_group
	members   *collection[*groupMember]
}

// groupMember is a user's place in a group.
type groupMember struct {
	userID string
}

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

func (g *group) view() groupView {
	return groupView{g.ID, g.Name, g.CreatedAt, g.SCIM, g.Type}
}

// ownGroup resolves {group_id} for a change; an identity provider owns the
// others.
func (c *call) ownGroup() (*group, error) {
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
	return listing[*group]{
		items: c.org.groups.all(),
		id:    func(g *group) string { return g.ID },
		view:  func(g *group) any { return g.view() },
	}.byNext(c.query)
}

func createGroup(c *call) (any, error) {
	name := c.body.str("name")
	if c.org.groups.any(func(g *group) bool { return g.Name == name }) {
		return nil, conflict("group_exists", "A group named '%s' already exists.", name)
	}
	g := &group{
		ID: c.org.newID("group_"), Name: name, CreatedAt: c.now,
		Type: "group", members: newCollection[*groupMember](),
	}
	c.org.groups.add(g.ID, g)
	c.record("group.created", nil, created{g.ID, map[string]string{"group_name": name}}, g.ID)
	return g.view(), nil
}

func getGroup(c *call) (any, error) {
	g, err := c.group()
	if err != nil {
		return nil, err
	}
	return g.view(), nil
}

func updateGroup(c *call) (any, error) {
	g, err := c.ownGroup()
	if err != nil {
		return nil, err
	}
	name := c.body.str("name")
	if c.org.groups.any(func(other *group) bool { return other != g && other.Name == name }) {
		return nil, conflict("group_exists", "A group named '%s' already exists.", name)
	}
	g.Name = name
	c.record("group.updated", nil, changed{g.ID, map[string]string{"group_name": name}}, g.ID)
	v := g.view()
	v.Type = "" // the answer to an update does not have it
	return v, nil
}

func deleteGroup(c *call) (any, error) {
	g, err := c.ownGroup()
	if err != nil {
		return nil, err
	}
	c.org.groups.remove(g.ID)
	c.org.forgetPrincipal("group", g.ID)
	for _, p := range c.org.projects.all() {
		p.groups.remove(g.ID)
	}
	c.record("group.deleted", nil, ref{g.ID}, g.ID)
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
	return listing[*groupMember]{
		items: g.members.all(),
		id:    func(m *groupMember) string { return m.userID },
		view: func(m *groupMember) any {
			u := c.org.users.byID[m.userID]
			return view{u.ID, u.displayName(), u.Email}
		},
		newestFirst: true,
	}.byNext(c.query)
}

func addGroupUser(c *call) (any, error) {
	g, err := c.ownGroup()
	if err != nil {
		return nil, err
	}
	u, err := c.org.users.find("user", c.body.str("user_id"))
	if err != nil {
		return nil, err
	}
	if !g.members.add(u.ID, &groupMember{u.ID}) {
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
	if _, err := g.members.find("group user", c.path["user_id"]); err != nil {
		return nil, err
	}
	u := c.org.users.byID[c.path["user_id"]]
	return struct {
		ID               string  `json:"id"`
		Name             string  `json:"name"`
		Email            *string `json:"email"`
		Picture          *string `json:"picture"`
		IsServiceAccount *bool   `json:"is_service_account"`
		UserType         string  `json:"user_type"`
	}{u.ID, u.displayName(), u.Email, nil, new(false), "user"}, nil
}

func removeGroupUser(c *call) (any, error) {
	g, err := c.ownGroup()
	if err != nil {
		return nil, err
	}
	m, err := g.members.find("group user", c.path["user_id"])
	if err != nil {
		return nil, err
	}
	g.members.remove(m.userID)
	c.record("tenant.group.member.removed", nil, nil, g.ID, m.userID)
	return deleted{Object: "group.user.deleted", Deleted: true}, nil
}
