package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// newPEM returns a certificate that no seed makes.
func newPEM(t *testing.T, serial uint64) string {
	t.Helper()
	content, err := data.SelfSigned(1<<40+serial, 1_700_000_000, 1_800_000_000)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestInvites(t *testing.T) {
	t.Parallel()
	clock := newClock(testNow)
	options := small()
	options.Now = clock.Now
	c := dial(t, options)
	project := ids(c.get("/organization/projects"))[0]
	body := fmt.Sprintf(`{"email":"new@example.com","role":"reader","projects":[{"id":%q,"role":"owner"}]}`, project)
	made := c.post("/organization/invites", body)
	path := "/organization/invites/" + textAt(made, "id")
	if made["status"] != "pending" || made["accepted_at"] != nil || number(t, made, "expires_at") != testNow.Unix()+data.InviteLife {
		t.Errorf("made %v", made)
	}
	if diff := cmp.Diff(made, c.get(path)); diff != "" {
		t.Errorf("made and got (-made +got):\n%s", diff)
	}
	c.refuses(409, "already_invited", "", "POST", "/organization/invites", body)
	member := textAt(items(c.get("/organization/users"))[0], "email")
	c.refuses(409, "already_member", "", "POST", "/organization/invites", fmt.Sprintf(`{"email":%q,"role":"reader"}`, member))
	c.refuses(404, "not_found", "", "POST", "/organization/invites", `{"email":"b@example.com","role":"reader","projects":[{"id":"none","role":"owner"}]}`)
	c.refuses(400, "invalid_value", "email", "POST", "/organization/invites", `{"email":"nobody","role":"reader"}`)
	c.delete(path)
	c.missing(path)

	made = c.post("/organization/invites", body)
	clock.Advance(data.InviteLife * time.Second)
	if got := c.get("/organization/invites/" + textAt(made, "id")); got["status"] != "expired" {
		t.Errorf("after a week: %v", got["status"])
	}
	statuses := make(map[any]bool)
	seeded := dial(t, Options{Invites: 24})
	for _, i := range items(seeded.get("/organization/invites?limit=100")) {
		statuses[i["status"]] = true
		if i["status"] == "accepted" {
			seeded.refuses(400, "invite_accepted", "", "DELETE", "/organization/invites/"+textAt(i, "id"), "")
		}
	}
	if len(statuses) != 3 {
		t.Errorf("seeded statuses: %v", statuses)
	}
}

func TestDeletingAUserTakesThemOutOfEverything(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	user := ids(c.get("/organization/users?limit=2"))[1]
	group := textAt(c.post("/organization/groups", `{"name":"Temporary"}`), "id")
	c.post("/organization/groups/"+group+"/users", fmt.Sprintf(`{"user_id":%q}`, user))
	project := textAt(c.post("/organization/projects", `{"name":"Temporary"}`), "id")
	c.post("/organization/projects/"+project+"/users", fmt.Sprintf(`{"user_id":%q,"role":"owner"}`, user))
	role := textAt(c.post("/organization/roles", `{"role_name":"Temporary","permissions":["a"]}`), "id")
	c.post("/organization/users/"+user+"/roles", fmt.Sprintf(`{"role_id":%q}`, role))

	c.delete("/organization/users/" + user)
	c.missing("/organization/users/" + user)
	c.missing("/organization/users/" + user + "/roles")
	c.missing("/organization/groups/" + group + "/users/" + user)
	c.missing("/organization/projects/" + project + "/users/" + user)
	for _, p := range ids(c.get("/organization/projects")) {
		base := "/organization/projects/" + p
		if slices.Contains(ids(c.get(base+"/users?limit=100")), user) {
			t.Errorf("still in project %s", p)
		}
		for _, k := range items(c.get(base + "/api_keys?limit=100&owner_project_access=any")) {
			if textAt(k, "owner", "user", "id") == user {
				t.Errorf("still has key %v", k["id"])
			}
		}
	}
	c.refuses(404, "not_found", "", "POST", "/organization/groups/"+group+"/users", fmt.Sprintf(`{"user_id":%q}`, user))
	c.refuses(404, "not_found", "", "POST", "/organization/projects/"+project+"/users", fmt.Sprintf(`{"user_id":%q,"role":"member"}`, user))
}

func TestUsers(t *testing.T) {
	t.Parallel()
	c := dial(t, Options{Users: 30, Projects: 5})
	all := items(c.get("/organization/users?limit=100"))
	owner, reader := textAt(all[0], "id"), textAt(all[1], "id")
	c.refuses(400, "last_owner", "", "DELETE", "/organization/users/"+owner, "")
	c.refuses(400, "last_owner", "role", "POST", "/organization/users/"+owner, `{"role":"reader"}`)
	got := c.post("/organization/users/"+reader, `{"role":"owner","technical_level":"high","developer_persona":"ops"}`)
	if got["role"] != "owner" || got["technical_level"] != "high" {
		t.Errorf("updated %v", got)
	}
	got = c.post("/organization/users/"+reader, `{"technical_level":null}`)
	if got["technical_level"] != nil || got["developer_persona"] != "ops" {
		t.Errorf("null clears and absence leaves: %v", got)
	}
	if diff := cmp.Diff(got, c.get("/organization/users/"+reader)); diff != "" {
		t.Errorf("(-updated +got):\n%s", diff)
	}
	c.post("/organization/users/"+owner, `{"role_id":"role-api-organization-reader"}`)
	c.refuses(400, "invalid_value", "role_id", "POST", "/organization/users/"+owner, `{"role":"owner","role_id":"x"}`)
	unnamed := 0
	for _, u := range all {
		if u["name"] == nil && u["email"] == nil {
			unnamed++
		}
	}
	if unnamed == 0 {
		t.Error("every user has a name")
	}
}

func TestProjectsAndArchiving(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	made := c.post("/organization/projects", `{"name":"Short","residency":"EU_STORAGE_PROCESSING","external_key_id":"k"}`)
	id := textAt(made, "id")
	base := "/organization/projects/" + id
	if got := c.post(base, `{"external_key_id":null}`); got["external_key_id"] != nil || got["name"] != "Short" || got["residency"] != "EU_STORAGE_PROCESSING" {
		t.Errorf("updated %v", got)
	}
	user := ids(c.get("/organization/users?limit=1"))[0]
	c.post(base+"/users", fmt.Sprintf(`{"user_id":%q,"role":"member"}`, user))
	account := textAt(c.post(base+"/service_accounts", `{"name":"bot"}`), "id")

	archived := c.post(base+"/archive", "")
	if archived["status"] != "archived" || number(t, archived, "archived_at") != testNow.Unix() {
		t.Errorf("archived %v", archived)
	}
	if slices.Contains(ids(c.get("/organization/projects?limit=100")), id) {
		t.Error("still in the default list")
	}
	if !slices.Contains(ids(c.get("/organization/projects?limit=100&include_archived=true")), id) {
		t.Error("gone from the list with archived ones")
	}
	c.get(base)
	for _, list := range []string{"/users", "/service_accounts", "/api_keys?owner_project_access=any", "/groups"} {
		if n := len(items(c.get(base + list))); n != 0 {
			t.Errorf("%s still has %d", list, n)
		}
	}
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "", `{"name":"x"}`},
		{"POST", "/archive", ""},
		{"POST", "/users", fmt.Sprintf(`{"user_id":%q,"role":"member"}`, user)},
		{"DELETE", "/users/" + user, ""},
		{"POST", "/service_accounts", `{"name":"x"}`},
		{"DELETE", "/service_accounts/" + account, ""},
		{"POST", "/rate_limits/rl-gpt-5", `{}`},
		{"POST", "/data_retention", `{"retention_type":"none"}`},
		{"DELETE", "/spend_limit", ""},
		{"POST", "/certificates/activate", `{"certificate_ids":["x"]}`},
	} {
		c.refuses(400, "project_archived", "", tt.method, base+tt.path, tt.body)
	}
	c.refuses(400, "project_archived", "", "POST", "/projects/"+id+"/roles", `{"role_name":"x","permissions":[]}`)
}

func TestProjectUsers(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	base := "/organization/projects/" + textAt(c.post("/organization/projects", `{"name":"p"}`), "id") + "/users"
	user := items(c.get("/organization/users?limit=1"))[0]
	path := base + "/" + textAt(user, "id")
	c.refuses(404, "not_found", "", "POST", base, `{"user_id":"user-none","role":"member"}`)
	c.refuses(400, "missing_required_parameter", "user_id", "POST", base, `{"role":"member"}`)
	made := c.post(base, fmt.Sprintf(`{"email":%q,"role":"member"}`, textAt(user, "email")))
	if made["id"] != user["id"] || made["added_at"] != json.Number(fmt.Sprint(testNow.Unix())) {
		t.Errorf("added %v", made)
	}
	c.refuses(409, "already_member", "", "POST", base, fmt.Sprintf(`{"user_id":%q,"role":"member"}`, user["id"]))
	if got := c.post(path, `{"role":"owner"}`); got["role"] != "owner" {
		t.Errorf("updated %v", got)
	}
	if got := c.post(path, `{"role":null}`); got["role"] != "owner" {
		t.Errorf("null left the role at %v", got["role"])
	}
	c.delete(path)
	c.missing(path)
}

func TestServiceAccountsAndKeys(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project := "/organization/projects/" + textAt(c.post("/organization/projects", `{"name":"p"}`), "id")
	base := project + "/service_accounts"
	made := c.post(base, `{"name":"bot"}`)
	secret := textAt(made, "api_key", "value")
	account, key := textAt(made, "id"), textAt(made, "api_key", "id")
	if len(secret) < 40 || made["role"] != "member" {
		t.Errorf("made %v", made)
	}
	shown := c.get(project + "/api_keys/" + key)
	raw, err := json.Marshal(shown)
	if err != nil || strings.Contains(string(raw), secret) || textAt(shown, "redacted_value") == "" {
		t.Errorf("later: %s %v", raw, err)
	}
	if shown["last_used_at"] != nil || textAt(shown, "owner", "service_account", "id") != account || shown["owner_project_access"] != "active" {
		t.Errorf("key %v", shown)
	}
	second := c.call(http.StatusOK, "POST", "/v1"+base+"/"+account+"/api_keys", "")
	third := c.post(base+"/"+account+"/api_keys", `{"name":"third","scopes":["a"]}`)
	if third["name"] != "third" || textAt(second, "value") == "" || textAt(second, "value") == textAt(third, "value") {
		t.Errorf("second %v, third %v", second, third)
	}
	c.delete(project + "/api_keys/" + textAt(second, "id"))
	c.missing(project + "/api_keys/" + textAt(second, "id"))
	if got := c.post(base+"/"+account, `{"name":"renamed","role":"owner"}`); got["name"] != "renamed" || got["role"] != "owner" {
		t.Errorf("updated %v", got)
	}
	bare := c.post(base, `{"name":"bare","create_service_account_only":true}`)
	if v, present := bare["api_key"]; !present || v != nil || bare["role"] != "none" {
		t.Errorf("bare %v", bare)
	}
	c.delete(base + "/" + account)
	c.missing(base + "/" + account)
	c.missing(project + "/api_keys/" + key)
	if left := ids(c.get(project + "/api_keys?owner_project_access=any")); len(left) != 0 {
		t.Errorf("keys left: %v", left)
	}
}

func TestRolesAndAssignments(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	user := ids(c.get("/organization/users?limit=20"))[5]
	group := textAt(c.post("/organization/groups", `{"name":"Holders"}`), "id")
	project := textAt(c.post("/organization/projects", `{"name":"p"}`), "id")
	c.post("/organization/projects/"+project+"/users", fmt.Sprintf(`{"user_id":%q,"role":"member"}`, user))
	c.post("/organization/projects/"+project+"/groups", fmt.Sprintf(`{"group_id":%q,"role":"role-api-project-member"}`, group))
	c.refuses(409, "already_member", "", "POST", "/organization/projects/"+project+"/groups",
		fmt.Sprintf(`{"group_id":%q,"role":"role-api-project-member"}`, group))

	for _, scope := range []struct{ roles, resource, user, group string }{
		{"/organization/roles", "api.organization", "/organization/users/" + user, "/organization/groups/" + group},
		{"/projects/" + project + "/roles", "api.project", "/projects/" + project + "/users/" + user, "/projects/" + project + "/groups/" + group},
	} {
		made := c.post(scope.roles, `{"role_name":"Tester","permissions":["a","b"],"description":"d"}`)
		role := textAt(made, "id")
		body := fmt.Sprintf(`{"role_id":%q}`, role)
		if made["resource_type"] != scope.resource || made["predefined_role"] != false {
			t.Errorf("made %v", made)
		}
		c.refuses(409, "role_exists", "", "POST", scope.roles, `{"role_name":"Tester","permissions":[]}`)
		changed := c.post(scope.roles+"/"+role, `{"description":null,"permissions":["b"]}`)
		if changed["description"] != nil || changed["name"] != "Tester" {
			t.Errorf("changed %v", changed)
		}
		for _, predefined := range items(c.get(scope.roles)) {
			if predefined["predefined_role"] == true {
				c.refuses(400, "predefined_role", "", "DELETE", scope.roles+"/"+textAt(predefined, "id"), "")
			}
		}
		before := len(items(c.get(scope.user + "/roles")))
		for _, holder := range []string{scope.group, scope.user} {
			assigned := c.post(holder+"/roles", body)
			if textAt(assigned, "role", "id") != role {
				t.Errorf("assigned %v", assigned)
			}
			c.refuses(409, "role_assigned", "", "POST", holder+"/roles", body)
		}
		got := c.get(scope.user + "/roles/" + role)
		if got["assignment_sources"] != nil || got["created_at"] == nil || textAt(got, "created_by_user_obj", "id") == "" {
			t.Errorf("direct %v", got)
		}
		// As a member of the group, the user has the role twice. Without the direct
		// assignment, the role comes through the group alone.
		c.post("/organization/groups/"+group+"/users", fmt.Sprintf(`{"user_id":%q}`, user))
		if sources, _ := c.get(scope.user + "/roles/" + role)["assignment_sources"].([]any); len(sources) != 2 {
			t.Errorf("sources %v", sources)
		}
		c.delete(scope.user + "/roles/" + role)
		if sources, _ := c.get(scope.user + "/roles/" + role)["assignment_sources"].([]any); len(sources) != 1 {
			t.Errorf("sources %v", sources)
		}
		c.refuses(404, "not_found", "", "DELETE", scope.user+"/roles/"+role, "")
		c.delete("/organization/groups/" + group + "/users/" + user)
		c.missing(scope.user + "/roles/" + role)
		if after := len(items(c.get(scope.user + "/roles"))); after != before {
			t.Errorf("%d roles, %d before", after, before)
		}
		c.delete(scope.roles + "/" + role)
		c.missing(scope.group + "/roles/" + role)
	}
	c.delete("/organization/projects/" + project + "/groups/" + group)
	c.missing("/projects/" + project + "/groups/" + group + "/roles")
	c.delete("/organization/groups/" + group)
	c.missing("/organization/groups/" + group)
}

func TestGroups(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	made := c.post("/organization/groups", `{"name":"One"}`)
	path := "/organization/groups/" + textAt(made, "id")
	c.refuses(409, "group_exists", "", "POST", "/organization/groups", `{"name":"One"}`)
	if got := c.post(path, `{"name":"Two"}`); got["name"] != "Two" {
		t.Errorf("updated %v", got)
	}
	project := textAt(c.post("/organization/projects", `{"name":"p"}`), "id")
	projectPath := "/organization/projects/" + project + "/groups/" + textAt(made, "id")
	c.post("/organization/projects/"+project+"/groups", fmt.Sprintf(`{"group_id":%q,"role":"role-api-project-owner"}`, made["id"]))
	c.get(projectPath + "?group_type=group")
	c.missing(projectPath + "?group_type=tenant_group")
	c.delete(path)
	c.missing(projectPath)
	managed := 0
	for _, g := range items(c.get("/organization/groups")) {
		if g["is_scim_managed"] == true {
			managed++
			c.refuses(400, "scim_managed", "", "DELETE", "/organization/groups/"+textAt(g, "id"), "")
		}
	}
	if managed == 0 {
		t.Error("no group is managed through SCIM")
	}
}

func TestCertificates(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	base := "/organization/certificates"
	content := newPEM(t, 1)
	upload := fmt.Sprintf(`{"certificate":%q}`, content)
	made := c.post(base, upload)
	id := textAt(made, "id")
	details := objectAt(t, made, "certificate_details")
	if made["name"] != nil || number(t, details, "valid_at") != 1_700_000_000 || number(t, details, "expires_at") != 1_800_000_000 || details["content"] != nil {
		t.Errorf("made %v", made)
	}
	if got := c.get(base + "/" + id + "?include[]=content"); textAt(got, "certificate_details", "content") != content {
		t.Errorf("content %v", got)
	}
	c.refuses(409, "certificate_exists", "", "POST", base, upload)
	c.refuses(400, "invalid_certificate", "certificate", "POST", base, `{"certificate":"garbage"}`)
	c.refuses(400, "invalid_certificate", "certificate", "POST", base, `{"certificate":"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"}`)
	if got := c.post(base+"/"+id, `{"name":"n"}`); got["name"] != "n" {
		t.Errorf("updated %v", got)
	}
	project := "/organization/projects/" + ids(c.get("/organization/projects"))[0] + "/certificates"
	body := fmt.Sprintf(`{"certificate_ids":[%q,%q]}`, id, id)
	for _, scope := range []string{base, project} {
		for range 2 { // idempotent
			got := items(c.post(scope+"/activate", body))
			if len(got) != 1 || got[0]["active"] != true {
				t.Errorf("activated %v", got)
			}
		}
		c.refuses(400, "certificate_active", "", "DELETE", base+"/"+id, "")
		// All or nothing.
		c.refuses(404, "not_found", "", "POST", scope+"/deactivate", fmt.Sprintf(`{"certificate_ids":[%q,"cert_none"]}`, id))
		for _, cert := range items(c.get(scope)) {
			if cert["id"] == id && cert["active"] != true {
				t.Error("half of a refused change was made")
			}
		}
		c.post(scope+"/deactivate", body)
	}
	c.delete(base + "/" + id)
	c.missing(base + "/" + id)
	for i := c.sandbox.org.Certificates.Len(); i < maxCertificates; i++ {
		c.post(base, fmt.Sprintf(`{"certificate":%q}`, newPEM(t, uint64(i+10))))
	}
	c.refuses(400, "too_many_certificates", "", "POST", base, upload)
}

func TestSettings(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project := "/organization/projects/" + textAt(c.post("/organization/projects", `{"name":"p"}`), "id")

	c.missing(project + "/model_permissions")
	c.refuses(404, "not_found", "", "DELETE", project+"/model_permissions", "")
	set := c.post(project+"/model_permissions", `{"mode":"deny_list","model_ids":["o3"]}`)
	if diff := cmp.Diff(set, c.get(project+"/model_permissions")); diff != "" {
		t.Errorf("(-set +got):\n%s", diff)
	}
	c.delete(project + "/model_permissions")
	c.missing(project + "/model_permissions")

	tool := func(name string) any {
		return objectAt(t, c.get(project+"/hosted_tool_permissions"), name)["enabled"]
	}
	c.post(project+"/hosted_tool_permissions", `{"mcp":{"enabled":false},"web_search":{"enabled":false}}`)
	c.post(project+"/hosted_tool_permissions", `{"web_search":null}`)
	if tool("mcp") != false || tool("web_search") != true || tool("file_search") != true {
		t.Error("null resets and absence leaves")
	}

	for _, path := range []string{"/organization/data_retention", project + "/data_retention"} {
		c.post(path, `{"retention_type":"zero_data_retention"}`)
		if got := c.get(path); got["type"] != "zero_data_retention" {
			t.Errorf("%s: %v", path, got)
		}
	}
	c.refuses(400, "invalid_value", "retention_type", "POST", "/organization/data_retention", `{"retention_type":"none"}`)
	c.post(project+"/data_retention", `{"retention_type":"none"}`)

	limits := project + "/rate_limits"
	if n := number(t, items(c.get(limits))[0], "batch_1_day_max_input_tokens"); n < 1<<31 {
		t.Errorf("batch limit %d fits 32 bits", n)
	}
	got := c.post(limits+"/rl-gpt-5", `{"batch_1_day_max_input_tokens":9000000000000,"max_requests_per_1_minute":0}`)
	if number(t, got, "batch_1_day_max_input_tokens") != 9_000_000_000_000 || number(t, got, "max_requests_per_1_minute") != 0 {
		t.Errorf("updated %v", got)
	}
	for _, l := range items(c.get(limits)) {
		if l["id"] == "rl-gpt-5" {
			if diff := cmp.Diff(got, l); diff != "" {
				t.Errorf("(-updated +listed):\n%s", diff)
			}
		}
	}
	c.refuses(400, "invalid_value", "max_images_per_1_minute", "POST", limits+"/rl-gpt-5", `{"max_images_per_1_minute":1}`)
	c.refuses(404, "not_found", "", "POST", limits+"/rl-none", `{}`)
}

func TestSpend(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project := "/organization/projects/" + ids(c.get("/organization/projects"))[0]
	fresh := "/organization/projects/" + textAt(c.post("/organization/projects", `{"name":"p"}`), "id")
	limit := func(cents int64) string {
		return fmt.Sprintf(`{"threshold_amount":%d,"currency":"USD","interval":"month"}`, cents)
	}
	c.missing(fresh + "/spend_limit")
	for _, scope := range []string{"/organization", project} {
		if got := c.post(scope+"/spend_limit", limit(1)); textAt(got, "enforcement", "status") != "enforcing" {
			t.Errorf("%s at one cent: %v", scope, got)
		}
		if got := c.post(scope+"/spend_limit", limit(1<<50)); textAt(got, "enforcement", "status") != "inactive" {
			t.Errorf("%s at a fortune: %v", scope, got)
		}
		c.delete(scope + "/spend_limit")
		c.missing(scope + "/spend_limit")
		c.refuses(404, "not_found", "", "DELETE", scope+"/spend_limit", "")

		const body = `{"threshold_amount":%d,"currency":"USD","interval":"month","notification_channel":{"type":"email","recipients":["a@example.com"],"subject_prefix":%s}}`
		made := c.post(scope+"/spend_alerts", fmt.Sprintf(body, 5, `"[x]"`))
		path := scope + "/spend_alerts/" + textAt(made, "id")
		if diff := cmp.Diff(made, c.get(path)); diff != "" {
			t.Errorf("(-made +got):\n%s", diff)
		}
		got := c.post(path, fmt.Sprintf(body, 0, "null"))
		channel := objectAt(t, got, "notification_channel")
		if number(t, got, "threshold_amount") != 0 || channel["subject_prefix"] != nil {
			t.Errorf("updated %v", got)
		}
		c.delete(path)
		c.missing(path)
	}
}

func TestAdminKeys(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	made := c.post("/organization/admin_api_keys", `{"name":"k"}`)
	path := "/organization/admin_api_keys/" + textAt(made, "id")
	got := c.get(path)
	if textAt(made, "value") == "" || got["value"] != nil || got["expires_at"] != nil || got["last_used_at"] != nil {
		t.Errorf("made %v, later %v", made, got)
	}
	c.delete(path)
	c.missing(path)
	own := ids(c.get("/organization/admin_api_keys"))[0]
	c.refuses(400, "key_in_use", "", "DELETE", "/organization/admin_api_keys/"+own, "")
}
