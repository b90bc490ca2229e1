package sandbox

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// seedProjects fills projects with members, groups, service accounts and keys.
// Every tenth is archived, and so empty.
func (s *seeder) seedProjects() {
	for i, at := range s.times(s.options.Projects, s.born) {
		p := s.newProject(fmt.Sprintf("%s %s", pick(s, projectAreas), pick(s, projectPurposes)), at)
		s.projects.add(p.ID, p)
		if i%8 == 3 {
			p.ExternalKeyID = new(s.newID("ext_key_"))
		}
		if i%5 == 1 {
			p.Residency = pick(s, residencies)
		}
		if i%10 == 7 {
			p.Status, p.ArchivedAt = "archived", new(at+s.random.Int64N(max(1, s.anchor-at)))
			continue
		}
		s.fillProject(i, p)
	}
}

func (s *seeder) fillProject(i int, p *project) {
	users := sample(s, s.users.all(), 3+s.random.IntN(20))
	for k, u := range users {
		role := "member"
		if k == 0 {
			role = "owner"
		}
		p.members.add(u.ID, &member{u.ID, role, max(p.CreatedAt, u.AddedAt)})
	}
	for _, g := range sample(s, s.groups.all(), s.random.IntN(3)) {
		p.groups.add(g.ID, &projectGroup{g.ID, max(p.CreatedAt, g.CreatedAt)})
		s.assign(principal{p.ID, "group", g.ID}, pick(s, p.roles.all()))
	}
	if i%4 == 0 {
		r := s.customRole("Prompt editor", "Changes prompts.", []string{"api.prompts.read", "api.prompts.write"}, projectResource, p.CreatedAt)
		p.roles.add(r.ID, r)
		s.assign(principal{p.ID, "user", users[0].ID}, r)
	}
	for k := range 1 + s.random.IntN(3) {
		a := s.newServiceAccount(p, pick(s, accountNames), "member", p.CreatedAt+int64(k)*day)
		s.seedKey(p, "sk-svcacct-", a.CreatedAt).accountID = a.ID
	}
	for _, u := range sample(s, users, 2+s.random.IntN(5)) {
		s.seedKey(p, "sk-proj-", max(p.CreatedAt, u.AddedAt)).userID = u.ID
	}
	// One who has left the project and still has a key there.
	left := pick(s, s.users.all())
	s.seedKey(p, "sk-proj-", max(p.CreatedAt, left.AddedAt)).userID = left.ID

	if i%3 == 0 {
		a := &spendAlert{
			ID: s.newID("alert_"), Object: "project.spend_alert", Threshold: 50_000, Currency: "USD", Interval: "month",
			Channel: alertChannel{Type: "email", Recipients: []string{"finance@example.com", "team@example.com"}},
		}
		p.alerts.add(a.ID, a)
		p.spendLimit = &spendLimit{200_000, "USD", "month"}
	}
	if i%4 == 1 {
		p.models = &modelPermissions{"project.model_permissions", "allow_list", []string{"gpt-5", "gpt-5-mini"}}
	}
	if i%6 == 2 {
		p.tools["mcp"] = toolPermission{false}
		p.retention = "zero_data_retention"
	}
	for _, t := range sample(s, s.certificates.all(), s.random.IntN(2)) {
		p.certificates[t.ID] = true
	}
}

// seedKey makes a key that has been used, or one in four that never was.
func (s *seeder) seedKey(p *project, prefix string, at int64) *projectKey {
	k, _ := s.newProjectKey(p, pick(s, keyNames), prefix, at)
	if !s.chance(25) {
		k.lastUsedAt = new(s.anchor - s.random.Int64N(max(1, s.anchor-at)))
	}
	return k
}

// seedCertificates makes self-signed certificates: an active one, two that
// are not, and one without a name.
func (s *seeder) seedCertificates() {
	names := []*string{new("Edge proxy"), new("Batch cluster"), nil, new("Old edge proxy")}
	for i, at := range s.times(len(names), s.born) {
		t := &certificate{ID: s.newID("cert_"), Name: names[i], CreatedAt: at, active: i == 0}
		t.validAt, t.expiresAt = at-day, at+730*day
		content, err := selfSigned(s.options.Seed+uint64(i), t.validAt, t.expiresAt)
		if err != nil {
			continue // without certificates the organization is still one
		}
		t.content = content
		s.certificates.add(t.ID, t)
	}
}

// selfSigned is a certificate in PEM that depends on nothing but its
// arguments: Ed25519 signs without randomness.
func selfSigned(serial uint64, validAt, expiresAt int64) (string, error) {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, fmt.Sprint(serial))
	key := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).Add(new(big.Int).SetUint64(serial), big.NewInt(1)),
		Subject:      pkix.Name{CommonName: "sandbox.example.com", Organization: []string{"Example Industries"}},
		NotBefore:    time.Unix(validAt, 0).UTC(), NotAfter: time.Unix(expiresAt, 0).UTC(),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return "", fmt.Errorf("sign certificate: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
