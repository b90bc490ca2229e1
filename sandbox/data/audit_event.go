package data

import (
	"encoding/json"
	"slices"
)

// maxAuditEvents bounds the log; past it the oldest events go.
const maxAuditEvents = 20_000

// AuditEvent is one line of the audit log. It marshals to the JSON that the API
// shows.
type AuditEvent struct {
	ID          string
	Type        string
	EffectiveAt int64
	Resources   []string // Ids of what the event is about.

	project *auditProject
	actor   *auditActor // nil: the system itself
	payload any         // nil where the event's type has none
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
	ID             string         `json:"id"`
	Type           string         `json:"type"`
	User           *auditUser     `json:"user,omitempty"`
	ServiceAccount *TargetPayload `json:"service_account,omitempty"`
}

type auditUser struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// TargetPayload is the payload of an event that names nothing but its target.
type TargetPayload struct {
	ID string `json:"id"`
}

// CreatedPayload is the payload of an event that carries the requested content.
type CreatedPayload struct {
	ID   string `json:"id"`
	Data any    `json:"data"`
}

// ChangedPayload is the payload of an event that carries the requested changes.
type ChangedPayload struct {
	ID      string `json:"id"`
	Changes any    `json:"changes_requested"`
}

// MarshalJSON puts the payload under the event's type, as the upstream does.
func (e *AuditEvent) MarshalJSON() ([]byte, error) {
	members := map[string]any{"id": e.ID, "type": e.Type, "effective_at": e.EffectiveAt, "actor": e.actor}
	if e.project != nil {
		members["project"] = e.project
	}
	if e.payload != nil {
		members[e.Type] = e.payload
	}
	return json.Marshal(members)
}

// ProjectID returns the project in which the event happened, empty for an event
// of the organization.
func (e *AuditEvent) ProjectID() string {
	if e.project == nil {
		return ""
	}
	return e.project.ID
}

// ActorEmail returns the address of the person who acted, if one is known.
func (e *AuditEvent) ActorEmail() string { return e.actor.user().Email }

// ActorIDs returns the ids by which the actor can be found: of a user, a service
// account or a key.
func (e *AuditEvent) ActorIDs() []string {
	var ids []string
	if u := e.actor.user(); u.ID != "" {
		ids = append(ids, u.ID)
	}
	if e.actor != nil && e.actor.APIKey != nil {
		ids = append(ids, e.actor.APIKey.ID)
		if e.actor.APIKey.ServiceAccount != nil {
			ids = append(ids, e.actor.APIKey.ServiceAccount.ID)
		}
	}
	return ids
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

// AuditEvents returns the audit log, oldest event first. The caller does not
// change the slice.
func (o *Organization) AuditEvents() []*AuditEvent { return o.audit.events }

// Record leaves an audit event by the admin key. A nil project means that the
// action belongs to the organization, a nil payload that the type has none.
func (o *Organization) Record(now int64, by *AdminKey, eventType string, p *Project, payload any, resources ...string) {
	e := &AuditEvent{
		ID: o.NewID("audit_log-"), Type: eventType, EffectiveAt: now, Resources: resources,
		actor: &auditActor{Type: "api_key", APIKey: &auditKey{
			ID: by.ID, Type: "user", User: &auditUser{by.Owner.ID, by.Owner.email},
		}},
		payload: payload,
	}
	if p != nil {
		e.project = &auditProject{p.ID, p.DisplayName()}
	}
	o.audit.add(e)
}

// auditLog holds events, oldest first, and at most limit of them.
type auditLog struct {
	events []*AuditEvent
	limit  int
}

func newAuditLog(limit int) *auditLog { return &auditLog{limit: limit} }

func (l *auditLog) add(e *AuditEvent) {
	if len(l.events) == l.limit {
		l.events = slices.Delete(l.events, 0, l.limit/10)
	}
	l.events = append(l.events, e)
}
