package sandbox

import (
	"strings"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

type inviteView struct {
	Object     string               `json:"object"`
	ID         string               `json:"id"`
	Email      string               `json:"email"`
	Role       string               `json:"role"`
	Status     string               `json:"status"`
	CreatedAt  int64                `json:"created_at"`
	ExpiresAt  *int64               `json:"expires_at"`
	AcceptedAt *int64               `json:"accepted_at"`
	Projects   []data.InviteProject `json:"projects"`
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

func inviteStatus(i *data.Invite, now int64) string {
	switch {
	case i.AcceptedAt != nil:
		return "accepted"
	case now >= i.CreatedAt+data.InviteLife:
		return "expired"
	default:
		return "pending"
	}
}

func viewInvite(i *data.Invite, now int64) inviteView {
	return inviteView{
		Object: "organization.invite", ID: i.ID, Email: i.Email, Role: i.Role, Status: inviteStatus(i, now),
		CreatedAt: i.CreatedAt, ExpiresAt: new(i.CreatedAt + data.InviteLife), AcceptedAt: i.AcceptedAt,
		Projects: i.Projects,
	}
}

func listInvites(c *call) (any, error) {
	return listing[*data.Invite]{
		items: c.org.Invites.All(),
		id:    func(i *data.Invite) string { return i.ID },
		view:  func(i *data.Invite) any { return viewInvite(i, c.now) },
	}.byID(c.query)
}

func createInvite(c *call) (any, error) {
	email := c.body.str("email")
	if at := strings.LastIndex(email, "@"); at < 1 || at == len(email)-1 {
		return nil, badRequest("email", "invalid_value", "'%s' is not an email address.", email)
	}
	if c.org.Users.Any(func(u *data.User) bool { return strings.EqualFold(u.Address(), email) }) {
		return nil, conflict("already_member", "'%s' is already a member of the organization.", email)
	}
	if c.org.Invites.Any(func(i *data.Invite) bool {
		return strings.EqualFold(i.Email, email) && inviteStatus(i, c.now) == "pending"
	}) {
		return nil, conflict("already_invited", "'%s' already has a pending invite.", email)
	}
	i := &data.Invite{
		ID: c.org.NewID("invite-"), Email: email, Role: c.body.str("role"),
		CreatedAt: c.now, Projects: []data.InviteProject{},
	}
	for _, p := range c.body.objects("projects") {
		if _, err := find(c.org.Projects, "project", p.str("id")); err != nil {
			return nil, err
		}
		i.Projects = append(i.Projects, data.InviteProject{ID: p.str("id"), Role: p.str("role")})
	}
	c.org.Invites.Add(i.ID, i)
	c.record("invite.sent", nil, data.CreatedPayload{ID: i.ID, Data: map[string]string{"email": email, "role": i.Role}}, i.ID)
	return viewInvite(i, c.now), nil
}

func getInvite(c *call) (any, error) {
	i, err := find(c.org.Invites, "invite", c.path["invite_id"])
	if err != nil {
		return nil, err
	}
	return viewInvite(i, c.now), nil
}

func deleteInvite(c *call) (any, error) {
	i, err := find(c.org.Invites, "invite", c.path["invite_id"])
	if err != nil {
		return nil, err
	}
	if i.AcceptedAt != nil {
		return nil, badRequest("", "invite_accepted", "Invite '%s' has been accepted and cannot be deleted.", i.ID)
	}
	c.org.Invites.Remove(i.ID)
	c.record("invite.deleted", nil, data.TargetPayload{ID: i.ID}, i.ID)
	return deleted{"organization.invite.deleted", i.ID, true}, nil
}
