package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// account makes a project with a service account, and returns the paths of both and
// the account as it was answered.
func (c *client) account(body string) (project, account string, made map[string]any) {
	c.t.Helper()
	project = "/organization/projects/" + textAt(c.post("/organization/projects", `{"name":"p"}`), "id")
	made = c.post(project+"/service_accounts", body)
	return project, project + "/service_accounts/" + textAt(made, "id"), made
}

// A key works until it expires by the sandbox's clock. After that it is still shown,
// cannot be updated, and can be deleted.
func TestProjectKeysExpire(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project, account, made := c.account(`{"name":"bot","expires_in_seconds":60}`)
	key := objectAt(t, made, "api_key")
	path := project + "/api_keys/" + textAt(key, "id")
	end := testNow.Unix() + 60
	if number(t, key, "expires_at") != end || number(t, c.get(path), "expires_at") != end {
		t.Errorf("made %v, shown as %v", key, c.get(path))
	}
	second := c.post(account+"/api_keys", `{"expires_in_seconds":120}`)
	lasting := c.post(account+"/api_keys", `{"expires_in_seconds":null}`)
	if number(t, second, "expires_at") != end+60 || lasting["expires_at"] != nil {
		t.Errorf("second %v, lasting %v", second, lasting)
	}
	alive := func(want ...bool) {
		t.Helper()
		var got []bool
		for _, k := range []map[string]any{key, second, lasting} {
			got = append(got, c.sandbox.KeyAlive(textAt(k, "value")))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("alive (-want +got):\n%s", diff)
		}
	}
	c.sandbox.AdvanceClock(59 * time.Second)
	alive(true, true, true)
	c.sandbox.AdvanceClock(time.Second)
	alive(false, true, true)
	if !slices.Contains(ids(c.get(project+"/api_keys")), textAt(key, "id")) || number(t, c.get(path), "expires_at") != end {
		t.Error("the expired key is not shown")
	}
	for _, body := range []string{`{"expires_in_seconds":60}`, `{"scopes":["api.all.read"]}`} {
		c.refuses(400, "api_key_expired", "", "POST", path, body)
	}
	c.delete(path)
	c.missing(path)
	c.delete(account)
	alive(false, false, false)
	if c.sandbox.KeyAlive("sk-unknown") || c.sandbox.KeyAlive("") {
		t.Error("an unknown key is alive")
	}
}

// Each update with a life restarts it from the request.
func TestUpdateRestartsTheLife(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project, _, made := c.account(`{"name":"bot"}`)
	value, path := textAt(made, "api_key", "value"), project+"/api_keys/"+textAt(made, "api_key", "id")
	for range 3 {
		got := c.post(path, `{"expires_in_seconds":100}`)
		if number(t, got, "expires_at") != c.sandbox.Now().Unix()+100 {
			t.Errorf("at %d: %v", c.sandbox.Now().Unix(), got["expires_at"])
		}
		c.sandbox.AdvanceClock(90 * time.Second)
	}
	if !c.sandbox.KeyAlive(value) {
		t.Error("the prolonged key is dead")
	}
	c.post(path, `{"scopes":["api.all.read"]}`) // leaves the life
	c.sandbox.AdvanceClock(10 * time.Second)
	if c.sandbox.KeyAlive(value) {
		t.Error("the key outlives its life")
	}
}

// Scopes are replaced, left when absent, and all removed by an empty list. The audit
// log tells the last two apart.
func TestScopesOfKeys(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project, account, made := c.account(`{"name":"bot"}`)
	value, path := textAt(made, "api_key", "value"), project+"/api_keys/"+textAt(made, "api_key", "id")
	for _, tt := range []struct {
		body    string
		scopes  []string
		changes string
	}{
		{`{"scopes":["api.all.read"]}`, []string{"api.all.read"}, "scopes"},
		{`{"expires_in_seconds":60}`, []string{"api.all.read"}, "expires_in_seconds"},
		{`{"scopes":["a","b"],"expires_in_seconds":60}`, []string{"a", "b"}, "expires_in_seconds scopes"},
		{`{"scopes":[]}`, []string{}, "scopes"},
	} {
		c.post(path, tt.body)
		state, exists := c.sandbox.Key(value)
		if diff := cmp.Diff(tt.scopes, state.Scopes); diff != "" || !exists {
			t.Errorf("%s (-want +got):\n%s", tt.body, diff)
		}
		var changed []string
		for name := range objectAt(t, objectAt(t, c.newest(false), "api_key.updated"), "changes_requested") {
			changed = append(changed, name)
		}
		slices.Sort(changed)
		if got := strings.Join(changed, " "); got != tt.changes {
			t.Errorf("%s: the event has %q, want %q", tt.body, got, tt.changes)
		}
	}
	restricted := c.post(account+"/api_keys", `{"scopes":["api.files.read"]}`)
	if state, _ := c.sandbox.Key(textAt(restricted, "value")); !slices.Equal(state.Scopes, []string{"api.files.read"}) {
		t.Errorf("created with %v", state.Scopes)
	}
	before := c.newest(false)["id"]
	c.refuses(400, "missing_required_parameter", "", "POST", path, `{}`)
	c.refuses(400, "invalid_type", "scopes", "POST", path, `{"scopes":null}`)
	c.refuses(400, "invalid_type", "expires_in_seconds", "POST", path, `{"expires_in_seconds":null}`)
	c.refuses(400, "below_minimum", "expires_in_seconds", "POST", path, `{"expires_in_seconds":0}`)
	c.refuses(400, "above_maximum", "expires_in_seconds", "POST", path, `{"expires_in_seconds":31536001}`)
	c.refuses(404, "not_found", "", "POST", project+"/api_keys/key_none", `{"scopes":[]}`)
	if c.newest(false)["id"] != before {
		t.Error("a refused update left an event")
	}
}

// Where the organization or the project has a longest life, keys need one within it.
func TestEnforcedKeyLives(t *testing.T) {
	t.Parallel()
	options := small()
	options.LongestKeyLife = time.Hour
	c := dial(t, options)
	project, account, _ := c.account(`{"name":"bot","create_service_account_only":true}`)
	id := project[strings.LastIndex(project, "/")+1:]
	refused := func(longest int64) {
		t.Helper()
		const param = "expires_in_seconds"
		for path, body := range map[string]string{
			project + "/service_accounts": `"name":"x"`,
			account + "/api_keys":         `"name":"x"`,
		} {
			c.refuses(400, "expiration_required", param, "POST", path, "{"+body+"}")
			c.refuses(400, "expiration_required", param, "POST", path, "{"+body+`,"expires_in_seconds":null}`)
			c.refuses(400, "expiration_too_long", param, "POST", path, fmt.Sprintf(`{%s,"expires_in_seconds":%d}`, body, longest+1))
			c.post(path, fmt.Sprintf(`{%s,"expires_in_seconds":%d}`, body, longest))
		}
		key := c.post(account+"/api_keys", `{"expires_in_seconds":1}`)
		path := project + "/api_keys/" + textAt(key, "id")
		c.refuses(400, "expiration_too_long", param, "POST", path, fmt.Sprintf(`{"expires_in_seconds":%d}`, longest+1))
		c.post(path, fmt.Sprintf(`{"expires_in_seconds":%d}`, longest))
		c.post(path, `{"scopes":[]}`) // leaves the life as it is
	}
	refused(3600)
	if err := c.sandbox.SetLongestKeyLife(id, time.Minute); err != nil {
		t.Fatal(err)
	}
	refused(60)
	if err := c.sandbox.SetLongestKeyLife(id, 2*time.Hour); err != nil {
		t.Fatal(err)
	}
	refused(3600) // the organization's is shorter
	if err := c.sandbox.SetLongestKeyLife("", 0); err != nil {
		t.Fatal(err)
	}
	refused(7200)
	other, _, _ := c.account(`{"name":"free"}`)
	c.post(other+"/service_accounts", `{"name":"free too"}`)
	if c.sandbox.SetLongestKeyLife("proj_none", time.Hour) == nil {
		t.Error("a project that does not exist has a longest life")
	}

	c.refuses(400, "invalid_value", "expires_in_seconds", "POST", project+"/service_accounts",
		`{"name":"x","create_service_account_only":true,"expires_in_seconds":60}`)
	c.post(project+"/service_accounts", `{"name":"x","create_service_account_only":true,"expires_in_seconds":null}`)

	// Options have it for a seeded project, and a reset returns to the options.
	seeded := c.sandbox.org.Projects.All()[0].ID
	options.ProjectKeyLives = map[string]time.Duration{seeded: time.Minute}
	s := New(options)
	if err := s.SetLongestKeyLife(seeded, time.Second); err != nil {
		t.Fatal(err)
	}
	s.Reset()
	if life, err := s.LongestKeyLife(seeded); life != time.Minute || err != nil {
		t.Errorf("longest life %s, %v", life, err)
	}
}

// A seeded organization has keys of every kind, today and at the end of the month.
func TestSeededKeys(t *testing.T) {
	t.Parallel()
	s := New(Options{Now: StandsAt(testNow)})
	for _, now := range []time.Time{testNow, time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC)} {
		kinds := make(map[string]int)
		for _, p := range s.org.Projects.All() {
			for _, k := range p.Keys.All() {
				kinds[kindOfKey(k, now.Unix())]++
				if len(k.Scopes) > 0 {
					kinds["restricted"]++
				}
				if k.Expired(now.Unix()) && k.LastUsedAt != nil {
					t.Errorf("key %s has expired and is used", k.ID)
				}
			}
		}
		for _, kind := range []string{"lasting", "expired", "expires soon", "expires late", "restricted"} {
			if kinds[kind] < 5 {
				t.Errorf("%s: %v", now, kinds)
			}
		}
	}
}

func kindOfKey(k *data.ProjectKey, now int64) string {
	switch {
	case k.ExpiresAt == nil:
		return "lasting"
	case k.Expired(now):
		return "expired"
	case *k.ExpiresAt < now+45*24*3600:
		return "expires soon"
	default:
		return "expires late"
	}
}

// An admin key is alive as long as it authenticates.
func TestKeyAliveOfAdminKeys(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	made := c.post("/organization/admin_api_keys", `{"name":"k","expires_in_seconds":60}`)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+usersPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+textAt(made, "value"))
	for _, step := range []struct {
		wait   time.Duration
		alive  bool
		status int
	}{{59 * time.Second, true, 200}, {time.Second, false, 401}} {
		c.sandbox.AdvanceClock(step.wait)
		got, err := c.do(r)
		if err != nil || got.status != step.status || c.sandbox.KeyAlive(textAt(made, "value")) != step.alive {
			t.Errorf("status %d, alive %t, %v", got.status, !step.alive, err)
		}
	}
}

// A sandbox that ignores lives refuses what any other refuses, and no key of it ends.
func TestIgnoredKeyLives(t *testing.T) {
	t.Parallel()
	options := small()
	options.IgnoreKeyLives = true
	c := dial(t, options)
	project, account, made := c.account(`{"name":"bot","expires_in_seconds":60}`)
	key := objectAt(t, made, "api_key")
	second := c.post(account+"/api_keys", `{"expires_in_seconds":60}`)
	prolonged := c.post(project+"/api_keys/"+textAt(second, "id"), `{"expires_in_seconds":60}`)
	c.sandbox.AdvanceClock(time.Hour)
	for _, k := range []map[string]any{key, second, prolonged} {
		if k["expires_at"] != nil {
			t.Errorf("%v has an end", k)
		}
	}
	if !c.sandbox.KeyAlive(textAt(key, "value")) || !c.sandbox.KeyAlive(textAt(second, "value")) {
		t.Error("a key has ended")
	}
	c.refuses(400, "below_minimum", "expires_in_seconds", "POST", account+"/api_keys", `{"expires_in_seconds":0}`)
}
