package sandbox

import "strings"

// inviteLife is how long an invite can be accepted, in seconds.
const inviteLife = 7 * 24 * 3600

// invite asks somebody into the organization. Nobody accepts invites here, so
// those made through the API stay pending until they expire.
type invite struct {
	id         string
	email      string
	role       string
	createdAt  int64
	acceptedAt *int64
	projects   []inviteProject
}

type inviteProject struct {
	ID   string `json:"id"`
	Role string `json:"role"`
}

type inviteView struct {
	Object     string          `json:"object"`
	ID         string          `json:"id"`
	Email      string          `json:"email"`
	Role       string          `json:"role"`
	Status     string          `json:"status"`
	CreatedAt  int64           `json:"created_at"`
	ExpiresAt  *int64          `json:"expires_at"`
	AcceptedAt *int64          `json:"accepted_at"`
	Projects   []inviteProject `json:"projects"`
}

func inviteOperations() []operation {
	return []operation{
		get("/organization/invites", listInvites, limitParam(20, 100), afterParam()),
		post("/organization/invites", createInvite,
			str("email").between(3, 320).must(),
			str("role").oneOf("reader", "owner").must(),
			listOf("projects", obj("", str("id").must(), str("role").oneOf("member", "owner").must()))),
		get("/organization/invites/{invite_id}", getInvite),
		del("/organization/invites/{invite_id}", deleteInvite),
	}
}

func (i *invite) status(now int64) string {
	switch {
	case i.acceptedAt != nil:
		return "accepted"
	case now >= i.createdAt+inviteLife:
		return "expired"
	default:
		return "pending"
	}
}

func (i *invite) view(now int64) inviteView {
	return inviteView{
		Object: "organization.invite", ID: i.id, Email: i.email, Role: i.role, Status: i.status(now),
		CreatedAt: i.createdAt, ExpiresAt: new(i.createdAt + inviteLife), AcceptedAt: i.acceptedAt,
		Projects: i.projects,
	}
}

func listInvites(c *call) (any, error) {
	return listing[*invite]{
		items: c.org.invites.all(),
		id:    func(i *invite) string { return i.id },
		view:  func(i *invite) any { return i.view(c.now) },
	}.byID(c.query)
}

func createInvite(c *call) (any, error) {
	email := c.body.str("email")
	if at := strings.LastIndex(email, "@"); at < 1 || at == len(email)-1 {
		return nil, badRequest("email", "invalid_value", "'%s' is not an email address.", email)
	}
	if c.org.users.any(func(u *user) bool { return strings.EqualFold(u.address(), email) }) {
		return nil, conflict("already_member", "'%s' is already a member of the organization.", email)
	}
	if c.org.invites.any(func(i *invite) bool {
		return strings.EqualFold(i.email, email) && i.status(c.now) == "pending"
	}) {
		return nil, conflict("already_invited", "'%s' already has a pending invite.", email)
	}
	i := &invite{
		id: c.org.newID("invite-"), email: email, role: c.body.str("role"),
		createdAt: c.now, projects: []inviteProject{},
	}
	for _, p := range c.body.objects("projects") {
		if _, err := c.org.projects.find("project", p.str("id")); err != nil {
			return nil, err
		}
		i.projects = append(i.projects, inviteProject{p.str("id"), p.str("role")})
	}
	c.org.invites.add(i.id, i)
	c.record("invite.sent", nil, created{i.id, map[string]string{"email": email, "role": i.role}}, i.id)
	return i.view(c.now), nil
}

func getInvite(c *call) (any, error) {
	i, err := c.org.invites.find("invite", c.path["invite_id"])
	if err != nil {
		return nil, err
	}
	return i.view(c.now), nil
}

func deleteInvite(c *call) (any, error) {
	i, err := c.org.invites.find("invite", c.path["invite_id"])
	if err != nil {
		return nil, err
	}
	if i.acceptedAt != nil {
		return nil, badRequest("", "invite_accepted", "Invite '%s' has been accepted and cannot be deleted.", i.id)
	}
	c.org.invites.remove(i.id)
	c.record("invite.deleted", nil, ref{i.id}, i.id)
	return deleted{"organization.invite.deleted", i.id, true}, nil
}
