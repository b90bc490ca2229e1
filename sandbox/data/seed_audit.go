package data

import (
	"fmt"
	"slices"
)

// everyday are the event types of a real log; a frequent type is there more than
// once.
var everyday = []string{
	"login.succeeded", "login.succeeded", "login.succeeded", "login.succeeded", "login.failed", "logout.succeeded",
	"api_key.created", "api_key.created", "api_key.updated", "api_key.deleted", "user.added", "user.updated",
	"project.updated", "rate_limit.updated", "service_account.created", "role.assignment.created", "group.updated",
	"tenant.user.looked_up", "tenant.workload_identity.access_token.issued",
}

// seedAudit writes a history that has every earlier event type at least once, if there
// are enough events. Events of a project follow its creation.
func (s *seeder) seedAudit() {
	n := s.sizes.AuditEvents
	if n == 0 {
		return
	}
	types := earlierEventTypes()
	for len(types) < n {
		types = append(types, pick(s, everyday))
	}
	types = types[:n]
	s.random.Shuffle(len(types), func(i, j int) { types[i], types[j] = types[j], types[i] })
	projects := s.Projects.All()
	for i, at := range s.times(len(types), s.born) {
		e := &AuditEvent{ID: s.NewID("audit_log-"), Type: types[i], EffectiveAt: at, actor: s.actor(types[i])}
		about := &Project{ID: "proj_none"}
		if len(projects) > 0 {
			about = pick(s, projects)
		}
		target := s.targetOf(types[i], about)
		if about.CreatedAt <= at && about.Name != nil && inProject(types[i]) {
			e.project = &auditProject{about.ID, about.DisplayName()}
		}
		e.payload = eventPayload(types[i], target, e.ActorEmail(), about)
		e.Resources = []string{target}
		s.audit.add(e)
	}
}

func inProject(eventType string) bool {
	return slices.ContainsFunc([]string{"api_key.", "project.", "rate_limit.", "service_account.", "checkpoint."},
		func(prefix string) bool { return len(eventType) > len(prefix) && eventType[:len(prefix)] == prefix })
}

func (s *seeder) targetOf(eventType string, about *Project) string {
	switch {
	case len(eventType) > 8 && eventType[:8] == "project.":
		return about.ID
	case len(eventType) > 5 && eventType[:5] == "user.":
		return pick(s, s.Users.ids)
	case eventType == "organization.updated":
		return s.ID
	default:
		return s.randomText(12)
	}
}

// actor is a session in most cases, otherwise an API key of a user or of a service
// account. An event of the system itself has none.
func (s *seeder) actor(eventType string) *auditActor {
	u := pick(s, s.Users.All())
	who := auditUser{u.ID, u.Address()}
	if eventType == "tenant.migration.completed" {
		return nil
	}
	login := len(eventType) > 3 && eventType[:3] == "log"
	switch n := s.random.IntN(10); {
	case login || n < 7:
		ip := fmt.Sprintf("198.51.100.%d", 1+s.random.IntN(250))
		return &auditActor{Type: "session", Session: &auditSession{who, ip}}
	case n < 9:
		return &auditActor{Type: "api_key", APIKey: &auditKey{ID: s.NewID("key_"), Type: "user", User: &who}}
	default:
		return &auditActor{Type: "api_key", APIKey: &auditKey{
			ID: s.NewID("key_"), Type: "service_account", ServiceAccount: &TargetPayload{s.NewID("svc_acct_")},
		}}
	}
}
