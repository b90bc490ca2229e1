package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

func serviceAccountOperations() []operation {
	base := "/organization/projects/{project_id}/service_accounts"
	createKey := post(base+"/{service_account_id}/api_keys", createServiceAccountKey,
		str("name").between(1, 255), strList("scopes"), lifeField())
	createKey.bodyOptional = true
	return []operation{
		get(base, listServiceAccounts, limitParam(20, 100), afterParam()),
		post(base, createServiceAccount,
			str("name").between(1, 255).must(), flag("create_service_account_only").orNull(), lifeField()),
		get(base+"/{service_account_id}", getServiceAccount),
		post(base+"/{service_account_id}", updateServiceAccount,
			str("name").between(1, 255), str("role").oneOf("member", "owner")),
		del(base+"/{service_account_id}", deleteServiceAccount),
		createKey,
	}
}

func listServiceAccounts(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	return listing[*data.ServiceAccount]{
		items: p.Accounts.All(),
		id:    func(a *data.ServiceAccount) string { return a.ID },
		view:  func(a *data.ServiceAccount) any { return a },
	}.byID(c.query)
}

// shownKey is a service account's key in the one answer that has its value.
type shownKey struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Value     string `json:"value"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt *int64 `json:"expires_at"`
}

// issueKey makes a key for the account and records it.
func (c *call) issueKey(p *data.Project, a *data.ServiceAccount, name string, scopes []string, expiresAt *int64) *shownKey {
	k, value := c.org.NewProjectKey(p, name, "sk-svcacct-", c.now)
	k.AccountID, k.Scopes, k.ExpiresAt = a.ID, scopes, expiresAt
	c.record("api_key.created", p, data.CreatedPayload{ID: k.ID, Data: map[string]any{"scopes": scopes}}, k.ID, a.ID)
	return &shownKey{"organization.project.service_account.api_key", k.ID, name, value, c.now, expiresAt}
}

// createServiceAccount makes the account with a role and a key, or with neither.
func createServiceAccount(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	role, bare := "member", c.body.flag("create_service_account_only")
	var expiresAt *int64
	if bare {
		if c.body.num("expires_in_seconds") != 0 {
			return nil, badRequest("expires_in_seconds", "invalid_value",
				"'expires_in_seconds' cannot be given with 'create_service_account_only': there is no key that could expire.")
		}
		role = "none"
	} else if expiresAt, err = c.expiry(p); err != nil {
		return nil, err
	}
	a := c.org.NewServiceAccount(p, c.body.str("name"), role, c.now)
	c.record("service_account.created", p, data.CreatedPayload{ID: a.ID, Data: map[string]string{"role": role}}, a.ID)
	var key *shownKey
	if !bare {
		key = c.issueKey(p, a, "Secret Key", []string{}, expiresAt)
	}
	return struct {
		*data.ServiceAccount
		APIKey *shownKey `json:"api_key"`
	}{a, key}, nil
}

func (c *call) account(project lookup) (*data.Project, *data.ServiceAccount, error) {
	return findIn(project, accountsOf, "service account", c.path["service_account_id"])
}

func accountsOf(p *data.Project) *data.Collection[*data.ServiceAccount] { return p.Accounts }

func getServiceAccount(c *call) (any, error) {
	_, a, err := c.account(c.project)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func updateServiceAccount(c *call) (any, error) {
	p, a, err := c.account(c.openProject)
	if err != nil {
		return nil, err
	}
	if name := c.body.str("name"); name != "" {
		a.Name = name
	}
	if role := c.body.str("role"); role != "" {
		a.Role = role
	}
	c.record("service_account.updated", p, data.ChangedPayload{ID: a.ID, Changes: map[string]string{"role": a.Role}}, a.ID)
	return a, nil
}

// deleteServiceAccount deletes the account's keys and federation rules as well.
func deleteServiceAccount(c *call) (any, error) {
	p, a, err := c.account(c.openProject)
	if err != nil {
		return nil, err
	}
	for _, k := range p.Keys.All() {
		if k.AccountID == a.ID {
			p.Keys.Remove(k.ID)
			c.record("api_key.deleted", p, data.TargetPayload{ID: k.ID}, k.ID, a.ID)
		}
	}
	c.endRules(func(r *data.FederationRule) bool { return r.ServiceAccountID == a.ID })
	p.Accounts.Remove(a.ID)
	c.record("service_account.deleted", p, data.TargetPayload{ID: a.ID}, a.ID)
	return deleted{"organization.project.service_account.deleted", a.ID, true}, nil
}

func createServiceAccountKey(c *call) (any, error) {
	p, a, err := c.account(c.openProject)
	if err != nil {
		return nil, err
	}
	expiresAt, err := c.expiry(p)
	if err != nil {
		return nil, err
	}
	name := c.body.str("name")
	if name == "" {
		name = a.Name + " key"
	}
	return c.issueKey(p, a, name, c.body.strs("scopes"), expiresAt), nil
}
