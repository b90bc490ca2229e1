package sandbox

import "github.com/admin-gateway/admin-gateway/sandbox/data"

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
	Object     string             `json:"object"`
	ID         string             `json:"id"`
	Name       *string            `json:"name"`
	Redacted   string             `json:"redacted_value"`
	CreatedAt  int64              `json:"created_at"`
	ExpiresAt  *int64             `json:"expires_at"`
	LastUsedAt *int64             `json:"last_used_at"`
	Owner      data.AdminKeyOwner `json:"owner"`
	Value      string             `json:"value,omitempty"`
}

func viewAdminKey(k *data.AdminKey) adminKeyView {
	return adminKeyView{
		Object: "organization.admin_api_key", ID: k.ID, Name: k.Name, Redacted: k.Redacted,
		CreatedAt: k.CreatedAt, ExpiresAt: k.ExpiresAt, LastUsedAt: k.LastUsedAt, Owner: k.Owner,
	}
}

// authenticate returns the key that a bearer token names, unless it has expired.
func authenticate(o *data.Organization, token string, now int64) (*data.AdminKey, *apiError) {
	k := o.AdminKey(token)
	if k == nil {
		return nil, unauthorized("Incorrect API key provided: " + data.Redact(token) + ".")
	}
	if k.ExpiresAt != nil && now >= *k.ExpiresAt {
		return nil, unauthorized("The API key has expired.")
	}
	return k, nil
}

func listAdminKeys(c *call) (any, error) {
	return listing[*data.AdminKey]{
		items: c.org.AdminKeys.All(),
		id:    func(k *data.AdminKey) string { return k.ID },
		view:  func(k *data.AdminKey) any { return viewAdminKey(k) },
	}.byID(c.query)
}

// createAdminKey makes a key with the same owner as the calling key.
func createAdminKey(c *call) (any, error) {
	value := c.org.NewSecret("sk-admin-")
	k := c.org.NewAdminKey(c.body.optStr("name"), value, c.key.Owner, c.now)
	if seconds := c.body.num("expires_in_seconds"); seconds > 0 {
		k.ExpiresAt = new(c.now + seconds)
	}
	c.record("api_key.created", nil, data.CreatedPayload{ID: k.ID, Data: map[string]any{"scopes": []string{"api.management"}}}, k.ID)
	v := viewAdminKey(k)
	v.Value = value
	return v, nil
}

func getAdminKey(c *call) (any, error) {
	k, err := find(c.org.AdminKeys, "admin API key", c.path["key_id"])
	if err != nil {
		return nil, err
	}
	return viewAdminKey(k), nil
}

// deleteAdminKey refuses to delete the calling key, so that no caller locks
// itself out.
func deleteAdminKey(c *call) (any, error) {
	k, err := find(c.org.AdminKeys, "admin API key", c.path["key_id"])
	if err != nil {
		return nil, err
	}
	if k == c.key {
		return nil, badRequest("", "key_in_use", "An admin API key cannot delete itself.")
	}
	c.org.DeleteAdminKey(k)
	c.record("api_key.deleted", nil, data.TargetPayload{ID: k.ID}, k.ID)
	return deleted{"organization.admin_api_key.deleted", k.ID, true}, nil
}
