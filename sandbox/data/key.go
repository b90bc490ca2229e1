package data

// ServiceAccount is a bot user of one project, as the API shows it.
type ServiceAccount struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Role      string `json:"role"` // owner, member or none
	CreatedAt int64  `json:"created_at"`
}

// NewServiceAccount adds a service account without a key to the project.
func (o *Organization) NewServiceAccount(p *Project, name, role string, createdAt int64) *ServiceAccount {
	a := &ServiceAccount{"organization.project.service_account", o.NewID("svc_acct_"), name, role, createdAt}
	p.Accounts.Add(a.ID, a)
	return a
}

// ProjectKey is an API key of a project. Either UserID or AccountID names its
// owner. The key's value is not stored: nothing here can be called with it.
type ProjectKey struct {
	ID         string
	Name       string
	Redacted   string
	CreatedAt  int64
	LastUsedAt *int64
	UserID     string
	AccountID  string
}

// NewProjectKey adds a key without an owner, which the caller sets, and returns
// its value, which is not stored.
func (o *Organization) NewProjectKey(p *Project, name, prefix string, createdAt int64) (*ProjectKey, string) {
	value := o.NewSecret(prefix)
	k := &ProjectKey{ID: o.NewID("key_"), Name: name, Redacted: Redact(value), CreatedAt: createdAt}
	p.Keys.Add(k.ID, k)
	return k, value
}
