package sandbox

// projectKey is an API key of a project, owned by a user or by a service
// account. Its value is not kept: nothing here can be called with it.
type projectKey struct {
	ID         string
	Name       string
	redacted   string
	createdAt  int64
	lastUsedAt *int64
	userID     string // or
	accountID  string
}

func projectKeyOperations() []operation {
	base := "/organization/projects/{project_id}/api_keys"
	return []operation{
		get(base, listProjectKeys, limitParam(20, 100), afterParam(),
			str("owner_project_access").oneOf("active", "inactive", "any")),
		get(base+"/{api_key_id}", getProjectKey),
		del(base+"/{api_key_id}", deleteProjectKey),
	}
}

// newProjectKey adds a key without an owner, which the caller sets, and
// returns its value, which nothing keeps.
func (o *organization) newProjectKey(p *project, name, prefix string, createdAt int64) (*projectKey, string) {
	value, redacted := o.newSecret(prefix)
	k := &projectKey{ID: o.newID("key_"), Name: name, redacted: redacted, createdAt: createdAt}
	p.keys.add(k.ID, k)
	return k, value
}

type projectKeyView struct {
	Object     string   `json:"object"`
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Redacted   string   `json:"redacted_value"`
	CreatedAt  int64    `json:"created_at"`
	LastUsedAt *int64   `json:"last_used_at"`
	Access     string   `json:"owner_project_access"`
	Owner      keyOwner `json:"owner"`
}

type keyOwner struct {
	Type           string           `json:"type"`
	User           *keyOwnerUser    `json:"user,omitempty"`
	ServiceAccount *keyOwnerAccount `json:"service_account,omitempty"`
}

type keyOwnerUser struct {
	ID        string `json:"id"`
	Email     string `json:"email"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"`
	Role      string `json:"role"`
}

type keyOwnerAccount struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"`
	Role      string `json:"role"`
}

// access says whether the key's owner reaches the project now. A service
// account without a role does not.
func (o *organization) access(p *project, k *projectKey) string {
	active := k.userID != "" && o.hasAccess(p, k.userID)
	if a := p.accounts.byID[k.accountID]; a != nil {
		active = a.Role != "none"
	}
	if active {
		return "active"
	}
	return "inactive"
}

func (o *organization) keyView(p *project, k *projectKey) projectKeyView {
	v := projectKeyView{
		Object: "organization.project.api_key", ID: k.ID, Name: k.Name, Redacted: k.redacted,
		CreatedAt: k.createdAt, LastUsedAt: k.lastUsedAt, Access: o.access(p, k),
	}
	if a := p.accounts.byID[k.accountID]; a != nil {
		v.Owner = keyOwner{Type: "service_account", ServiceAccount: &keyOwnerAccount{a.ID, a.Name, a.CreatedAt, a.Role}}
		return v
	}
	u := o.users.byID[k.userID]
	role := "member"
	if m := p.members.byID[u.ID]; m != nil {
		role = m.Role
	}
	v.Owner = keyOwner{Type: "user", User: &keyOwnerUser{u.ID, u.address(), u.displayName(), u.Created, role}}
	return v
}

// listProjectKeys shows keys whose owner has access unless asked otherwise.
func listProjectKeys(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	want := c.query.str("owner_project_access")
	if want == "" {
		want = "active"
	}
	return listing[*projectKey]{
		items: p.keys.all(),
		id:    func(k *projectKey) string { return k.ID },
		view:  func(k *projectKey) any { return c.org.keyView(p, k) },
		keep:  func(k *projectKey) bool { return want == "any" || c.org.access(p, k) == want },
	}.byID(c.query)
}

func getProjectKey(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	k, err := p.keys.find("API key", c.path["api_key_id"])
	if err != nil {
		return nil, err
	}
	return c.org.keyView(p, k), nil
}

func deleteProjectKey(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	k, err := p.keys.find("API key", c.path["api_key_id"])
	if err != nil {
		return nil, err
	}
	p.keys.remove(k.ID)
	c.record("api_key.deleted", p, ref{k.ID}, k.ID)
	return deleted{"organization.project.api_key.deleted", k.ID, true}, nil
}
