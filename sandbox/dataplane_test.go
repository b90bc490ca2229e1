package sandbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

const chat = `{"model":"gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}`

// use calls the data plane with a key.
func (c *client) use(key, method, path, body string) (reply, error) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+"/v1"+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return c.do(r)
}

// works expects a status and a code of both operations of the data plane; the code is ""
// where they succeed.
func (c *client) works(key string, read, request int, code string) {
	c.t.Helper()
	for _, call := range []struct {
		method, path, body string
		status             int
	}{{http.MethodGet, "/models", "", read}, {http.MethodPost, "/chat/completions", chat, request}} {
		got, err := c.use(key, call.method, call.path, call.body)
		if err != nil {
			c.t.Fatal(err)
		}
		refused := got.status != http.StatusOK
		if got.status != call.status || refused && textAt(got.body, "error", "code") != code || refused && textAt(got.body, "error", "type") == "" {
			c.t.Errorf("%s %s: status %d, want %d with the code %q: %s", call.method, call.path, got.status, call.status, code, got.raw)
		}
	}
}

// TestDataPlaneTakesLiveKeys and no others: not an admin key, nor one that is unknown,
// has expired, is deleted, or whose account is.
func TestDataPlaneTakesLiveKeys(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project, account, made := c.account(`{"name":"bot","expires_in_seconds":60}`)
	key := textAt(made, "api_key", "value")
	path := project + "/api_keys/" + textAt(made, "api_key", "id")
	second := textAt(c.post(account+"/api_keys", `{"name":"second"}`), "value")
	third := c.post(account+"/api_keys", `{"name":"third"}`)
	for _, unknown := range []string{"", "sk-nobody", DefaultAdminKey} {
		c.works(unknown, 401, 401, "invalid_api_key")
	}
	if c.get(path)["last_used_at"] != nil {
		t.Error("a refused call has used a key")
	}
	c.works(key, 200, 200, "")
	if used := number(t, c.get(path), "last_used_at"); used != testNow.Unix() {
		t.Errorf("last used at %d", used)
	}
	c.sandbox.AdvanceClock(59 * time.Second)
	c.post(path, `{"expires_in_seconds":30}`)
	c.sandbox.AdvanceClock(29 * time.Second)
	c.works(key, 200, 200, "")
	c.sandbox.AdvanceClock(time.Second)
	c.works(key, 401, 401, "invalid_api_key")
	c.works(textAt(third, "value"), 200, 200, "")
	c.delete(project + "/api_keys/" + textAt(third, "id"))
	c.works(textAt(third, "value"), 401, 401, "invalid_api_key")
	c.works(second, 200, 200, "")
	c.delete(account)
	c.works(second, 401, 401, "invalid_api_key")
}

// TestDataPlaneLooksAtScopes and at the role of the account: one that was made alone has
// none, and its keys can do nothing until it has.
func TestDataPlaneLooksAtScopes(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project, account, _ := c.account(`{"name":"bot","create_service_account_only":true}`)
	made := c.post(account+"/api_keys", `{"name":"first","scopes":["api.model.request"]}`)
	key, path := textAt(made, "value"), project+"/api_keys/"+textAt(made, "id")
	c.works(key, 403, 403, "no_project_role")
	c.post(account, `{"role":"member"}`)
	for _, tt := range []struct {
		scopes        string
		read, request int
	}{
		{`["api.model.request"]`, 403, 200}, {`["api.model.read"]`, 200, 403}, {`["api.all.read"]`, 200, 403},
		{`["api.files.read"]`, 403, 403}, {`["api.model.read","api.model.request"]`, 200, 200}, {`[]`, 200, 200},
	} {
		c.post(path, `{"scopes":`+tt.scopes+`}`)
		c.works(key, tt.read, tt.request, "missing_scope")
	}
}

// TestDataPlaneAnswers in the form of the API, and refuses what it cannot do.
func TestDataPlaneAnswers(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	_, _, made := c.account(`{"name":"bot"}`)
	key := textAt(made, "api_key", "value")
	models, err := c.use(key, http.MethodGet, "/models", "")
	if err != nil || !slices.Contains(ids(models.body), "gpt-4o-mini") {
		t.Errorf("%s, %v", models.raw, err)
	}
	answer, err := c.use(key, http.MethodPost, "/chat/completions", chat)
	if err != nil {
		t.Fatal(err)
	}
	choices := objects(answer.body["choices"])
	if len(choices) != 1 || textAt(choices[0], "message", "content") == "" || textAt(answer.body, "object") != "chat.completion" {
		t.Errorf("%s", answer.raw)
	}
	for body, code := range map[string]string{
		`{`:                       "invalid_json",
		`{"model":"gpt-4o-mini"}`: "missing_required_parameter",
		`{"model":"gpt-4o-mini","stream":true,"messages":[{}]}`: "unsupported_value",
		`{"model":"nothing","messages":[{}]}`:                   "model_not_found",
	} {
		if got, err := c.use(key, http.MethodPost, "/chat/completions", body); err != nil || textAt(got.body, "error", "code") != code {
			t.Errorf("%s: %s, %v", body, got.raw, err)
		}
	}
	if got, err := c.use(key, http.MethodDelete, "/models", ""); err != nil || got.status != http.StatusNotFound {
		t.Errorf("DELETE: %d, %v", got.status, err)
	}
}

// TestFaultsOfTheDataPlane are those that name it; a fault of the whole Admin API leaves
// it alone.
func TestFaultsOfTheDataPlane(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	_, _, made := c.account(`{"name":"bot"}`)
	key := textAt(made, "api_key", "value")
	remove := c.sandbox.Inject(Fault{Op: "*", Kind: Refuse})
	c.works(key, 200, 200, "")
	remove()
	c.sandbox.Inject(Fault{Op: "GET /models", Kind: Refuse, Status: 503, Code: "busy"})
	c.works(key, 503, 200, "busy")
	if n := c.sandbox.Count("POST /chat/completions"); n != 2 {
		t.Errorf("%d calls were counted", n)
	}
}

// TestControlListsKeys of a project, and of all, with their names and ends.
func TestControlListsKeys(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project, account, made := c.account(`{"name":"bot","expires_in_seconds":60}`)
	c.post(account+"/api_keys", `{"name":"agw.search.1","scopes":["a"]}`)
	c.sandbox.AdvanceClock(time.Minute)
	id := project[strings.LastIndex(project, "/")+1:]
	keys, err := c.sandbox.ProjectKeys(id)
	if err != nil || len(keys) != 2 {
		t.Fatalf("%v, %v", keys, err)
	}
	end := testNow.Unix() + 60
	if k := keys[0]; k.Alive || k.ID != textAt(made, "api_key", "id") || *k.ExpiresAt != end || k.ProjectID != id {
		t.Errorf("%+v", k)
	}
	if k := keys[1]; !k.Alive || k.Name != "agw.search.1" || k.ExpiresAt != nil || k.AccountID != textAt(made, "id") || !slices.Equal(k.Scopes, []string{"a"}) || k.CreatedAt != testNow.Unix() {
		t.Errorf("%+v", k)
	}
	if all, err := c.sandbox.ProjectKeys(""); err != nil || len(all) <= 2 {
		t.Errorf("%d keys of all projects, %v", len(all), err)
	}
	got, err := c.try(http.MethodGet, "/_sandbox/keys/"+id, "")
	if err != nil || !strings.Contains(string(got.raw), `"name":"agw.search.1"`) {
		t.Errorf("%s, %v", got.raw, err)
	}
	if got, err := c.try(http.MethodGet, "/_sandbox/keys/proj_none", ""); err != nil || got.status != http.StatusNotFound {
		t.Errorf("%d, %v", got.status, err)
	}
}
