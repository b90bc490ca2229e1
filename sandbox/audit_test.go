package sandbox

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// newest returns the latest event, tenant-scoped or not.
func (c *client) newest(tenant bool) map[string]any {
	c.t.Helper()
	return items(c.get(fmt.Sprintf("/organization/audit_logs?limit=1&tenant_only=%t", tenant)))[0]
}

// Every write leaves an event of its type, with its payload and the admin key
// as the actor; no read and no refused write does.
func TestWritesAreAudited(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	user := ids(c.get("/organization/users?limit=9"))[8]
	key := ids(c.get("/organization/admin_api_keys"))[0]
	const alert = `{"threshold_amount":1,"currency":"USD","interval":"month","notification_channel":{"type":"email","recipients":[]}}`
	const limit = `{"threshold_amount":1,"currency":"USD","interval":"month"}`
	content, err := json.Marshal(newPEM(t, 9))
	if err != nil {
		t.Fatal(err)
	}
	// In paths and bodies, {x} stands for the id that the step named x made.
	made := map[string]string{"{user}": user}
	fill := func(s string) string {
		for name, id := range made {
			s = strings.ReplaceAll(s, name, id)
		}
		return s
	}
	driven := make(map[string]bool)
	for _, step := range []struct{ name, event, method, path, body string }{
		{"key", "api_key.created", "POST", "/organization/admin_api_keys", `{"name":"k"}`},
		{"", "api_key.deleted", "DELETE", "/organization/admin_api_keys/{key}", ""},
		{"cert", "certificate.created", "POST", "/organization/certificates", `{"certificate":` + string(content) + `}`},
		{"", "certificate.updated", "POST", "/organization/certificates/{cert}", `{"name":"n"}`},
		{"", "certificates.activated", "POST", "/organization/certificates/activate", `{"certificate_ids":["{cert}"]}`},
		{"", "certificates.deactivated", "POST", "/organization/certificates/deactivate", `{"certificate_ids":["{cert}"]}`},
		{"", "organization.updated", "POST", "/organization/data_retention", `{"retention_type":"zero_data_retention"}`},
		{"group", "group.created", "POST", "/organization/groups", `{"name":"g"}`},
		{"", "group.updated", "POST", "/organization/groups/{group}", `{"name":"h"}`},
		{"", "tenant.group.member.added", "POST", "/organization/groups/{group}/users", `{"user_id":"{user}"}`},
		{"", "tenant.group.member.removed", "DELETE", "/organization/groups/{group}/users/{user}", ""},
		{"role", "role.created", "POST", "/organization/roles", `{"role_name":"r","permissions":["a"]}`},
		{"", "role.updated", "POST", "/organization/roles/{role}", `{"permissions":["b"],"description":"d"}`},
		{"", "role.assignment.created", "POST", "/organization/groups/{group}/roles", `{"role_id":"{role}"}`},
		{"", "role.assignment.deleted", "DELETE", "/organization/groups/{group}/roles/{role}", ""},
		{"", "role.assignment.created", "POST", "/organization/users/{user}/roles", `{"role_id":"{role}"}`},
		{"", "role.assignment.deleted", "DELETE", "/organization/users/{user}/roles/{role}", ""},
		{"", "role.deleted", "DELETE", "/organization/roles/{role}", ""},
		{"invite", "invite.sent", "POST", "/organization/invites", `{"email":"n@example.com","role":"reader"}`},
		{"", "invite.deleted", "DELETE", "/organization/invites/{invite}", ""},
		{"alert", "tenant.billing.alerts.updated", "POST", "/organization/spend_alerts", alert},
		{"", "tenant.billing.alerts.updated", "POST", "/organization/spend_alerts/{alert}", alert},
		{"", "tenant.billing.alerts.updated", "DELETE", "/organization/spend_alerts/{alert}", ""},
		{"", "tenant.billing.overage_limit.updated", "POST", "/organization/spend_limit", limit},
		{"", "tenant.billing.overage_limit.updated", "DELETE", "/organization/spend_limit", ""},
		{"project", "project.created", "POST", "/organization/projects", `{"name":"p"}`},
		{"", "project.updated", "POST", "/organization/projects/{project}", `{"name":"q"}`},
		{"", "user.added", "POST", "/organization/projects/{project}/users", `{"user_id":"{user}","role":"member"}`},
		{"", "user.updated", "POST", "/organization/projects/{project}/users/{user}", `{"role":"owner"}`},
		{"", "role.assignment.created", "POST", "/organization/projects/{project}/groups", `{"group_id":"{group}","role":"role-api-project-member"}`},
		{"role", "role.created", "POST", "/projects/{project}/roles", `{"role_name":"r","permissions":["a"]}`},
		{"", "role.updated", "POST", "/projects/{project}/roles/{role}", `{"role_name":"s"}`},
		{"", "role.assignment.created", "POST", "/projects/{project}/groups/{group}/roles", `{"role_id":"{role}"}`},
		{"", "role.assignment.deleted", "DELETE", "/projects/{project}/groups/{group}/roles/{role}", ""},
		{"", "role.assignment.created", "POST", "/projects/{project}/users/{user}/roles", `{"role_id":"{role}"}`},
		{"", "role.assignment.deleted", "DELETE", "/projects/{project}/users/{user}/roles/{role}", ""},
		{"", "role.deleted", "DELETE", "/projects/{project}/roles/{role}", ""},
		{"", "role.assignment.deleted", "DELETE", "/organization/projects/{project}/groups/{group}", ""},
		{"", "user.deleted", "DELETE", "/organization/projects/{project}/users/{user}", ""},
		{"account", "api_key.created", "POST", "/organization/projects/{project}/service_accounts", `{"name":"a"}`},
		{"bare", "service_account.created", "POST", "/organization/projects/{project}/service_accounts", `{"name":"b","create_service_account_only":true}`},
		{"", "service_account.updated", "POST", "/organization/projects/{project}/service_accounts/{account}", `{"name":"c"}`},
		{"saKey", "api_key.created", "POST", "/organization/projects/{project}/service_accounts/{account}/api_keys", ""},
		{"", "api_key.updated", "POST", "/organization/projects/{project}/api_keys/{saKey}", `{"scopes":[],"expires_in_seconds":60}`},
		{"", "api_key.deleted", "DELETE", "/organization/projects/{project}/api_keys/{saKey}", ""},
		{"provider", "workload_identity_provider.created", "POST", "/organization/workload_identity_providers",
			`{"type":"oidc","name":"p","issuer":"https://i.example.com","audience":"a"}`},
		{"", "workload_identity_provider.updated", "POST", "/organization/workload_identity_providers/{provider}", `{"name":"q"}`},
		{"rule", "workload_identity_provider_mapping.created", "POST", "/organization/workload_identity_providers/{provider}/federation_rules",
			`{"project_id":"{project}","service_account_id":"{account}","attribute_matchers":{"sub":"x"}}`},
		{"", "workload_identity_provider_mapping.updated", "POST", "/organization/workload_identity_providers/{provider}/federation_rules/{rule}", `{"name":null}`},
		{"", "workload_identity_provider_mapping.deleted", "DELETE", "/organization/workload_identity_providers/{provider}/federation_rules/{rule}", ""},
		{"", "workload_identity_provider.deleted", "DELETE", "/organization/workload_identity_providers/{provider}", ""},
		{"extKey", "external_key.registered", "POST", "/organization/external_keys",
			`{"type":"azure","name":"k","key_name":"k","tenant_id":"t","vault_uri":"https://v.example.com"}`},
		{"", "organization.updated", "POST", "/organization/external_keys/{extKey}/validate", ""},
		{"", "external_key.removed", "DELETE", "/organization/external_keys/{extKey}", ""},
		{"storage", "external_storage.registered", "POST", "/organization/external_storage",
			`{"project_id":"{project}","provider":{"type":"oci","bucket":"b","region":"eu-x","tenancy_ocid":"o"}}`},
		{"", "organization.updated", "POST", "/organization/external_storage/{storage}/validate", ""},
		{"", "external_storage.removed", "DELETE", "/organization/external_storage/{storage}", ""},
		{"", "project.updated", "POST", "/organization/projects/{project}/service_tier_settings", `{"enabled_tiers":[]}`},
		{"", "service_account.deleted", "DELETE", "/organization/projects/{project}/service_accounts/{account}", ""},
		{"", "rate_limit.updated", "POST", "/organization/projects/{project}/rate_limits/rl-o3", `{"max_tokens_per_1_minute":1}`},
		{"", "project.updated", "POST", "/organization/projects/{project}/data_retention", `{"retention_type":"none"}`},
		{"", "project.updated", "POST", "/organization/projects/{project}/model_permissions", `{"mode":"deny_list","model_ids":[]}`},
		{"", "project.updated", "DELETE", "/organization/projects/{project}/model_permissions", ""},
		{"", "project.updated", "POST", "/organization/projects/{project}/hosted_tool_permissions", `{"mcp":null}`},
		{"alert", "project.updated", "POST", "/organization/projects/{project}/spend_alerts", alert},
		{"", "project.updated", "POST", "/organization/projects/{project}/spend_alerts/{alert}", alert},
		{"", "project.updated", "DELETE", "/organization/projects/{project}/spend_alerts/{alert}", ""},
		{"", "project.updated", "POST", "/organization/projects/{project}/spend_limit", limit},
		{"", "project.updated", "DELETE", "/organization/projects/{project}/spend_limit", ""},
		{"", "certificates.activated", "POST", "/organization/projects/{project}/certificates/activate", `{"certificate_ids":["{cert}"]}`},
		{"", "certificates.deactivated", "POST", "/organization/projects/{project}/certificates/deactivate", `{"certificate_ids":["{cert}"]}`},
		{"", "certificate.deleted", "DELETE", "/organization/certificates/{cert}", ""},
		{"", "project.archived", "POST", "/organization/projects/{project}/archive", ""},
		{"", "group.deleted", "DELETE", "/organization/groups/{group}", ""},
		{"", "user.updated", "POST", "/organization/users/{user}", `{"role":"reader"}`},
		{"", "user.deleted", "DELETE", "/organization/users/{user}", ""},
	} {
		tenant := tenantScoped(step.event)
		before := c.newest(tenant)
		got := c.call(200, step.method, "/v1"+fill(step.path), fill(step.body))
		if step.name != "" {
			made["{"+step.name+"}"] = textAt(got, "id")
		}
		log := c.sandbox.Requests()
		driven[log[len(log)-1].Op] = true

		event := c.newest(tenant)
		if event["id"] == before["id"] || event["type"] != step.event {
			t.Errorf("%s %s left %v, want %s", step.method, step.path, event, step.event)
			continue
		}
		if textAt(event, "actor", "api_key", "id") != key || textAt(event, "actor", "api_key", "user", "id") == "" {
			t.Errorf("%s: actor %v", step.event, event["actor"])
		}
		if _, has := event[step.event].(map[string]any); has == tenant {
			t.Errorf("%s: payload %v", step.event, event[step.event])
		}
		wantProject := ""
		if strings.Contains(step.path, "projects/{project}") || step.event == "project.created" {
			wantProject = made["{project}"]
		}
		if got := textAt(event, "project", "id"); got != wantProject {
			t.Errorf("%s: project %q, want %q", step.event, got, wantProject)
		}
	}
	for _, op := range c.sandbox.Operations() {
		if op[:3] != "GET" && !driven[op] {
			t.Errorf("no step calls %s", op)
		}
	}
	before := c.newest(false)
	c.refuses(400, "missing_required_parameter", "name", "POST", "/organization/projects", `{}`)
	if after := c.newest(false); after["id"] != before["id"] {
		t.Errorf("a refused write left %v", after)
	}
}

func TestAuditHistory(t *testing.T) {
	t.Parallel()
	c := dial(t, Options{})
	types, actors := make(map[string]bool), make(map[string]bool)
	var sample map[string]any
	for _, tenant := range []bool{false, true} {
		last := int64(1 << 62)
		path := fmt.Sprintf("/organization/audit_logs?limit=100&tenant_only=%t", tenant)
		for at := path; at != ""; {
			page := c.get(at)
			for _, e := range items(page) {
				kind := textAt(e, "type")
				types[kind] = true
				actors[textAt(e, "actor", "type")+textAt(e, "actor", "api_key", "type")] = true
				if tenantScoped(kind) != tenant {
					t.Errorf("%s in the list with tenant_only=%t", kind, tenant)
				}
				if now := number(t, e, "effective_at"); now > last {
					t.Errorf("event %v is out of order", e["id"])
				} else {
					last = now
				}
				if e["project"] != nil && textAt(e, "actor", "session", "user", "email") != "" {
					sample = e
				}
			}
			at = ""
			if page["has_more"] == true {
				at = path + "&after=" + textAt(page, "last_id")
			}
		}
	}
	for _, want := range data.AuditEventTypes() {
		if !types[want] {
			t.Errorf("no event of type %s", want)
		}
	}
	for _, want := range []string{"session", "api_keyuser", "api_keyservice_account", ""} {
		if !actors[want] {
			t.Errorf("no actor of kind %q in %v", want, actors)
		}
	}
	id := textAt(sample, "id")
	at := number(t, sample, "effective_at")
	email := textAt(sample, "actor", "session", "user", "email")
	resource := textAt(sample, textAt(sample, "type"), "id")
	for _, tt := range []struct {
		query string
		found bool
	}{
		{"project_ids[]=" + textAt(sample, "project", "id"), true},
		{"project_ids[]=proj_none", false},
		{"event_types[]=" + textAt(sample, "type") + "&event_types[]=login.failed", true},
		{"event_types[]=login.failed", false},
		{"actor_ids[]=" + textAt(sample, "actor", "session", "user", "id"), true},
		{"actor_ids[]=user-none", false},
		{"actor_emails[]=" + url.QueryEscape(email), true},
		{"actor_emails=nobody@example.com", false},
		{"resource_ids[]=" + resource, true},
		{"resource_ids[]=none", false},
		{fmt.Sprintf("effective_at[gte]=%d", at), true},
		{fmt.Sprintf("effective_at[gt]=%d", at), false},
		{fmt.Sprintf("effective_at[lte]=%d", at), true},
		{fmt.Sprintf("effective_at[lt]=%d", at), false},
		{fmt.Sprintf("effective_at[gte]=%d&effective_at[lt]=%d", at, at+1), true},
	} {
		if got := slices.Contains(c.walk("/organization/audit_logs?limit=100&"+tt.query, "last_id", "id"), id); got != tt.found {
			t.Errorf("%s: found %t, want %t", tt.query, got, tt.found)
		}
	}
	c.refuses(400, "invalid_value", "event_types", "GET", "/organization/audit_logs?tenant_only=true&event_types[]=login.failed", "")
	c.refuses(400, "invalid_value", "event_types", "GET", "/organization/audit_logs?event_types[]=role.bound_to_resource", "")
}
