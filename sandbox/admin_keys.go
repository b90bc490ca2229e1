package sandbox

// adminKey calls this API. Every key of the list works as a credential until
// it is deleted or expires.
type adminKey struct {
	ID         string
	Name       *string
	redacted   string
	createdAt  int64
	expiresAt  *int64
	lastUsedAt *int64
	ownerID    string // a user's
	owner      adminKeyOwner
	secret     string
}

// adminKeyOwner is kept as it was when the key was made: the key outlives its
// owner's membership.
type adminKeyOwner struct {
	Type      string `json:"type"`
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"`
	Role      string `json:"role"`
	email     string
}

func adminKeyOperations() []operation {
	return []operation{
		get("/organization/admin_api_keys", listAdminKeys, limitParam(20, 100), afterParam(), orderParam()),
		post("/organization/admin_api_keys", createAdminKey,
			str("name").between(1, 255).must(), num("expires_in_seconds").between(1, 31536000)),
		get("/organization/admin_api_keys/{key_id}", getAdminKey),
		del("/organization/admin_api_keys/{key_id}", deleteAdminKey),
	}
}

type adminKeyView struct {
	Object     string        `json:"object"`
	ID         string        `json:"id"`
	Name       *string       `json:"name"`
	Redacted   string        `json:"redacted_value"`
	CreatedAt  int64         `json:"created_at"`
	ExpiresAt  *int64        `json:"expires_at"`
	LastUsedAt *int64        `json:"last_used_at"`
	Owner      adminKeyOwner `json:"owner"`
	Value      string        `json:"value,omitempty"`
}

func (k *adminKey) view() adminKeyView {
	return adminKeyView{
		Object: "organization.admin_api_key", ID: k.ID, Name: k.Name, Redacted: k.redacted,
		CreatedAt: k.createdAt, ExpiresAt: k.expiresAt, LastUsedAt: k.lastUsedAt, Owner: k.owner,
	}
}

func (o *organization) addAdminKey(name *string, secret string, owner *user, createdAt int64) *adminKey {
	k := &adminKey{
		ID: o.newID("key_"), Name: name, redacted: redact(secret), createdAt: createdAt, secret: secret,
		ownerID: owner.ID,
		owner: adminKeyOwner{
			Type: "user", Object: "organization.user", ID: owner.ID, Name: owner.displayName(),
			CreatedAt: owner.Created, Role: "owner", email: owner.address(),
		},
	}
	o.adminKeys.add(k.ID, k)
	o.credentials[secret] = k
	return k
}

// authenticate finds the key behind a bearer token.
func (o *organization) authenticate(token string, now int64) (*adminKey, *apiError) {
	k := o.credentials[token]
	if k == nil {
		return nil, unauthorized("Incorrect API key provided: " + redact(token) + ".")
	}
	if k.expiresAt != nil && now >= *k.expiresAt {
		return nil, unauthorized("The API key has expired.")
	}
	return k, nil
}

func listAdminKeys(c *call) (any, error) {
	return listing[*adminKey]{
		items: c.org.adminKeys.all(),
		id:    func(k *adminKey) string { return k.ID },
		view:  func(k *adminKey) any { return k.view() },
	}.byID(c.query)
}

// createAdminKey makes a key that belongs to the owner of the calling one.
func createAdminKey(c *call) (any, error) {
	value, _ := c.org.newSecret("sk-admin-")
	k := c.org.addAdminKey(c.body.optStr("name"), value, &user{ID: c.key.ownerID}, c.now)
	k.owner = c.key.owner
	if seconds := c.body.num("expires_in_seconds"); seconds > 0 {
		k.expiresAt = new(c.now + seconds)
	}
	c.record("api_key.created", nil, created{k.ID, map[string]any{"scopes": []string{"api.management"}}}, k.ID)
	v := k.view()
	v.Value = value
	return v, nil
}

func getAdminKey(c *call) (any, error) {
	k, err := c.org.adminKeys.find("admin API key", c.path["key_id"])
	if err != nil {
		return nil, err
	}
	return k.view(), nil
}

// deleteAdminKey refuses to delete the key that asks, so that no call locks
// its caller out.
func deleteAdminKey(c *call) (any, error) {
	k, err := c.org.adminKeys.find("admin API key", c.path["key_id"])
	if err != nil {
		return nil, err
	}
	if k == c.key {
		return nil, badRequest("", "key_in_use", "An admin API key cannot delete itself.")
	}
	c.org.adminKeys.remove(k.ID)
	delete(c.org.credentials, k.secret)
	c.record("api_key.deleted", nil, ref{k.ID}, k.ID)
	return deleted{"organization.admin_api_key.deleted", k.ID, true}, nil
}
