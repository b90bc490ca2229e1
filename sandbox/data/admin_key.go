package data

// AdminKey calls the API. It is a credential until it is deleted or expires.
type AdminKey struct {
	ID         string
	Name       *string
	Redacted   string
	CreatedAt  int64
	ExpiresAt  *int64 // nil: never
	LastUsedAt *int64
	Owner      AdminKeyOwner
	secret     string
}

// AdminKeyOwner describes the user who made an admin key, as they were then: the
// key outlives its owner's membership.
type AdminKeyOwner struct {
	Type      string `json:"type"`
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt int64  `json:"created_at"`
	Role      string `json:"role"`
	email     string
}

func ownerOf(u *User) AdminKeyOwner {
	return AdminKeyOwner{
		Type: "user", Object: "organization.user", ID: u.ID, Name: u.DisplayName(),
		CreatedAt: u.Created, Role: "owner", email: u.Address(),
	}
}

// NewAdminKey adds an admin key with the secret given.
func (o *Organization) NewAdminKey(name *string, secret string, owner AdminKeyOwner, createdAt int64) *AdminKey {
	k := &AdminKey{
		ID: o.NewID("key_"), Name: name, Redacted: Redact(secret), CreatedAt: createdAt, Owner: owner, secret: secret,
	}
	o.AdminKeys.Add(k.ID, k)
	o.credentials[secret] = k
	return k
}

// AdminKey returns the admin key with the secret given, nil if there is none.
// It does not look at the time at which the key expires.
func (o *Organization) AdminKey(secret string) *AdminKey { return o.credentials[secret] }

// DeleteAdminKey deletes the key, which is no credential from then on.
func (o *Organization) DeleteAdminKey(k *AdminKey) {
	o.AdminKeys.Remove(k.ID)
	delete(o.credentials, k.secret)
}
