package sandbox

import (
	"slices"
	"strings"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// tenantScoped says whether events of the type belong to the tenant above the
// organization. A list has either those events or the others.
func tenantScoped(eventType string) bool {
	return strings.HasPrefix(eventType, "tenant.") ||
		eventType == "role.bound_to_resource" || eventType == "role.unbound_from_resource"
}

func auditOperations() []operation {
	return []operation{get("/organization/audit_logs", listAuditLogs,
		obj("effective_at", num("gt"), num("gte"), num("lt"), num("lte")),
		strList("project_ids"), listOf("event_types", str("").oneOf(data.AuditEventTypes()...)),
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
	return listing[*data.AuditEvent]{
		items:       c.org.AuditEvents(),
		id:          func(e *data.AuditEvent) string { return e.ID },
		view:        func(e *data.AuditEvent) any { return e },
		keep:        auditFilter(c.query, tenant),
		newestFirst: true,
	}.byID(c.query)
}

func auditFilter(query values, tenant bool) func(*data.AuditEvent) bool {
	span := query.object("effective_at")
	// accepts says whether a filter is absent or names one of the candidates.
	accepts := func(filter string, candidates ...string) bool {
		if !query.has(filter) {
			return true
		}
		wanted := query.strs(filter)
		return slices.ContainsFunc(candidates, func(s string) bool { return slices.Contains(wanted, s) })
	}
	return func(e *data.AuditEvent) bool {
		if tenantScoped(e.Type) != tenant ||
			span.has("gt") && e.EffectiveAt <= span.num("gt") ||
			span.has("gte") && e.EffectiveAt < span.num("gte") ||
			span.has("lt") && e.EffectiveAt >= span.num("lt") ||
			span.has("lte") && e.EffectiveAt > span.num("lte") {
			return false
		}
		var projects []string
		if id := e.ProjectID(); id != "" {
			projects = []string{id}
		}
		return accepts("event_types", e.Type) && accepts("project_ids", projects...) &&
			accepts("actor_ids", e.ActorIDs()...) && accepts("actor_emails", e.ActorEmail()) &&
			accepts("resource_ids", e.Resources...)
	}
}
