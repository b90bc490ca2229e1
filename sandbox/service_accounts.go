package sandbox

// serviceAccount is a bot user of one project.
type serviceAccount struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role"`
	CreatedAt int64  `json:"created_at"`
}

func serviceAccountOperations() []operation {
	base := "/organization/projects/{project_id}/service_accounts"
	createKey := post(base+"/{service_account_id}/api_keys", createServiceAccountKey,
		str("name").between(1, 255), strList("scopes"))
	createKey.bodyOptional = true
	return []operation{
		get(base, listServiceAccounts, limitParam(20, 100), afterParam()),
		post(base, createServiceAccount,
			str("name").between(1, 255).must(), flag("create_service_account_only").orNull()),
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
	return listing[*serviceAccount]{
		items: p.accounts.all(),
		id:    func(a *serviceAccount) string { return a.ID },
		view:  func(a *serviceAccount) any { return a },
	}.byID(c.query)
}

func (o *organization) newServiceAccount(p *project, name, role string, createdAt int64) *serviceAccount {
	a := &serviceAccount{"organization.project.service_account", o.newID("svc_acct_"), name, role, createdAt}
	p.accounts.add(a.ID, a)
	return a
}

// shownKey is a service account's key at the one moment when its value can be
// seen.
type shownKey struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Value     string `json:"value"`
	CreatedAt int64  `json:"created_at"`
}

// issueKey makes a key for the account and records it.
func (c *call) issueKey(p *project, a *serviceAccount, name string, scopes []string) *shownKey {
	k, value := c.org.newProjectKey(p, name, "sk-svcacct-", c.now)
	k.accountID = a.ID
	c.record("api_key.created", p, created{k.ID, map[string]any{"scopes": scopes}}, k.ID, a.ID)
	return &shownKey{"organization.project.service_account.api_key", k.ID, name, value, c.now}
}

func createServiceAccount(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	role := "member"
	if c.body.flag("create_service_account_only") {
		role = "none"
	}
	a := c.org.newServiceAccount(p, c.body.str("name"), role, c.now)
	c.record("service_account.created", p, created{a.ID, map[string]string{"role": role}}, a.ID)
	var key *shownKey
	if role != "none" {
		key = c.issueKey(p, a, "Secret Key", []string{})
	}
	return struct {
		*serviceAccount
		APIKey *shownKey `json:"api_key"`
	}{a, key}, nil
}

func (c *call) account(p *project) (*serviceAccount, error) {
	return p.accounts.find("service account", c.path["service_account_id"])
}

func getServiceAccount(c *call) (any, error) {
	p, err := c.project()
	if err != nil {
		return nil, err
	}
	a, err := c.account(p)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func updateServiceAccount(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	a, err := c.account(p)
	if err != nil {
		return nil, err
	}
	if name := c.body.str("name"); name != "" {
		a.Name = name
	}
	if role := c.body.str("role"); role != "" {
		a.Role = role
	}
	c.record("service_account.updated", p, changed{a.ID, map[string]string{"role": a.Role}}, a.ID)
	return a, nil
}

// deleteServiceAccount takes the account's keys with it.
func deleteServiceAccount(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	a, err := c.account(p)
	if err != nil {
		return nil, err
	}
	for _, k := range p.keys.all() {
		if k.accountID == a.ID {
			p.keys.remove(k.ID)
			c.record("api_key.deleted", p, ref{k.ID}, k.ID, a.ID)
		}
	}
	p.accounts.remove(a.ID)
	c.record("service_account.deleted", p, ref{a.ID}, a.ID)
	return deleted{"organization.project.service_account.deleted", a.ID, true}, nil
}

func createServiceAccountKey(c *call) (any, error) {
	p, err := c.openProject()
	if err != nil {
		return nil, err
	}
	a, err := c.account(p)
	if err != nil {
		return nil, err
	}
	name := c.body.str("name")
	if name == "" {
		name = a.Name + " key"
	}
	return c.issueKey(p, a, name, c.body.strs("scopes")), nil
}
