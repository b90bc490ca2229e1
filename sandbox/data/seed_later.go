package data

import "math/rand/v2"

// seedLater makes what the API has had since November 2026. It draws from random
// numbers of its own, so that the rest of an organization is what it was before.
func (s *seeder) seedLater(ledger *ledgerBuilder) {
	earlier := s.random
	defer func() { s.random = earlier }()
	s.random = rand.New(rand.NewPCG(s.seed, 0x1a7e))
	s.seedKeyLives()
	s.seedTiers()
	s.seedExternalKeys()
	s.seedExternalStorage()
	s.seedProviders()
	ledger.seedDecisions()
	s.seedLaterEvents()
}

// openProjects returns the projects that are not archived.
func (s *seeder) openProjects() []*Project {
	var open []*Project
	for _, p := range s.Projects.All() {
		if p.ArchivedAt == nil {
			open = append(open, p)
		}
	}
	return open
}

// keyScopes are the restrictions of seeded keys.
var keyScopes = [][]string{
	{"api.all.read"}, {"api.model.request"}, {"api.model.request", "api.model.read"}, {"api.files.read", "api.files.write"},
}

// seedKeyLives lets some keys expire and restricts some. Expired keys are among those
// that were never used: the history of usage has no other end.
func (s *seeder) seedKeyLives() {
	for _, p := range s.openProjects() {
		for _, k := range p.Keys.All() {
			switch {
			case k.LastUsedAt == nil && s.chance(50):
				k.ExpiresAt = new(k.CreatedAt + 1 + s.random.Int64N(max(1, s.anchor-k.CreatedAt)))
			case s.chance(15): // soon, at any time of the current month
				k.ExpiresAt = new(s.anchor + 31*day + s.random.Int64N(14*day))
			case s.chance(20):
				k.ExpiresAt = new(s.anchor + 60*day + s.random.Int64N(240*day))
			}
			if s.chance(40) {
				k.Scopes = pick(s, keyScopes)
			}
		}
	}
}

func (s *seeder) seedTiers() {
	for i, p := range s.openProjects() {
		switch i % 5 {
		case 2:
			p.Tiers = ServiceTiers{Default: "fast", Enabled: []string{"flex", "fast"}}
		case 4:
			p.Tiers = ServiceTiers{Default: "standard"}
		}
	}
}

// seedDecisions gives decisions to some of the keys that are used.
func (b *ledgerBuilder) seedDecisions() {
	first := true
	for _, p := range b.openProjects() {
		for _, k := range p.Keys.All() {
			if k.LastUsedAt != nil && (b.chance(12) || first) {
				b.text("decisions", p, k, pick(b.seeder, b.family("text")))
				first = false
			}
		}
	}
}

// seedLaterEvents turns one everyday event into an event of each newer type, as far
// as there are enough.
func (s *seeder) seedLaterEvents() {
	at := 0
	for _, eventType := range laterEventTypes() {
		for at < len(s.audit.events) && s.audit.events[at].Type != "login.succeeded" {
			at++
		}
		if at == len(s.audit.events) {
			return
		}
		e, target := s.audit.events[at], s.randomText(12)
		e.Type, e.Resources = eventType, []string{target}
		e.payload = eventPayload(eventType, target, e.ActorEmail(), &Project{ID: "proj_none"})
	}
}
