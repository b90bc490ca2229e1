package data

import "fmt"

// seedProjects makes projects with members, groups, service accounts and keys.
// Every tenth project is archived and therefore empty.
func (s *seeder) seedProjects() {
	for i, at := range s.times(s.sizes.Projects, s.born) {
		p := s.NewProject(fmt.Sprintf("%s %s", pick(s, projectAreas), pick(s, projectPurposes)), at)
		if i%8 == 3 {
			p.ExternalKeyID = new(s.NewID("ext_key_"))
		}
		if i%5 == 1 {
			p.Residency = pick(s, seededResidencies())
		}
		if i%10 == 7 {
			p.Status, p.ArchivedAt = "archived", new(at+s.random.Int64N(max(1, s.anchor-at)))
			continue
		}
		s.fillProject(i, p)
	}
}

func (s *seeder) fillProject(i int, p *Project) {
	users := sample(s, s.Users.All(), 3+s.random.IntN(20))
	for k, u := range users {
		role := "member"
		if k == 0 {
			role = "owner"
		}
		p.Members.Add(u.ID, &Member{u.ID, role, max(p.CreatedAt, u.AddedAt)})
	}
	for _, g := range sample(s, s.Groups.All(), s.random.IntN(3)) {
		p.Groups.Add(g.ID, &ProjectGroup{g.ID, max(p.CreatedAt, g.CreatedAt)})
		s.Assign(Principal{p.ID, "group", g.ID}, pick(s, p.Roles.All()))
	}
	if i%4 == 0 {
		r := s.customRole("Prompt editor", "Changes prompts.", []string{"api.prompts.read", "api.prompts.write"}, ProjectResource, p.CreatedAt)
		p.Roles.Add(r.ID, r)
		s.Assign(Principal{p.ID, "user", users[0].ID}, r)
	}
	for k := range 1 + s.random.IntN(3) {
		a := s.NewServiceAccount(p, pick(s, accountNames), "member", p.CreatedAt+int64(k)*day)
		s.seedKey(p, "sk-svcacct-", a.CreatedAt).AccountID = a.ID
	}
	for _, u := range sample(s, users, 2+s.random.IntN(5)) {
		s.seedKey(p, "sk-proj-", max(p.CreatedAt, u.AddedAt)).UserID = u.ID
	}
	// This user may have left the project, and still has a key there.
	left := pick(s, s.Users.All())
	s.seedKey(p, "sk-proj-", max(p.CreatedAt, left.AddedAt)).UserID = left.ID

	if i%3 == 0 {
		a := &SpendAlert{
			ID: s.NewID("alert_"), Object: "project.spend_alert", Threshold: 50_000, Currency: "USD", Interval: "month",
			Channel: AlertChannel{Type: "email", Recipients: []string{"finance@example.com", "team@example.com"}},
		}
		p.Alerts.Add(a.ID, a)
		p.SpendLimit = &SpendLimit{200_000, "USD", "month"}
	}
	if i%4 == 1 {
		p.Models = &ModelPermissions{"project.model_permissions", "allow_list", []string{"gpt-5", "gpt-5-mini"}}
	}
	if i%6 == 2 {
		p.Tools["mcp"] = ToolPermission{false}
		p.Retention = "zero_data_retention"
	}
	for _, t := range sample(s, s.Certificates.All(), s.random.IntN(2)) {
		p.Certificates[t.ID] = true
	}
}

// seededResidencies are the regions of seeded projects. Another number of them would
// change everything that is drawn later.
func seededResidencies() []string { return Residencies()[:12] }

// seedKey makes a key. One key in four was never used.
func (s *seeder) seedKey(p *Project, prefix string, at int64) *ProjectKey {
	k, _ := s.NewProjectKey(p, pick(s, keyNames), prefix, at)
	if !s.chance(25) {
		k.LastUsedAt = new(s.anchor - s.random.Int64N(max(1, s.anchor-at)))
	}
	return k
}

// seedCertificates makes self-signed certificates: the first is active, and the
// third has no name.
func (s *seeder) seedCertificates() {
	names := []*string{new("Edge proxy"), new("Batch cluster"), nil, new("Old edge proxy")}
	for i, at := range s.times(len(names), s.born) {
		t := &Certificate{ID: s.NewID("cert_"), Name: names[i], CreatedAt: at, Active: i == 0}
		t.ValidAt, t.ExpiresAt = at-day, at+730*day
		content, err := SelfSigned(s.seed+uint64(i), t.ValidAt, t.ExpiresAt)
		if err != nil {
			continue // without certificates the organization is still one
		}
		t.Content = content
		s.Certificates.Add(t.ID, t)
	}
}
