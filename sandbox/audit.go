package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
)

// maxAuditEvents bounds the log; past it the oldest events go.
const maxAuditEvents = 20_000

// auditEvent is one line of the audit log.
type auditEvent struct {
	ID          string
	Type        string
	EffectiveAt int64
	Project     *auditProject
	Actor       *auditActor
	payload     any // under the event's type; nil where the type has none
	resources   []string
}

type auditProject struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// auditActor is a person's session or an API key.
type auditActor struct {
	Type    string        `json:"type"`
	Session *auditSession `json:"session,omitempty"`
	APIKey  *auditKey     `json:"api_key,omitempty"`
}

type auditSession struct {
	User      auditUser `json:"user"`
	IPAddress string    `json:"ip_address"`
}

type auditKey struct {
	ID             string     `json:"id"`
	Type           string     `json:"type"`
	User           *auditUser `json:"user,omitempty"`
	ServiceAccount *ref       `json:"service_account,omitempty"`
}

type auditUser struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// MarshalJSON puts the payload under the event's type, as the upstream does.
func (e *auditEvent) MarshalJSON() ([]byte, error) {
	members := map[string]any{"id": e.ID, "type": e.Type, "effective_at": e.EffectiveAt, "actor": e.Actor}
	if e.Project != nil {
		members["project"] = e.Project
	}
	if e.payload != nil {
		members[e.Type] = e.payload
	}
	return json.Marshal(members)
}

// tenantScoped events belong to the tenant above the organization and are
// listed only when they alone are asked for.
func tenantScoped(eventType string) bool {
	return strings.HasPrefix(eventType, "tenant.") ||
		eventType == "role.bound_to_resource" || eventType == "role.unbound_from_resource"
}

// auditLog keeps events, oldest first, and at most limit of them.
type auditLog struct {
	events []*auditEvent
	limit  int
}

func newAuditLog(limit int) *auditLog { return &auditLog{limit: limit} }

func (l *auditLog) add(e *auditEvent) {
	if len(l.events) == l.limit {
		l.events = slices.Delete(l.events, 0, l.limit/10)
	}
	l.events = append(l.events, e)
}

// keyActor is an admin key as the actor of an event.
func (o *organization) keyActor(k *adminKey) *auditActor {
	return &auditActor{Type: "api_key", APIKey: &auditKey{
		ID: k.ID, Type: "user", User: &auditUser{k.ownerID, k.owner.email},
	}}
}

func (a *auditActor) user() auditUser {
	switch {
	case a == nil:
	case a.Session != nil:
		return a.Session.User
	case a.APIKey.User != nil:
		return *a.APIKey.User
	}
	return auditUser{}
}

// ids are what actor_ids can name: a user, a service account, or a key.
func (a *auditActor) ids() []string {
	var ids []string
	if u := a.user(); u.ID != "" {
		ids = append(ids, u.ID)
	}
	if a != nil && a.APIKey != nil {
		ids = append(ids, a.APIKey.ID)
		if a.APIKey.ServiceAccount != nil {
			ids = append(ids, a.APIKey.ServiceAccount.ID)
		}
	}
	return ids
}

func auditOperations() []operation {
	return []operation{get("/organization/audit_logs", listAuditLogs,
		obj("effective_at", num("gt"), num("gte"), num("lt"), num("lte")),
		strList("project_ids"), listOf("event_types", str("").oneOf(auditEventTypes...)),
		strList("actor_ids"), strList("actor_emails"), strList("resource_ids"), flag("tenant_only"),
		limitParam(20, 100), afterParam(), beforeParam())}
}

func listAuditLogs(c *call) (any, error) {
	tenant := c.query.flag("tenant_only")
	for _, t := range c.query.strs("event_types") {
		if tenantScoped(t) != tenant {
			return nil, badRequest("event_types", "invalid_value",
				"Event type '%s' cannot be listed with tenant_only=%t.", t, tenant)
		}
	}
	return listing[*auditEvent]{
		items:       c.org.audit.events,
		id:          func(e *auditEvent) string { return e.ID },
		view:        func(e *auditEvent) any { return e },
		keep:        auditFilter(c.query, tenant),
		newestFirst: true,
	}.byID(c.query)
}

func auditFilter(query values, tenant bool) func(*auditEvent) bool {
	span := query.object("effective_at")
	// accepts says whether a filter is absent or names one of the candidates.
	accepts := func(filter string, candidates ...string) bool {
		if !query.has(filter) {
			return true
		}
		wanted := query.strs(filter)
		return slices.ContainsFunc(candidates, func(s string) bool { return slices.Contains(wanted, s) })
	}
	return func(e *auditEvent) bool {
		if tenantScoped(e.Type) != tenant ||
			span.has("gt") && e.EffectiveAt <= span.num("gt") ||
			span.has("gte") && e.EffectiveAt < span.num("gte") ||
			span.has("lt") && e.EffectiveAt >= span.num("lt") ||
			span.has("lte") && e.EffectiveAt > span.num("lte") {
			return false
		}
		var projects []string
		if e.Project != nil {
			projects = []string{e.Project.ID}
		}
		return accepts("event_types", e.Type) && accepts("project_ids", projects...) &&
			accepts("actor_ids", e.Actor.ids()...) && accepts("actor_emails", e.Actor.user().Email) &&
			accepts("resource_ids", e.resources...)
	}
}
