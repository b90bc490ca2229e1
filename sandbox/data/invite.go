package data

// InviteLife is how long an invite can be accepted, in seconds.
const InviteLife = 7 * 24 * 3600

// Invite asks a person into the organization. Only seeded invites are ever
// accepted; those made through the API stay pending until they expire.
type Invite struct {
	ID         string
	Email      string
	Role       string // owner or reader
	CreatedAt  int64
	AcceptedAt *int64
	Projects   []InviteProject
}

// InviteProject is a project that an invite gives access to.
type InviteProject struct {
	ID   string `json:"id"`
	Role string `json:"role"` // owner or member
}
