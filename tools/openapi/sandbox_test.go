package openapi

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// driver calls the sandbox and checks every answer.
type driver struct {
	t           *testing.T
	description *description
	sandbox     *sandbox.Sandbox
	server      *httptest.Server
	answered    map[string]bool // operations that answered 200
}

func newDriver(t *testing.T, d *description, options sandbox.Options) *driver {
	t.Helper()
	s := sandbox.New(options)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &driver{t, d, s, server, make(map[string]bool)}
}

// send returns an answer that has been read.
func (d *driver) send(method, path, body string) answer {
	d.t.Helper()
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.server.URL+"/v1"+path, strings.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+sandbox.DefaultAdminKey)
	response, err := d.server.Client().Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{request, response.StatusCode, response.Header, raw}
}

// call expects a valid answer with the status.
func (d *driver) call(status int, method, path, body string) map[string]any {
	d.t.Helper()
	got := d.send(method, path, body)
	if got.status != status {
		d.t.Fatalf("%s %s: status %d, want %d: %s", method, path, got.status, status, got.body)
	}
	for _, fault := range d.description.check(d.t, got) {
		d.t.Errorf("%s %s: %s: %s", method, path, fault.Message, fault.Reason)
		for _, detail := range fault.SchemaValidationErrors {
			d.t.Errorf("\t%s at %s", detail.Reason, detail.KeywordLocation)
		}
	}
	if d.t.Failed() {
		d.t.Fatalf("%s %s answered %.2000s", method, path, got.body)
	}
	log := d.sandbox.Requests()
	if status == http.StatusOK {
		d.answered[log[len(log)-1].Op] = true
	}
	var out map[string]any
	if err := json.Unmarshal(got.body, &out); err != nil {
		d.t.Fatal(err)
	}
	return out
}

func (d *driver) get(path string) map[string]any {
	d.t.Helper()
	return d.call(http.StatusOK, http.MethodGet, path, "")
}

// post formats a body: each verb in it takes an argument.
func (d *driver) post(path, body string, args ...any) map[string]any {
	d.t.Helper()
	return d.call(http.StatusOK, http.MethodPost, path, fmt.Sprintf(body, args...))
}

func (d *driver) delete(path string) {
	d.t.Helper()
	d.call(http.StatusOK, http.MethodDelete, path, "")
}

// list walks a list to its end and returns all of it.
func (d *driver) list(path string) []map[string]any {
	d.t.Helper()
	var out []map[string]any
	glue := "?"
	if strings.Contains(path, "?") {
		glue = "&"
	}
	at := path
	for {
		page := d.get(at)
		out = append(out, objects(page["data"])...)
		if page["has_more"] != true {
			return out
		}
		if items := objects(page["data"]); len(items) > 0 {
			at = path + glue + "after=" + id(items[len(items)-1])
		}
		for member, param := range map[string]string{"next": "after", "last_id": "after", "next_page": "page"} {
			if cursor, ok := page[member].(string); ok {
				at = path + glue + param + "=" + cursor
			}
		}
	}
}

// objects are the items of a list.
func objects(v any) []map[string]any {
	list, _ := v.([]any)
	out := make([]map[string]any, 0, len(list))
	for _, item := range list {
		object, _ := item.(map[string]any)
		out = append(out, object)
	}
	return out
}

func id(v map[string]any) string { s, _ := v["id"].(string); return s }

// Every operation answers as the description says, on a seeded organization
// and on objects that the operations made.
func TestSandboxKeepsToTheDescription(t *testing.T) {
	t.Parallel()
	newDriver(t, load(t), sandbox.Options{Seed: 7}).everything()
}

// everything drives each operation that the description has, and fails when one
// of them was not driven.
func (d *driver) everything() {
	t := d.t
	t.Helper()
	users := d.list("/organization/users?limit=100")
	for _, u := range users[:30] {
		d.get("/organization/users/" + id(u))
		d.list("/organization/users/" + id(u) + "/roles?limit=1")
	}
	content := newCertificate(t)
	d.organization(users, content)
	d.access(users)
	d.project(users, content)
	d.external()
	d.federation()
	d.reports()

	projects := d.list("/organization/projects?limit=7&include_archived=true")
	for _, p := range projects {
		base := "/organization/projects/" + id(p)
		for _, list := range []string{
			"/users", "/groups", "/service_accounts", "/api_keys?owner_project_access=any",
			"/rate_limits", "/spend_alerts", "/certificates",
		} {
			d.list(base + list)
		}
		d.get(base + "/service_tier_settings")
		d.list("/projects/" + id(p) + "/roles")
	}

	want, got := slices.Clone(d.description.operations), []string{}
	for op := range d.answered {
		got = append(got, op)
	}
	slices.Sort(want)
	slices.Sort(got)
	for _, op := range want {
		if !slices.Contains(got, op) {
			t.Errorf("%s was not driven", op)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d operations driven, the description has %d", len(got), len(want))
	}
}

// organization drives the operations of the organization itself.
func (d *driver) organization(users []map[string]any, content string) {
	d.t.Helper()
	d.list("/organization/admin_api_keys?limit=1")
	key := id(d.post("/organization/admin_api_keys", `{"name":"k","expires_in_seconds":60}`))
	d.get("/organization/admin_api_keys/" + key)
	d.delete("/organization/admin_api_keys/" + key)

	d.list("/organization/audit_logs?limit=100")
	d.list("/organization/audit_logs?limit=100&tenant_only=true")

	d.list("/organization/invites?limit=5")
	project := id(d.list("/organization/projects")[0])
	invite := id(d.post("/organization/invites",
		`{"email":"new@example.com","role":"reader","projects":[{"id":%q,"role":"member"}]}`, project))
	d.get("/organization/invites/" + invite)
	d.delete("/organization/invites/" + invite)

	last := id(users[len(users)-1])
	d.post("/organization/users/"+last, `{"role":"reader","technical_level":"high","developer_persona":null}`)
	d.delete("/organization/users/" + last)

	for _, c := range d.list("/organization/certificates?limit=2") {
		d.get("/organization/certificates/" + id(c) + "?include[]=content")
	}
	certificate := id(d.post("/organization/certificates", `{"certificate":%q}`, content))
	d.post("/organization/certificates/"+certificate, `{"name":"renamed"}`)
	d.post("/organization/certificates/activate", `{"certificate_ids":[%q]}`, certificate)
	d.post("/organization/certificates/deactivate", `{"certificate_ids":[%q]}`, certificate)
	d.delete("/organization/certificates/" + certificate)

	d.get("/organization/data_retention")
	d.post("/organization/data_retention", `{"retention_type":"zero_data_retention"}`)
	d.spend("/organization")
}

// newCertificate makes a certificate that the sandbox does not have.
func newCertificate(t *testing.T) string {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// spend drives alerts and the limit of the organization or of a project.
func (d *driver) spend(scope string) {
	d.t.Helper()
	const alert = `{"threshold_amount":100,"currency":"USD","interval":"month","notification_channel":{"type":"email","recipients":["a@example.com"]}}`
	made := id(d.post(scope+"/spend_alerts", alert))
	d.list(scope + "/spend_alerts?limit=1")
	d.get(scope + "/spend_alerts/" + made)
	d.post(scope+"/spend_alerts/"+made, alert)
	d.delete(scope + "/spend_alerts/" + made)
	for _, threshold := range []int64{1, 100_000_000_000} {
		d.post(scope+"/spend_limit", `{"threshold_amount":%d,"currency":"USD","interval":"month"}`, threshold)
		d.get(scope + "/spend_limit")
	}
	d.delete(scope + "/spend_limit")
}

// access drives groups, roles and their assignments, in the organization.
func (d *driver) access(users []map[string]any) {
	d.t.Helper()
	for _, g := range d.list("/organization/groups?limit=5") {
		d.get("/organization/groups/" + id(g))
		d.list("/organization/groups/" + id(g) + "/users?limit=7")
		d.list("/organization/groups/" + id(g) + "/roles")
	}
	user := id(users[0])
	group := id(d.post("/organization/groups", `{"name":"Validators"}`))
	d.post("/organization/groups/"+group, `{"name":"Judges"}`)
	d.post("/organization/groups/"+group+"/users", `{"user_id":%q}`, user)
	d.get("/organization/groups/" + group + "/users/" + user)
	role := d.roles("/organization/roles")
	for _, holder := range []string{"/organization/groups/" + group, "/organization/users/" + user} {
		d.assign(holder, role)
	}
	d.delete("/organization/groups/" + group + "/users/" + user)
	d.delete("/organization/groups/" + group)
	d.delete("/organization/roles/" + role)
}

// roles drives the roles of a scope and leaves one behind.
func (d *driver) roles(base string) string {
	d.t.Helper()
	role := id(d.post(base, `{"role_name":"Judge","permissions":["api.usage.read"],"description":"x"}`))
	d.get(base + "/" + role)
	d.post(base+"/"+role, `{"permissions":["api.costs.read"],"description":null}`)
	d.list(base + "?limit=2")
	return role
}

func (d *driver) assign(holder, role string) {
	d.t.Helper()
	d.post(holder+"/roles", `{"role_id":%q}`, role)
	d.get(holder + "/roles/" + role)
	d.list(holder + "/roles?limit=1")
	d.delete(holder + "/roles/" + role)
}

// project drives the operations of a project, and archives it.
func (d *driver) project(users []map[string]any, content string) {
	d.t.Helper()
	user := id(users[0])
	group := id(d.list("/organization/groups")[0])
	project := id(d.post("/organization/projects", `{"name":"Validation","residency":"EU_STORAGE_PROCESSING"}`))
	base := "/organization/projects/" + project
	d.get(base)
	d.post(base, `{"name":null,"external_key_id":"ext_key_1"}`)

	d.post(base+"/users", `{"user_id":%q,"role":"member"}`, user)
	d.get(base + "/users/" + user)
	d.post(base+"/users/"+user, `{"role":"owner"}`)
	d.post(base+"/groups", `{"group_id":%q,"role":"role-api-project-member"}`, group)
	d.get(base + "/groups/" + group)

	role := d.roles("/projects/" + project + "/roles")
	d.assign("/projects/"+project+"/users/"+user, role)
	d.assign("/projects/"+project+"/groups/"+group, role)
	d.delete("/projects/" + project + "/roles/" + role)
	d.delete(base + "/groups/" + group)

	account := id(d.post(base+"/service_accounts", `{"name":"bot"}`))
	d.post(base+"/service_accounts", `{"name":"bare","create_service_account_only":true}`)
	d.get(base + "/service_accounts/" + account)
	d.post(base+"/service_accounts/"+account, `{"role":"owner"}`)
	key := id(d.call(http.StatusOK, http.MethodPost, base+"/service_accounts/"+account+"/api_keys", ""))
	d.get(base + "/api_keys/" + key)
	d.post(base+"/api_keys/"+key, `{"scopes":["api.all.read"],"expires_in_seconds":60}`)
	d.post(base+"/service_accounts/"+account+"/api_keys", `{"expires_in_seconds":60}`)
	d.delete(base + "/api_keys/" + key)
	d.delete(base + "/service_accounts/" + account)
	d.delete(base + "/users/" + user)

	d.post(base+"/rate_limits/rl-gpt-5", `{"max_requests_per_1_minute":5,"batch_1_day_max_input_tokens":5000000000}`)
	d.get(base + "/data_retention")
	d.post(base+"/data_retention", `{"retention_type":"none"}`)
	d.post(base+"/model_permissions", `{"mode":"deny_list","model_ids":["gpt-4o"]}`)
	d.get(base + "/model_permissions")
	d.delete(base + "/model_permissions")
	d.get(base + "/hosted_tool_permissions")
	d.post(base+"/hosted_tool_permissions", `{"mcp":{"enabled":false},"web_search":null}`)
	d.get(base + "/service_tier_settings")
	d.post(base+"/service_tier_settings", `{"default":"fast","enabled_tiers":["flex","fast"]}`)
	d.post(base+"/service_tier_settings", `{"enabled_tiers":"all"}`)
	d.spend(base)

	certificate := id(d.post("/organization/certificates", `{"name":"x","certificate":%q}`, content))
	d.post(base+"/certificates/activate", `{"certificate_ids":[%q]}`, certificate)
	d.post(base+"/certificates/deactivate", `{"certificate_ids":[%q]}`, certificate)

	d.post(base+"/archive", "")
	// This operation declares its 400, so the error body is checked too.
	d.call(http.StatusBadRequest, http.MethodPost, base, `{"name":"late"}`)
}

// reports drives usage and costs with everything grouped and nothing grouped.
func (d *driver) reports() {
	d.t.Helper()
	week := time.Now().Add(-7 * 24 * time.Hour).Unix()
	groups := map[string]string{
		"completions":               "project_id user_id api_key_id model batch service_tier api_source",
		"decisions":                 "project_id user_id api_key_id model batch service_tier api_source",
		"embeddings":                "project_id user_id api_key_id model",
		"moderations":               "project_id user_id api_key_id model",
		"images":                    "project_id user_id api_key_id model size source",
		"audio_speeches":            "project_id user_id api_key_id model",
		"audio_transcriptions":      "project_id user_id api_key_id model",
		"vector_stores":             "project_id",
		"code_interpreter_sessions": "project_id",
		"file_search_calls":         "project_id user_id api_key_id vector_store_id",
		"web_search_calls":          "project_id user_id api_key_id model context_level api_source",
	}
	for kind, dimensions := range groups {
		path := fmt.Sprintf("/organization/usage/%s?start_time=%d&limit=3", kind, week)
		d.list(path)
		found := 0
		for _, bucket := range d.list(path + "&group_by[]=" + strings.Join(strings.Fields(dimensions), "&group_by[]=")) {
			found += len(objects(bucket["results"]))
		}
		if found == 0 {
			d.t.Errorf("no usage of %s to validate", kind)
		}
	}
	costs := fmt.Sprintf("/organization/costs?start_time=%d&limit=3", week)
	d.list(costs)
	d.list(costs + "&group_by=project_id&group_by=line_item&group_by=api_key_id&group_by=user_id&group_by=api_source")
}

// With the option that the documentation describes, amounts are numbers.
func TestCostsAsNumbers(t *testing.T) {
	t.Parallel()
	d := newDriver(t, load(t), sandbox.Options{CostsAsNumbers: true})
	page := d.get(fmt.Sprintf("/organization/costs?start_time=%d", time.Now().Add(-3*24*time.Hour).Unix()))
	amount, _ := objects(objects(page["data"])[1]["results"])[0]["amount"].(map[string]any)
	value := amount["value"]
	if _, isNumber := value.(float64); !isNumber {
		t.Errorf("amount is %T, want a number", value)
	}
}

// The validator finds answers that are wrong in one place each.
func TestWrongAnswersAreFound(t *testing.T) {
	t.Parallel()
	described := load(t)
	for _, tt := range []struct {
		name, path string
		fault      sandbox.Fault
	}{
		{"another type", "/organization/users", sandbox.Fault{Kind: sandbox.WrongType, Variant: "array"}},
		{"numbers as strings", "/organization/users", sandbox.Fault{Kind: sandbox.WrongType, Variant: "members"}},
		{"undeclared members", "/organization/users", sandbox.Fault{Kind: sandbox.Drift, Variant: "fields"}},
		{"unknown enum value", "/organization/invites", sandbox.Fault{Kind: sandbox.Drift, Variant: "enums"}},
		{"undeclared status", "/organization/users", sandbox.Fault{Kind: sandbox.Created}},
		{"flat error", "/organization/projects/{id}", sandbox.Fault{Kind: sandbox.RefuseFlat, Status: 400}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDriver(t, described, sandbox.Options{Users: 5, Projects: 2})
			method, path := http.MethodGet, tt.path
			if strings.Contains(path, "{id}") {
				method, path = http.MethodPost, strings.Replace(path, "{id}", id(d.list("/organization/projects")[0]), 1)
			}
			tt.fault.Op = "*"
			d.sandbox.Inject(tt.fault)
			got := d.send(method, path, "{}")
			if len(described.check(t, got)) == 0 {
				t.Errorf("accepted %d %.300s", got.status, got.body)
			}
		})
	}
}

// A single null where none may be, and a missing member, in an answer that is
// right otherwise.
func TestSubtlyWrongAnswersAreFound(t *testing.T) {
	t.Parallel()
	described := load(t)
	d := newDriver(t, described, sandbox.Options{Users: 3, Projects: 2})
	const keys, storage, providers = "/organization/admin_api_keys", "/organization/external_storage", "/organization/workload_identity_providers"
	for _, tt := range []struct{ path, name, old, replacement string }{
		{keys, "null for a string", `"redacted_value":"`, `"redacted_value":null,"x-old":"`},
		{keys, "missing member", `"has_more":`, `"had_more":`},
		{keys, "wrong constant", `"object":"list"`, `"object":"lists"`},
		{storage, "a status that is none", `"status":"pending"`, `"status":"lost"`},
		{storage, "a provider without a member", `"account_id":`, `"account":`},
		{storage, "null for a union", `"provider":{`, `"provider":null,"x-old":{`},
		{providers, "a type that is none", `"type":"discovery"`, `"type":"guess"`},
		{providers, "text for a time", `"updated_at":`, `"updated_at":"now","x-old":`},
	} {
		got := d.send(http.MethodGet, tt.path, "")
		wrong := got
		wrong.body = bytes.Replace(got.body, []byte(tt.old), []byte(tt.replacement), 1)
		if bytes.Equal(wrong.body, got.body) {
			t.Fatalf("%s: nothing to replace in %s", tt.name, got.body)
		}
		if len(described.check(t, wrong)) == 0 {
			t.Errorf("%s: accepted %s", tt.name, wrong.body)
		}
	}
}
