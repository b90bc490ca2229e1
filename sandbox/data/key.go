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
// owner. The Admin API cannot be called with it.
type ProjectKey struct {
	ID         string
	Name       string
	Redacted   string
	CreatedAt  int64
	ExpiresAt  *int64 // nil: never
	LastUsedAt *int64
	UserID     string
	AccountID  string
	// Scopes restrict what the key may do. None means no restriction.
	Scopes []string
	secret string
}

// Expired says whether the key has expired at now, in Unix seconds.
func (k *ProjectKey) Expired(now int64) bool { return k.ExpiresAt != nil && now >= *k.ExpiresAt }

// NewProjectKey adds a key without an owner, which the caller sets, and returns
// its value.
func (o *Organization) NewProjectKey(p *Project, name, prefix string, createdAt int64) (*ProjectKey, string) {
	value := o.NewSecret(prefix)
	k := &ProjectKey{ID: o.NewID("key_"), Name: name, Redacted: Redact(value), CreatedAt: createdAt, secret: value}
	p.Keys.Add(k.ID, k)
	return k, value
}

// ProjectKey returns the key with the value given and its project, nil if there is
// none. It does not look at the time at which the key expires.
func (o *Organization) ProjectKey(value string) (*Project, *ProjectKey) {
	for _, p := range o.Projects.byID {
		for _, k := range p.Keys.byID {
			if k.secret == value {
				return p, k
			}
		}
	}
	return nil, nil
}

// KeyLife returns the longest life of a key of the project, in seconds: the shorter
// one of what organization and project allow. 0 means that neither has one.
func (o *Organization) KeyLife(p *Project) int64 {
	if o.LongestKeyLife == 0 || p.LongestKeyLife == 0 {
		return max(o.LongestKeyLife, p.LongestKeyLife)
	}
	return min(o.LongestKeyLife, p.LongestKeyLife)
}
