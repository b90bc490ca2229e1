package data

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

const day = 24 * 3600

// seeder draws an organization from random numbers. Everything happens in the
// two years before the first of the current month, so that an organization
// stays the same for a month.
type seeder struct {
	*Organization
	seed     uint64
	sizes    Sizes
	adminKey string
	now      int64
	born     int64 // when the organization was founded
	anchor   int64 // the first of the current month
}

// Sizes say how large an organization is.
type Sizes struct {
	Users       int // at least 1: every organization has an owner
	Projects    int
	Groups      int
	Invites     int
	AuditEvents int // at most 20000; a larger number means 20000
}

// Seed draws an organization. It is a pure function of the arguments; adminKey is
// the secret of the first admin key.
func Seed(seed uint64, sizes Sizes, adminKey string, now time.Time) *Organization {
	sizes.AuditEvents = min(sizes.AuditEvents, maxAuditEvents)
	now = now.UTC()
	anchor := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	s := &seeder{
		Organization: newOrganization(rand.New(rand.NewPCG(seed, 0x5eed))),
		seed:         seed, sizes: sizes, adminKey: adminKey, now: now.Unix(),
		anchor: anchor.Unix(), born: anchor.AddDate(-2, 0, 0).Unix(),
	}
	s.ID = s.NewID("org-")
	s.seedUsers()
	s.seedAdminKeys()
	s.seedRoles()
	s.seedGroups()
	s.seedCertificates()
	s.seedProjects()
	s.seedInvites()
	s.seedSpend()
	ledger := s.seedLedger()
	s.seedAudit()
	s.seedLater(ledger)
	return s.Organization
}

// times returns n instants between since and the anchor, in order.
func (s *seeder) times(n int, since int64) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = since + s.random.Int64N(max(1, s.anchor-since))
	}
	slices.Sort(out)
	return out
}

// chance returns true in the given percentage of cases.
func (s *seeder) chance(percent int) bool { return s.random.IntN(100) < percent }

func pick[T any](s *seeder, from []T) T { return from[s.random.IntN(len(from))] }

// sample returns n different items, in their order.
func sample[T any](s *seeder, from []T, n int) []T {
	at := s.random.Perm(len(from))[:min(n, len(from))]
	slices.Sort(at)
	out := make([]T, len(at))
	for i, k := range at {
		out[i] = from[k]
	}
	return out
}

// seedUsers makes every thirtieth user an owner; the first one is the founder. Some
// users have no name or address.
func (s *seeder) seedUsers() {
	for i, at := range s.times(s.sizes.Users, s.born) {
		first, last := pick(s, firstNames), pick(s, lastNames)
		u := &User{
			ID: s.NewID("user-"), Role: "reader", AddedAt: at, Created: at - s.random.Int64N(400*day),
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
		s.Users.Add(u.ID, u)
	}
}

// plain returns the form that a name has in an address.
func plain(name string) string {
	unaccented := strings.NewReplacer("á", "a", "é", "e", "ı", "i", "Ó", "o", " ", "")
	return strings.ToLower(unaccented.Replace(name))
}

// seedAdminKeys makes the given key and two keys whose secret nobody knows.
func (s *seeder) seedAdminKeys() {
	founder := ownerOf(s.Users.All()[0])
	main := s.NewAdminKey(new("Main admin key"), s.adminKey, founder, s.born)
	main.LastUsedAt = new(s.anchor)
	s.NewAdminKey(nil, s.NewSecret("sk-admin-"), founder, s.born+90*day)
	expiring := s.NewAdminKey(new("Terraform"), s.NewSecret("sk-admin-"), founder, s.born+200*day)
	expiring.ExpiresAt = new(s.anchor + 300*day)
}

func (s *seeder) seedRoles() {
	for _, r := range predefinedRoles() {
		s.Roles.Add(r.ID, r)
	}
	at := s.times(len(roleSeeds), s.born)
	for i, seed := range roleSeeds {
		r := s.customRole(seed.name, seed.description, seed.permissions, OrganizationResource, at[i])
		s.Roles.Add(r.ID, r)
	}
	custom := s.Roles.All()[len(predefinedRoles()):]
	for _, u := range s.Users.All() {
		if s.chance(15) {
			s.Assign(Principal{Kind: "user", ID: u.ID}, pick(s, custom))
		}
	}
}

func (s *seeder) customRole(name, description string, permissions []string, resource string, at int64) *Role {
	r := &Role{
		ID: s.NewID("role-"), Name: name, Permissions: permissions,
		ResourceType: resource, CreatedAt: new(at), UpdatedAt: new(at + s.random.Int64N(30*day)),
		CreatedBy: new(s.Users.ids[0]),
	}
	if description != "" {
		r.Description = &description
	}
	return r
}

// seedGroups makes groups; an identity provider manages the last two.
func (s *seeder) seedGroups() {
	at := s.times(s.sizes.Groups, s.born)
	for i := range at {
		g := s.NewGroup("", at[i])
		g.Name = pick(s, groupNames)
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
		for _, u := range sample(s, s.Users.All(), 2+s.random.IntN(20)) {
			g.Members.Add(u.ID, u)
		}
		if s.chance(50) {
			s.Assign(Principal{Kind: "group", ID: g.ID}, pick(s, s.Roles.All()))
		}
	}
}

func (s *seeder) seedInvites() {
	at := s.times(s.sizes.Invites, s.anchor-60*day)
	for i := range at {
		first, last := pick(s, firstNames), pick(s, lastNames)
		v := &Invite{
			ID: s.NewID("invite-"), Role: "reader", CreatedAt: at[i], Projects: []InviteProject{},
			Email: fmt.Sprintf("%s.%s.invited%d@example.com", plain(first), plain(last), i),
		}
		switch {
		case i >= len(at)-len(at)/3:
			v.CreatedAt = s.now - int64(len(at)-i)*600 // still pending
		case s.chance(60):
			v.AcceptedAt = new(v.CreatedAt + s.random.Int64N(InviteLife))
		}
		if s.chance(15) {
			v.Role = "owner"
		}
		for _, p := range sample(s, s.Projects.All(), s.random.IntN(3)) {
			v.Projects = append(v.Projects, InviteProject{p.ID, pick(s, []string{"member", "owner"})})
		}
		s.Invites.Add(v.ID, v)
	}
}

func (s *seeder) seedSpend() {
	for i, threshold := range []int64{500_000, 1_000_000, 2_500_000} {
		a := &SpendAlert{
			ID: s.NewID("alert_"), Object: "organization.spend_alert", Threshold: threshold, Currency: "USD", Interval: "month",
			Channel: AlertChannel{Type: "email", Recipients: []string{"finance@example.com"}},
		}
		if i > 0 {
			a.Channel.SubjectPrefix = new("[spend]")
		}
		s.Alerts.Add(a.ID, a)
	}
	s.SpendLimit = &SpendLimit{100_000_000, "USD", "month"}
}
