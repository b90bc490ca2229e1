package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func projectKeyOperations() []operation {
	base := "/organization/projects/{project_id}/api_keys"
	return []operation{
		get(base, listProjectKeys, limitParam(20, 100), afterParam(),
			str("owner_project_access").oneOf("active", "inactive", "any")),
		get(base+"/{api_key_id}", getProjectKey),
		post(base+"/{api_key_id}", updateProjectKey,
			strList("scopes"), num("expires_in_seconds").between(1, maxKeyLife)),
		del(base+"/{api_key_id}", deleteProjectKey),
	}
}

type projectKeyView struct {
	Object     string   `json:"object"`
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	Redacted   string   `json:"redacted_value"`
	CreatedAt  int64    `json:"created_at"`
	ExpiresAt  *int64   `json:"expires_at"`
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

// ownerAccess says whether the key's owner has access to the project now. A
// service account without a role has none.
func ownerAccess(o *data.Organization, p *data.Project, k *data.ProjectKey) string {
	active := k.UserID != "" && hasAccess(o, p, k.UserID)
	if a := p.Accounts.Get(k.AccountID); a != nil {
		active = a.Role != "none"
	}
	if active {
		return "active"
	}
	return "inactive"
}

func viewProjectKey(o *data.Organization, p *data.Project, k *data.ProjectKey) projectKeyView {
	v := projectKeyView{
		Object: "organization.project.api_key", ID: k.ID, Name: k.Name, Redacted: k.Redacted,
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt, Access: ownerAccess(o, p, k),
	}
	if a := p.Accounts.Get(k.AccountID); a != nil {
		v.Owner = keyOwner{Type: "service_account", ServiceAccount: &keyOwnerAccount{a.ID, a.Name, a.CreatedAt, a.Role}}
		return v
	}
	u := o.Users.Get(k.UserID)
	role := "member"
	if m := p.Members.Get(u.ID); m != nil {
		role = m.Role
	}
	v.Owner = keyOwner{Type: "user", User: &keyOwnerUser{u.ID, u.Address(), u.DisplayName(), u.Created, role}}
	return v
}

// listProjectKeys shows the keys whose owner has access, unless the query asks for
// others.
func listProjectKeys(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	want := c.query.str("owner_project_access")
	if want == "" {
		want = "active"
	}
	return listing[*data.ProjectKey]{
		items: p.Keys.All(),
		id:    func(k *data.ProjectKey) string { return k.ID },
		view:  func(k *data.ProjectKey) any { return viewProjectKey(c.org, p, k) },
		keep:  func(k *data.ProjectKey) bool { return want == "any" || ownerAccess(c.org, p, k) == want },
	}.byID(c.query)
}

func (c *call) projectKey(project lookup) (*data.Project, *data.ProjectKey, error) {
	return findIn(project, keysOf, "API key", c.path["api_key_id"])
}

func keysOf(p *data.Project) *data.Collection[*data.ProjectKey] { return p.Keys }

func getProjectKey(c *call) (any, error) {
	p, k, err := c.projectKey(c.project)
	if err != nil {
		return nil, err
	}
	return viewProjectKey(c.org, p, k), nil
}

// updateProjectKey replaces the key's scopes, restarts its life, or both at once. An
// empty list of scopes removes every restriction.
func updateProjectKey(c *call) (any, error) {
	p, k, err := c.projectKey(c.openProject)
	if err != nil {
		return nil, err
	}
	rescope, prolong := c.body.has("scopes"), c.body.has("expires_in_seconds")
	switch {
	case !rescope && !prolong:
		return nil, badRequest("", "missing_required_parameter", "Give at least one of 'scopes' and 'expires_in_seconds'.")
	case k.Expired(c.now):
		return nil, badRequest("", "api_key_expired", "API key '%s' has expired and cannot be updated.", k.ID)
	}
	changes := make(map[string]any, 2)
	if prolong {
		expiresAt, err := c.expiry(p)
		if err != nil {
			return nil, err
		}
		k.ExpiresAt = expiresAt
		changes["expires_in_seconds"] = c.body.num("expires_in_seconds")
	}
	if rescope {
		k.Scopes = c.body.strs("scopes")
		changes["scopes"] = k.Scopes
	}
	c.record("api_key.updated", p, data.ChangedPayload{ID: k.ID, Changes: changes}, k.ID)
	return viewProjectKey(c.org, p, k), nil
}

func deleteProjectKey(c *call) (any, error) {
	p, k, err := c.projectKey(c.openProject)
	if err != nil {
		return nil, err
	}
	p.Keys.Remove(k.ID)
	c.record("api_key.deleted", p, data.TargetPayload{ID: k.ID}, k.ID)
	return deleted{"organization.project.api_key.deleted", k.ID, true}, nil
}
