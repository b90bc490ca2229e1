package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/sandbox/data"
)

// dump returns the answers of a sandbox to a set of reads.
func dump(t *testing.T, s *Sandbox) []byte {
	t.Helper()
	var out bytes.Buffer
	read := func(path string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1"+path, nil)
		r.Header.Set("Authorization", "Bearer "+DefaultAdminKey)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		fmt.Fprintf(&out, "%s %d %s", path, w.Code, w.Body)
	}
	for _, path := range []string{
		"/organization/users?limit=100", "/organization/projects?limit=100&include_archived=true",
		"/organization/groups", "/organization/roles", "/organization/invites?limit=100",
		"/organization/certificates", "/organization/admin_api_keys", "/organization/spend_alerts",
		"/organization/external_keys", "/organization/external_storage", "/organization/workload_identity_providers",
		"/organization/spend_limit", "/organization/audit_logs?limit=100", "/organization/audit_logs?limit=100&tenant_only=true",
		"/organization/costs?start_time=1773000000&limit=3&group_by=line_item&group_by=project_id",
	} {
		read(path)
	}
	for _, c := range s.org.Certificates.All() {
		read("/organization/certificates/" + c.ID + "?include[]=content")
	}
	for _, p := range s.org.Providers.All() {
		read("/organization/workload_identity_providers/" + p.ID + "/federation_rules")
	}
	for _, k := range data.UsageKinds() {
		read("/organization/usage/" + k.Name + "?start_time=1773000000&limit=3&group_by=project_id")
	}
	for _, p := range s.org.Projects.All() {
		for _, list := range []string{"users", "groups", "service_accounts", "rate_limits", "spend_alerts", "certificates", "hosted_tool_permissions", "service_tier_settings"} {
			read("/organization/projects/" + p.ID + "/" + list)
		}
		read("/organization/projects/" + p.ID + "/api_keys?limit=100&owner_project_access=any")
	}
	return out.Bytes()
}

func TestSameSeedSameOrganization(t *testing.T) {
	t.Parallel()
	of := func(seed uint64) []byte {
		options := small()
		options.Seed, options.Now = seed, func() time.Time { return testNow }
		return dump(t, New(options))
	}
	first, second := of(1), of(1)
	if !bytes.Equal(first, second) {
		t.Errorf("two organizations of one seed differ:\n%s", cmp.Diff(string(first), string(second)))
	}
	if bytes.Equal(first, of(2)) {
		t.Error("two seeds make one organization")
	}
	// The people are the same for the rest of the month.
	users := func(now time.Time) []*data.User {
		return New(Options{Now: func() time.Time { return now }}).org.Users.All()
	}
	afterwards := users(testNow.Add(5 * 24 * time.Hour))
	for i, u := range users(testNow) {
		if later := afterwards[i]; u.ID != later.ID || u.AddedAt != later.AddedAt {
			t.Fatalf("user %d: %v, later %v", i, u, later)
		}
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		options                          Options
		users, projects, groups, invites int
	}{
		{Options{}, 300, 40, 12, 24},
		{Options{Users: 5, Projects: 2, Groups: 3, Invites: 1}, 5, 2, 3, 1},
		{Options{Users: -1, Projects: -1, Groups: -1, Invites: -1, AuditEvents: -1}, 1, 0, 0, 0},
	} {
		o := New(tt.options).org
		got := []int{o.Users.Len(), o.Projects.Len(), o.Groups.Len(), o.Invites.Len()}
		if diff := cmp.Diff([]int{tt.users, tt.projects, tt.groups, tt.invites}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

// Reads, writes and faults run at once. The race detector is the check.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project := ids(c.get("/organization/projects"))[0]
	var workers sync.WaitGroup
	for worker := range 8 {
		workers.Go(func() {
			for i := range 20 {
				for _, call := range []struct{ method, path, body string }{
					{"GET", "/v1/organization/users", ""},
					{"POST", "/v1/organization/projects", fmt.Sprintf(`{"name":"p %d %d"}`, worker, i)},
					{"POST", "/v1/organization/projects/" + project + "/service_accounts", `{"name":"a"}`},
					{"GET", "/v1/organization/audit_logs", ""},
					{"GET", "/v1/organization/costs?start_time=1773000000", ""},
					{"POST", "/_sandbox/faults", `{"op":"GET /organization/groups","kind":"refuse","times":1}`},
					{"GET", "/v1/organization/groups", ""},
					{"GET", "/_sandbox/counts", ""},
				} {
					if _, err := c.try(call.method, call.path, call.body); err != nil {
						t.Errorf("%s %s: %v", call.method, call.path, err)
					}
				}
			}
		})
	}
	workers.Wait()
	if n := c.sandbox.Count(createProjectOp); n != 160 {
		t.Errorf("%d creates counted, want 160", n)
	}
	if n := c.sandbox.org.Projects.Len(); n != 168 {
		t.Errorf("%d projects, want 168", n)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(Options{})
	}
}
