package sandbox

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// Users can do over HTTP what tests do in Go: time, lives of keys, states.
func TestStateControls(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	control := func(status int, method, path, body string) map[string]any {
		t.Helper()
		return c.call(status, method, "/_sandbox/"+path, body)
	}
	project, _, made := c.account(`{"name":"bot","expires_in_seconds":3600}`)
	id, asked := textAt(c.get(project), "id"), fmt.Sprintf(`{"value":%q}`, textAt(made, "api_key", "value"))
	if got := control(200, "POST", "key", asked); got["exists"] != true || got["alive"] != true || textAt(got, "project_id") != id {
		t.Errorf("key %v", got)
	}
	if got := control(200, "GET", "clock", ""); textAt(got, "now") != testNow.Format(time.RFC3339) || number(t, got, "unix") != testNow.Unix() {
		t.Errorf("clock %v", got)
	}
	if got := control(200, "POST", "clock", `{"advance":"1h"}`); number(t, got, "unix") != testNow.Unix()+3600 {
		t.Errorf("advanced %v", got)
	}
	if got := control(200, "POST", "key", asked); got["exists"] != true || got["alive"] != false {
		t.Errorf("key after its life %v", got)
	}
	control(200, "POST", "clock", `{"set":"2026-03-18T16:00:00Z"}`)
	if got := control(200, "POST", "key", asked); got["alive"] != true {
		t.Errorf("key before its end %v", got)
	}
	if got := control(200, "POST", "key", `{"value":"sk-none"}`); got["exists"] != false || got["alive"] != false {
		t.Errorf("unknown key %v", got)
	}

	control(200, "POST", "key_life", `{"seconds":600}`)
	c.refuses(400, "expiration_required", "expires_in_seconds", "POST", project+"/service_accounts", `{"name":"x"}`)
	control(200, "POST", "key_life/"+id, `{"seconds":60}`)
	if got := control(200, "GET", "key_life/"+id, ""); got["seconds"] != json.Number("60") {
		t.Errorf("the project's %v", got)
	}
	if got := control(200, "GET", "key_life", ""); got["seconds"] != json.Number("600") {
		t.Errorf("the organization's %v", got)
	}
	storage := ids(c.get("/organization/external_storage"))[0]
	control(200, "POST", "external_storage/"+storage, `{"status":"degraded"}`)
	if got := c.get("/organization/external_storage/" + storage); got["status"] != "degraded" {
		t.Errorf("storage %v", got)
	}
	key := ids(c.get("/organization/external_keys"))[0]
	control(200, "POST", "external_keys/"+key, `{"status":"invalid"}`)
	if got := c.call(200, "POST", "/v1/organization/external_keys/"+key+"/validate", ""); got["status"] != "invalid" {
		t.Errorf("key %v", got)
	}

	for _, wrong := range []struct {
		status       int
		method, path string
		body         string
	}{
		{400, "POST", "clock", `{}`},
		{400, "POST", "clock", `{"advance":"1h","set":"2026-03-18T16:00:00Z"}`},
		{400, "POST", "clock", `{"advance":"soon"}`},
		{400, "POST", "clock", `{"set":"tomorrow"}`},
		{400, "POST", "clock", `{"colour":1}`},
		{400, "POST", "key", `[]`},
		{400, "POST", "key_life", `{"seconds":-1}`},
		{400, "POST", "key_life", `{"seconds":31536001}`},
		{404, "POST", "key_life/none", `{"seconds":1}`},
		{404, "GET", "key_life/none", ""},
		{400, "POST", "external_storage/" + storage, `{"status":"lost"}`},
		{404, "POST", "external_storage/none", `{"status":"pending"}`},
		{404, "POST", "external_keys/none", `{"status":"valid"}`},
		{404, "POST", "external_keys", `{"status":"valid"}`},
		{404, "DELETE", "clock", ""},
		{404, "GET", "clock/1", ""},
	} {
		control(wrong.status, wrong.method, wrong.path, wrong.body)
	}
	control(204, "POST", "reset", "")
	if got := control(200, "GET", "clock", ""); number(t, got, "unix") != testNow.Unix() {
		t.Errorf("after a reset %v", got)
	}
	if got := control(200, "GET", "key_life", ""); got["seconds"] != json.Number("0") {
		t.Errorf("after a reset %v", got)
	}
}

// The two clocks for Options: one runs on, the other stands.
func TestClocks(t *testing.T) {
	t.Parallel()
	stands := StandsAt(testNow)
	for range 2 {
		if now := stands(); !now.Equal(testNow) {
			t.Errorf("the clock that stands shows %s", now)
		}
	}
	runs := RunsFrom(testNow)
	first := runs()
	if first.Before(testNow) {
		t.Errorf("the clock begins at %s", first)
	}
	for !runs().After(first) { // ends when the clock has run on
	}
	s := New(Options{Users: 1, Projects: -1, Now: RunsFrom(testNow)})
	if now := s.AdvanceClock(time.Hour); now.Before(testNow.Add(time.Hour)) || s.Now().Before(now) {
		t.Errorf("advanced to %s", now)
	}
	s.SetClock(testNow.Add(-time.Hour))
	if now := s.Now(); now.After(testNow) {
		t.Errorf("set back to %s", now)
	}
}
