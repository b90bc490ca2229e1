package sandbox

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The list in testdata is a copy of the API's, independent of the code.
func TestEveryOperationIsThere(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/operations.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Fields(strings.ReplaceAll(strings.TrimSpace(string(raw)), " ", "|"))
	got := New(small()).Operations()
	for i, name := range got {
		got[i] = strings.ReplaceAll(name, " ", "|")
	}
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("operations (-want +got):\n%s", diff)
	}
	if len(got) != 143 {
		t.Errorf("%d operations, want 143", len(got))
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project := ids(c.get("/organization/projects"))[0]
	for _, tt := range []struct {
		name         string
		status       int
		code, param  string
		method, path string
		body         string
	}{
		{"unknown path", 404, "unknown_url", "", "GET", "/organization/nothing", ""},
		{"path beyond", 404, "unknown_url", "", "GET", "/organization/users/a/b/c", ""},
		{"trailing slash", 404, "unknown_url", "", "GET", "/organization/users/", ""},
		{"prefix of a path", 404, "unknown_url", "", "GET", "/organization", ""},
		{"wrong method", 405, "method_not_supported", "", "PUT", "/organization/users", ""},
		{"delete of a list", 405, "method_not_supported", "", "DELETE", "/organization/users", ""},
		{"escaped slash stays in its segment", 404, "not_found", "", "GET", "/organization/users/a%2Fb", ""},
		{"missing field", 400, "missing_required_parameter", "name", "POST", "/organization/projects", `{}`},
		{"missing body", 400, "missing_required_parameter", "name", "POST", "/organization/projects", ``},
		{"missing nested field", 400, "missing_required_parameter", "projects[0].role", "POST", "/organization/invites",
			`{"email":"a@b.c","role":"owner","projects":[{"id":"x"}]}`},
		{"wrong type", 400, "invalid_type", "name", "POST", "/organization/projects", `{"name":1}`},
		{"null where none is", 400, "invalid_type", "name", "POST", "/organization/projects", `{"name":null}`},
		{"wrong item type", 400, "invalid_type", "permissions[1]", "POST", "/organization/roles",
			`{"role_name":"x","permissions":["a",2]}`},
		{"decimal for an integer", 400, "invalid_type", "threshold_amount", "POST", "/organization/spend_limit",
			`{"threshold_amount":1.5,"currency":"USD","interval":"month"}`},
		{"outside enum", 400, "invalid_value", "role", "POST", "/organization/invites", `{"email":"a@b.c","role":"king"}`},
		{"below bound", 400, "below_minimum", "threshold_amount", "POST", "/organization/spend_limit",
			`{"threshold_amount":0,"currency":"USD","interval":"month"}`},
		{"above bound", 400, "above_maximum", "expires_in_seconds", "POST", "/organization/admin_api_keys",
			`{"name":"x","expires_in_seconds":31536001}`},
		{"empty string", 400, "below_minimum", "name", "POST", "/organization/groups", `{"name":""}`},
		{"too many items", 400, "above_maximum", "certificate_ids", "POST", "/organization/certificates/activate",
			`{"certificate_ids":["1","2","3","4","5","6","7","8","9","10","11"]}`},
		{"unknown field", 400, "unknown_parameter", "colour", "POST", "/organization/projects", `{"name":"x","colour":"red"}`},
		{"body where none is taken", 400, "unknown_parameter", "name", "POST", "/organization/projects/" + project + "/archive", `{"name":"x"}`},
		{"array body", 400, "invalid_type", "", "POST", "/organization/projects", `[]`},
		{"no JSON", 400, "invalid_json", "", "POST", "/organization/projects", `{"name":`},
		{"two values", 400, "invalid_json", "", "POST", "/organization/projects", `{"name":"x"}{}`},
		{"unknown query parameter", 400, "unknown_parameter", "colour", "GET", "/organization/users?colour=red", ""},
		{"limit above maximum", 400, "above_maximum", "limit", "GET", "/organization/users?limit=101", ""},
		{"negative limit", 400, "below_minimum", "limit", "GET", "/organization/users?limit=-1", ""},
		{"limit that is no number", 400, "invalid_type", "limit", "GET", "/organization/users?limit=ten", ""},
		{"limit twice", 400, "duplicate_parameter", "limit", "GET", "/organization/users?limit=1&limit=2", ""},
		{"order outside enum", 400, "invalid_value", "order", "GET", "/organization/groups?order=up", ""},
		{"flag that is none", 400, "invalid_type", "include_archived", "GET", "/organization/projects?include_archived=1", ""},
		{"unknown cursor", 400, "invalid_cursor", "after", "GET", "/organization/users?after=user-none", ""},
		{"unknown backward cursor", 400, "invalid_cursor", "before", "GET", "/organization/spend_alerts?before=none", ""},
		{"unknown page", 400, "invalid_cursor", "page", "GET", "/organization/costs?start_time=0&page=page_AAAA", ""},
		{"missing start", 400, "missing_required_parameter", "start_time", "GET", "/organization/costs", ""},
		{"unknown member of a range", 400, "unknown_parameter", "effective_at.around", "GET", "/organization/audit_logs?effective_at[around]=1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sub := *c
			sub.t = t
			sub.refuses(tt.status, tt.code, tt.param, tt.method, tt.path, tt.body)
		})
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	clock := newClock(testNow)
	options := small()
	c := dial(t, options)
	for _, header := range []string{"", "Bearer ", "Bearer wrong", "Basic " + DefaultAdminKey, DefaultAdminKey} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/v1/organization/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		got, err := c.do(r)
		if err != nil {
			t.Fatal(err)
		}
		if got.status != http.StatusUnauthorized || textAt(got.body, "error", "code") != "invalid_api_key" {
			t.Errorf("Authorization %q: %d %s", header, got.status, got.raw)
		}
		if got.header.Get("X-Request-Id") == "" {
			t.Errorf("Authorization %q: no x-request-id", header)
		}
	}

	// A created admin key works until it expires or is deleted.
	options.Now = clock.Now
	c = dial(t, options)
	made := c.post("/organization/admin_api_keys", `{"name":"short","expires_in_seconds":60}`)
	with := func(want int) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.url+"/v1/organization/users", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+textAt(made, "value"))
		if got, err := c.do(r); err != nil || got.status != want {
			t.Errorf("created key: status %d, %v; want %d", got.status, err, want)
		}
	}
	with(http.StatusOK)
	clock.Advance(time.Minute)
	with(http.StatusUnauthorized)
	made = c.post("/organization/admin_api_keys", `{"name":"long"}`)
	with(http.StatusOK)
	c.delete("/organization/admin_api_keys/" + textAt(made, "id"))
	with(http.StatusUnauthorized)
}
