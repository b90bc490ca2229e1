package sandbox

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// walk follows a list forwards to its end and returns a member of every item. A
// cursor "id" is the id of the last item. It fails the test if the list does not end.
func (c *client) walk(path, cursor, member string) []string {
	c.t.Helper()
	var out []string
	at := path
	for range 2000 {
		page := c.get(at)
		out = append(out, ids(page, member)...)
		if page["has_more"] != true {
			if cursor == "next" && page["next"] != nil {
				c.t.Errorf("%s: next is %v on the last page", at, page["next"])
			}
			return out
		}
		next, ok := page[cursor].(string)
		if cursor == "id" {
			next, ok = out[len(out)-1], len(page) == 3 // object, data and has_more
		}
		if !ok {
			c.t.Fatalf("%s: has_more without %s: %v", at, cursor, page)
		}
		at = path + "&after=" + url.QueryEscape(next)
	}
	c.t.Fatalf("%s does not end", path)
	return nil
}

// With every page size, a walk meets each item once and in the same order.
func TestWalksMeetEveryItemOnce(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	project := ids(c.get("/organization/projects"))[0]
	group := ids(c.get("/organization/groups"))[0]
	provider := ids(c.get("/organization/workload_identity_providers"))[0]
	for _, tt := range []struct {
		path, cursor, member string
		maximum              int
		least                int
	}{
		{"/organization/users?", "last_id", "id", 100, 40},
		{"/organization/projects?include_archived=true&", "last_id", "id", 100, 8},
		{"/organization/invites?", "last_id", "id", 100, 6},
		{"/organization/admin_api_keys?order=desc&", "last_id", "id", 100, 3},
		{"/organization/certificates?", "last_id", "id", 100, 4},
		{"/organization/audit_logs?", "last_id", "id", 100, 100},
		{"/organization/audit_logs?tenant_only=true&", "last_id", "id", 100, 50},
		{"/organization/spend_alerts?order=desc&", "last_id", "id", 100, 3},
		{"/organization/projects/" + project + "/users?", "last_id", "id", 100, 3},
		{"/organization/projects/" + project + "/rate_limits?", "last_id", "id", 1000, len(c.sandbox.org.Projects.All()[0].Limits())},
		{"/organization/projects/" + project + "/api_keys?owner_project_access=any&", "last_id", "id", 100, 3},
		{"/organization/groups?order=desc&", "next", "id", 1000, 4},
		{"/organization/groups/" + group + "/users?", "next", "id", 1000, 2},
		{"/organization/roles?", "next", "id", 1000, 7},
		{"/projects/" + project + "/roles?", "next", "id", 1000, 2},
		{"/organization/external_keys?", "id", "id", 100, 3},
		{"/organization/external_storage?order=desc&", "id", "id", 100, 4},
		{"/organization/workload_identity_providers?", "id", "id", 100, 3},
		{"/organization/workload_identity_providers/" + provider + "/federation_rules?", "id", "id", 100, 3},
	} {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			sub := *c
			sub.t = t
			want := sub.walk(fmt.Sprintf("%slimit=%d", tt.path, tt.maximum), tt.cursor, tt.member)
			if len(want) < tt.least {
				t.Fatalf("%d items, want at least %d", len(want), tt.least)
			}
			if sorted := slices.Sorted(slices.Values(want)); len(slices.Compact(sorted)) != len(want) {
				t.Errorf("an item comes twice: %v", want)
			}
			for _, limit := range []int{1, 3, 7} {
				got := sub.walk(fmt.Sprintf("%slimit=%d", tt.path, limit), tt.cursor, tt.member)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("limit=%d (-want +got):\n%s", limit, diff)
				}
			}
		})
	}
}

func TestWalkBackwards(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	const path = "/organization/audit_logs?limit=100"
	all := c.walk(path, "last_id", "id")
	var got []string
	for before := all[len(all)-1]; before != ""; {
		page := c.get("/organization/audit_logs?limit=9&before=" + before)
		got = append(ids(page), got...)
		if page["has_more"] != true {
			break
		}
		before = textAt(page, "first_id")
	}
	if diff := cmp.Diff(all[:len(all)-1], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	between := ids(c.get("/organization/audit_logs?after=" + all[2] + "&before=" + all[6]))
	if diff := cmp.Diff(all[3:6], between); diff != "" {
		t.Errorf("between (-want +got):\n%s", diff)
	}
}

func TestPageDefaults(t *testing.T) {
	t.Parallel()
	c := dial(t, Options{Users: 150, Groups: 120, AuditEvents: 300})
	for _, tt := range []struct {
		path string
		want int
	}{
		{"/organization/users", 20},
		{"/organization/users?limit=0", 20},
		{"/organization/users?limit=100", 100},
		{"/organization/users?after=", 20},
		{"/organization/groups", 100},
		{"/organization/groups?limit=0", 100},
		{"/organization/groups?limit=1000", 120},
		{"/organization/audit_logs", 20},
		{"/organization/projects", 20},
	} {
		if got := len(items(c.get(tt.path))); got != tt.want {
			t.Errorf("%s: %d items, want %d", tt.path, got, tt.want)
		}
	}
	empty := c.get("/organization/users?emails[]=nobody@example.com")
	if empty["first_id"] != nil || empty["last_id"] != nil || empty["has_more"] != false || len(items(empty)) != 0 {
		t.Errorf("empty list: %v", empty)
	}
}

// A walk goes on after its last item has stopped matching the filter.
func TestWalkSurvivesArchiving(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	all := ids(c.get("/organization/projects"))
	first := ids(c.get("/organization/projects?limit=2"))
	c.post("/organization/projects/"+first[1]+"/archive", "")
	rest := ids(c.get("/organization/projects?after=" + first[1]))
	if diff := cmp.Diff(all[2:], rest); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFilters(t *testing.T) {
	t.Parallel()
	c := dial(t, small())
	users := items(c.get("/organization/users?limit=10"))
	a, b := textAt(users[0], "email"), textAt(users[2], "email")
	for _, query := range []string{
		"emails[]=" + a + "&emails[]=" + b, "emails=" + a + "&emails=" + b, "emails[]=" + a + "&emails=" + b,
	} {
		got := c.get("/organization/users?" + query)
		if diff := cmp.Diff([]string{textAt(users[0], "id"), textAt(users[2], "id")}, ids(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}

	keys := 0
	for _, p := range ids(c.get("/organization/projects")) {
		base := "/organization/projects/" + p + "/api_keys?limit=100&owner_project_access="
		active, inactive, all := ids(c.get(base+"active")), ids(c.get(base+"inactive")), ids(c.get(base+"any"))
		if len(active)+len(inactive) != len(all) {
			t.Errorf("project %s: %d active and %d inactive of %d keys", p, len(active), len(inactive), len(all))
		}
		keys += len(inactive)
	}
	if keys == 0 {
		t.Error("no key whose owner has left")
	}
}
