package sandbox

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const day = 24 * 3600

// seeder builds an organization out of random numbers. Everything happens in
// the eighteen months before the current one began, so that an organization
// stays the same for a month, whenever it is started.
type seeder struct {
	*organization
	options Options
	now     int64
	born    int64 // when the organization was founded
	anchor  int64 // the first of the current month
}

// seedOrganization is a pure function of the options and the time.
func seedOrganization(options Options, now time.Time) *organization {
	now = now.UTC()
	anchor := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	s := &seeder{
		organization: newOrganization(rand.New(rand.NewPCG(options.Seed, 0x5eed))),
		options:      options, now: now.Unix(),
		anchor: anchor.Unix(), born: anchor.AddDate(0, -18, 0).Unix(),
	}
	s.id = s.newID("org-")
	s.seedUsers()
	s.seedAdminKeys()
	s.seedRoles()
	s.seedGroups()
	s.seedCertificates()
	s.seedProjects()
	s.seedInvites()
	s.seedSpend()
	s.seedLedger()
	s.seedAudit()
	return s.organization
}

// times are n instants since `since`, in order.
func (s *seeder) times(n int, since int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = since + s.random.Int64N(max(1, s.anchor-since))
	}
	slices.Sort(out)
	return out
}

// chance is true in percent of the cases.
func (s *seeder) chance(percent int) bool { return s.random.IntN(100) < percent }

func pick[T any](s *seeder, from []T) T { return from[s.random.IntN(len(from))] }

// sample is n different items, in their order.
func sample[T any](s *seeder, from []T, n int) []T {
	at := s.random.Perm(len(from))[:min(n, len(from))]
	slices.Sort(at)
	out := make([]T, len(at))
	for i, k := range at {
		out[i] = from[k]
	}
	return out
}

// seedUsers makes one owner in thirty, the first being the founder, and some
// users of whom the API knows neither name nor address.
func (s *seeder) seedUsers() {
	for i, at := range s.times(s.options.Users, s.born) {
		first, last := pick(s, firstNames), pick(s, lastNames)
		u := &user{
			ID: s.newID("user-"), Role: "reader", AddedAt: at, Created: at - s.random.Int64N(400*day),
			Name:  new(first + " " + last),
			Email: new(fmt.Sprintf("%s.%s%d@example.com", plain(first), plain(last), i)),
		}
		if i == 0 {
			u.AddedAt, u.IsDefault = s.born, true
		}
		if i%30 == 0 {
			u.Role = "owner"
		}
		switch {
		case i > 0 && i%23 == 0:
			u.Name, u.Email = nil, nil
		case i > 0 && i%17 == 0:
			u.Name = nil
		case i%11 == 0:
			u.TechnicalLevel, u.DeveloperPersona = new("advanced"), new("backend")
		}
		u.IsSCIMManaged = s.chance(20)
		if s.chance(60) {
			u.KeyLastUsedAt = new(s.anchor - s.random.Int64N(30*day))
		}
		s.users.add(u.ID, u)
	}
}

// plain turns a name into what its owner's address has of it.
func plain(name string) string {
	unaccented := strings.NewReplacer("á", "a", "é", "e", "ı", "i", "Ó", "o", " ", "")
	return strings.ToLower(unaccented.Replace(name))
}

// seedAdminKeys makes the key of the options and two that nobody has.
func (s *seeder) seedAdminKeys() {
	founder := s.users.all()[0]
	main := s.addAdminKey(new("Main admin key"), s.options.AdminKey, founder, s.born)
	main.lastUsedAt = new(s.anchor)
	value, _ := s.newSecret("sk-admin-")
	s.addAdminKey(nil, value, founder, s.born+90*day)
	value, _ = s.newSecret("sk-admin-")
	expiring := s.addAdminKey(new("Terraform"), value, founder, s.born+200*day)
	expiring.expiresAt = new(s.anchor + 300*day)
}

func predefinedRoles() []*role {
	return []*role{
		{
			ID: "role-api-organization-owner", Name: "owner", Description: new("Can change everything in the organization."),
			Permissions: []string{"api.organization.read", "api.organization.write"}, ResourceType: organizationResource, Predefined: true,
		},
		{
			ID: "role-api-organization-reader", Name: "reader", Description: new("Can see the organization."),
			Permissions: []string{"api.organization.read"}, ResourceType: organizationResource, Predefined: true,
		},
	}
}

func predefinedProjectRoles() []*role {
	return []*role{
		{
			ID: "role-api-project-owner", Name: "owner", Description: new("Can change everything in the project."),
			Permissions: []string{"api.project.read", "api.project.write"}, ResourceType: projectResource, Predefined: true,
		},
		{
			ID: "role-api-project-member", Name: "member", Description: new("Can use the project."),
			Permissions: []string{"api.model.request", "api.project.read"}, ResourceType: projectResource, Predefined: true,
		},
	}
}

func (s *seeder) seedRoles() {
	for _, r := range predefinedRoles() {
		s.roles.add(r.ID, r)
	}
	at := s.times(len(roleSeeds), s.born)
	for i, seed := range roleSeeds {
		r := s.customRole(seed.name, seed.description, seed.permissions, organizationResource, at[i])
		s.roles.add(r.ID, r)
	}
	custom := s.roles.all()[len(predefinedRoles()):]
	for _, u := range s.users.all() {
		if s.chance(15) {
			s.assign(principal{kind: "user", id: u.ID}, pick(s, custom))
		}
	}
}

func (s *seeder) customRole(name, description string, permissions []string, resource string, at int64) *role {
	return &role{
		ID: s.newID("role-"), Name: name, Description: nonEmpty(description), Permissions: permissions,
		ResourceType: resource, createdAt: new(at), updatedAt: new(at + s.random.Int64N(30*day)),
		createdBy: new(s.users.ids[0]),
	}
}

// seedGroups ends with two that an identity provider manages.
func (s *seeder) seedGroups() {
	at := s.times(s.options.Groups, s.born)
	for i := range at {
		g := &group{
			ID: s.newID("group_"), Name: pick(s, groupNames), CreatedAt: at[i], Type: "group",
			members: newCollection[*groupMember](),
		}
		if i < len(groupNames) {
			g.Name = groupNames[i]
		} else {
			g.Name = fmt.Sprintf("%s %d", g.Name, i)
		}
		if i >= len(at)-2 {
			g.SCIM = true
		}
		if i == len(at)-1 {
			g.Type = "tenant_group"
		}
		for _, u := range sample(s, s.users.all(), 2+s.random.IntN(20)) {
			g.members.add(u.ID, &groupMember{u.ID})
		}
		s.groups.add(g.ID, g)
		if s.chance(50) {
			s.assign(principal{kind: "group", id: g.ID}, pick(s, s.roles.all()))
		}
	}
}

func (s *seeder) seedInvites() {
	at := s.times(s.options.Invites, s.anchor-60*day)
	for i := range at {
		first, last := pick(s, firstNames), pick(s, lastNames)
		v := &invite{
			id: s.newID("invite-"), role: "reader", createdAt: at[i], projects: []inviteProject{},
			email: fmt.Sprintf("%s.%s.invited%d@example.com", plain(first), plain(last), i),
		}
		switch {
		case i >= len(at)-len(at)/3:
			v.createdAt = s.now - int64(len(at)-i)*600 // still pending
		case s.chance(60):
			v.acceptedAt = new(v.createdAt + s.random.Int64N(inviteLife))
		}
		if s.chance(15) {
			v.role = "owner"
		}
		for _, p := range sample(s, s.projects.all(), s.random.IntN(3)) {
			v.projects = append(v.projects, inviteProject{p.ID, pick(s, []string{"member", "owner"})})
		}
		s.invites.add(v.id, v)
	}
}

func (s *seeder) seedSpend() {
	for i, threshold := range []int64{500_000, 1_000_000, 2_500_000} {
		a := &spendAlert{
			ID: s.newID("alert_"), Object: "organization.spend_alert", Threshold: threshold, Currency: "USD", Interval: "month",
			Channel: alertChannel{Type: "email", Recipients: []string{"finance@example.com"}},
		}
		if i > 0 {
			a.Channel.SubjectPrefix = new("[spend]")
		}
		s.alerts.add(a.ID, a)
	}
	s.spendLimit = &spendLimit{100_000_000, "USD", "month"}
}
