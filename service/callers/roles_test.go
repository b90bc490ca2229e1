package callers

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	leasev1 "github.com/admin-gateway/admin-gateway/gen/admingateway/lease/v1"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// rolesText has one role from line 1, with its keys in the order of the documentation.
const rolesText = `roles:
  - name: search-batch
    project: proj_search
    kind: key
    service_account: search-batch
    scopes: [api.model.request]
    ttl: 1h
    max_ttl: 24h
    grace: 2m
    max_live: 20
    share: 1
    spares: 0
`

// callerText has one caller from line 13 on, which may ask for that role.
func callerText() string {
	return `callers:
  - name: team
    authenticate: [{token_sha256: ` + hash("team") + `}]
    grants:
      - permissions: [leases.create]
        roles: [search-batch]
    leases: {max_live: 3, mints_per_hour: 60}
`
}

// asks decides whether a caller may ask for a lease of a role.
func asks(t *testing.T, r Rules, set *Set, caller, role string) authz.Decision {
	t.Helper()
	handle, _ := r.Methods.Lookup(createLease)
	return set.Policy.Decide(caller, handle, (&leasev1.CreateLeaseRequest{Role: role}).ProtoReflect(), time.Now())
}

// TestParseRoles: the roles and limits that the file has, and who may ask for them.
func TestParseRoles(t *testing.T) {
	t.Parallel()
	r := rules(t)
	text := rolesText + "  - {name: other, project: proj_other, kind: account, all: true, ttl: 5m, max_ttl: 10m, share: 50, spares: 2}\n" + callerText() +
		"  - name: lead\n    authenticate: [{token_sha256: " + hash("lead") + "}]\n    grants: [{permissions: [\"*\"], roles: [\"*\"], when: 'true'}]\n" +
		"  - name: bare\n    authenticate: [{token_sha256: " + hash("bare") + "}]\n    grants: [{permissions: [\"*\"]}]\n"
	set, err := Parse("policy.yaml", []byte(text), r)
	if err != nil {
		t.Fatal(err)
	}
	want := []roles.Role{
		{
			Name: "search-batch", Project: "proj_search", Kind: roles.Key, ServiceAccount: "search-batch", Scopes: []string{"api.model.request"},
			TTL: time.Hour, MaxTTL: 24 * time.Hour, Grace: 2 * time.Minute, MaxLive: 20, Share: 1,
		},
		{Name: "other", Project: "proj_other", Kind: roles.Account, TTL: 5 * time.Minute, MaxTTL: 10 * time.Minute, Grace: 2 * time.Minute, MaxLive: 20, Share: 50, Spares: 2},
	}
	if diff := cmp.Diff(want, set.Roles().All()); diff != "" {
		t.Error(diff)
	}
	for caller, want := range map[string]LeaseLimits{"team": {3, 60}, "lead": defaultLeaseLimits, "nobody": {}} {
		if got := set.LeaseLimits(caller); got != want {
			t.Errorf("limits of %s: %+v", caller, got)
		}
	}
	for _, test := range []struct {
		caller, role string
		want         bool
	}{
		{"team", "search-batch", true}, {"team", "other", false}, {"team", "", true}, {"team", "none", false},
		{"lead", "search-batch", true}, {"lead", "other", true},
		{"bare", "search-batch", false}, {"bare", "", false}, {"nobody", "search-batch", false},
	} {
		if d := asks(t, r, set, test.caller, test.role); d.Allowed != test.want {
			t.Errorf("%s asks for %q: %+v", test.caller, test.role, d)
		}
	}
}

// TestConditionsOnRoles: a condition sees the role as the file has it.
func TestConditionsOnRoles(t *testing.T) {
	t.Parallel()
	r := rules(t)
	for when, want := range map[string]bool{
		`role.project == "proj_search" && role.kind == "key" && role.service_account == "search-batch"`: true,
		`role.scopes == ["api.model.request"] && role.ttl < role.max_ttl && role.name != caller.name`:   true,
		`role.max_ttl <= duration("1h")`: false,
	} {
		text := rolesText + strings.Replace(callerText(), "roles: [search-batch]\n", "roles: [search-batch]\n        when: '"+when+"'\n", 1)
		set, err := Parse("policy.yaml", []byte(text), r)
		if err != nil {
			t.Errorf("%s: %v", when, err)
		} else if d := asks(t, r, set, "team", "search-batch"); d.Allowed != want {
			t.Errorf("%s: %+v", when, d)
		}
	}
}

// TestFaultsOfLeases: every fault has file, line and column.
func TestFaultsOfLeases(t *testing.T) {
	t.Parallel()
	whole := rolesText + callerText()
	second := "  - {name: b, project: proj_b, service_account: b, scopes: [api.model.request], ttl: 1h, max_ttl: 1h}\n"
	for name, test := range map[string]struct{ from, to, at, want string }{
		"an unknown role in a grant": {"roles: [search-batch]", "roles: [search-batch, serach]", "18:31", `"serach": no role`},
		"no role in a grant":         {"roles: [search-batch]", "roles: []", "18:16", "no role is meant"},
		"a role twice in a grant":    {"roles: [search-batch]", "roles: [search-batch, search-batch]", "18:31", "already roles[0]"},
		"all roles and one":          {"roles: [search-batch]", `roles: ["*", search-batch]`, "18:17", "no other"},
		"roles that are no list":     {"roles: [search-batch]", "roles: search-batch", "18:16", "list"},
		"roles of nothing":           {"[leases.create]", "[users.read]", "18:16", "about roles of leases"},
		"a project that is left out": {"roles: [search-batch]", "roles: [search-batch]\n        projects: [proj_b]", "18:17", "which is not in projects"},
		"a condition on no role":     {"[leases.create]\n", "[leases.create, users.read]\n        when: role.name == 'x'\n", "18:15", "does not compile for UserService/ListUsers"},
		"a condition on nothing":     {"[leases.create]\n", "[leases.create]\n        when: role.owner == 'x'\n", "18:15", "role"},
		"scopes of nothing":          {"scopes: [api.model.request]", "scopes: []", "6:13", "all: true"},
		"no scopes":                  {"    scopes: [api.model.request]\n", "", "2:5", "scopes: are missing"},
		"scopes and all":             {"    scopes:", "    all: true\n    scopes:", "7:13", "one of the two"},
		"all of another form":        {"scopes: [api.model.request]", "all: yes", "6:10", "true or false"},
		"a scope of no form":         {"[api.model.request]", "[api.model.request, Api]", "6:33", "no scope"},
		"a life over the longest":    {"ttl: 1h", "ttl: 25h", "7:10", "longer than max_ttl, which is 24h"},
		"no life":                    {"    ttl: 1h\n", "", "2:5", "ttl: is missing"},
		"a life without a unit":      {"ttl: 1h", "ttl: 3600", "7:10", "a duration"},
		"a long grace":               {"grace: 2m", "grace: 2h", "9:12", "2s to 1h"},
		"no grace":                   {"grace: 2m", "grace: 0s", "9:12", "2s to 1h"},
		"none live":                  {"max_live: 20", "max_live: 0", "10:15", "1 to"},
		"no share":                   {"share: 1", "share: 0", "11:12", "1 to"},
		"spares over the most":       {"spares: 0", "spares: 21", "12:13", "more than max_live, which is 20"},
		"a name that is no mark":     {"name: search-batch", "name: search.batch", "2:11", "names of keys"},
		"a long name":                {"name: search-batch", "name: " + strings.Repeat("a", 64), "2:11", "1 to 63"},
		"a name twice":               {"callers:\n", strings.Replace(second, "name: b", "name: search-batch", 1) + "callers:\n", "13:12", "roles[0] has the same name"},
		"an account twice":           {"callers:\n", strings.ReplaceAll(strings.ReplaceAll(second, "proj_b", "proj_search"), "service_account: b", "service_account: search-batch") + "callers:\n", "13:54", "account of roles[0] too"},
		"another kind":               {"kind: key", "kind: person", "4:11", "key or account"},
		"no account":                 {"    service_account: search-batch\n", "", "2:5", "service_account: is missing"},
		"an account too many":        {"kind: key", "kind: account", "5:22", "an account of its own"},
		"no project":                 {"    project: proj_search\n", "", "2:5", "project: is missing"},
		"two projects":               {"project: proj_search", "project: 'proj_a,proj_b'", "3:14", "no id"},
		"an unknown key of a role":   {"share: 1", "shares: 1", "11:5", `"shares"`},
		"a caller with no lease":     {"max_live: 3", "max_live: 0", "19:24", "max_live must be 1 to"},
		"a caller with no mint":      {"mints_per_hour: 60", "mints_per_hour: -1", "19:43", "mints_per_hour must be 1 to"},
		"an unknown key of leases":   {"mints_per_hour: 60", "mints: 60", "19:27", `"mints"`},
		"roles of another form":      {"roles:\n  - name: search-batch\n", "roles:\n  - role\n  - name: search-batch\n", "2:5", "must have keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(whole, test.from) {
				t.Fatalf("the policy has no %q", test.from)
			}
			set, err := Parse("policy.yaml", []byte(strings.Replace(whole, test.from, test.to, 1)), rules(t))
			if err == nil || set != nil {
				t.Fatal("was taken")
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			if !strings.HasPrefix(first, "policy.yaml:"+test.at+": ") || !strings.Contains(first, test.want) {
				t.Errorf("got %v, want %s: …%s", err, test.at, test.want)
			}
		})
	}
}

// TestFaultyRoleIsOneFault: a grant of a role with a fault is no fault too.
func TestFaultyRoleIsOneFault(t *testing.T) {
	t.Parallel()
	text := strings.Replace(rolesText, "grace: 2m", "grace: 2h", 1) + callerText()
	if _, err := Parse("policy.yaml", []byte(text), rules(t)); err == nil || strings.Count(err.Error(), "policy.yaml:") != 1 {
		t.Errorf("got %v", err)
	}
}

// TestGrantOfNoRoleIsWarnedOf: it opens nothing, which its author may not know.
func TestGrantOfNoRoleIsWarnedOf(t *testing.T) {
	t.Parallel()
	text := rolesText + strings.Replace(callerText(), "        roles: [search-batch]\n", "", 1)
	set, err := Parse("policy.yaml", []byte(text), rules(t))
	if err != nil {
		t.Fatal(err)
	}
	if w := set.Warnings(); len(w) != 1 || !strings.HasPrefix(w[0].Error(), "policy.yaml:17:23: ") || !strings.Contains(w[0].Error(), "names no role") {
		t.Errorf("warnings %v", w)
	}
}

// TestReloadOfRoles: roles come into force with the policy, whole or not at all.
func TestReloadOfRoles(t *testing.T) {
	t.Parallel()
	w := watch(t, policyFileOf(t, "a"))
	if _, ok := w.Current().Roles().Lookup("search-batch"); ok {
		t.Fatal("a role that is not there")
	}
	w.put(rolesText + callerText())
	w.look(2)
	before := w.Current()
	if role, ok := before.Roles().Lookup("search-batch"); !ok || role.TTL != time.Hour || before.LeaseLimits("team").MaxLive != 3 {
		t.Fatalf("reloaded: %+v", role)
	}
	w.put(strings.Replace(rolesText, "ttl: 1h", "ttl: 48h", 1) + callerText())
	w.look(2)
	if w.Current() != before || w.Failures() == 0 {
		t.Error("a faulty role came into force")
	}
	w.put(strings.Replace(rolesText, "ttl: 1h", "ttl: 2h", 1) + callerText())
	w.look(2)
	if role, _ := w.Current().Roles().Lookup("search-batch"); role.TTL != 2*time.Hour {
		t.Errorf("reloaded again: %+v", role)
	}
	if role, _ := before.Roles().Lookup("search-batch"); role.TTL != time.Hour {
		t.Errorf("the policy before has changed: %+v", role)
	}
}

// TestNoGrantNoRole: of drawn policies none opens a role to a caller of which no grant
// names it, or names all.
func TestNoGrantNoRole(t *testing.T) {
	t.Parallel()
	r := rules(t)
	opened := 0
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		b.WriteString("roles:\n")
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9]{1,5}(-[a-z0-9]{1,3})?`), 1, 3, rapid.ID).Draw(t, "names")
		for _, name := range names {
			b.WriteString("  - {name: \"" + name + "\", project: p, service_account: \"" + name + "\", all: true, ttl: 1m, max_ttl: 1h}\n")
		}
		named := rapid.SliceOfDistinct(rapid.SampledFrom(append([]string{"*"}, names...)), rapid.ID).Draw(t, "named")
		b.WriteString("callers:\n  - name: a\n    authenticate: [{token_sha256: " + hash("a") + "}]\n    grants:\n      - permissions: [\"*\"]\n")
		if len(named) > 0 {
			b.WriteString("        roles: [\"" + strings.Join(named, `", "`) + "\"]\n")
		}
		set, err := Parse("policy.yaml", []byte(b.String()), r)
		all := strings.Contains(strings.Join(named, ","), "*")
		if all && len(named) > 1 {
			if err == nil {
				t.Fatal("all roles and one were taken")
			}
			return
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		handle, _ := r.Methods.Lookup(createLease)
		for _, name := range names {
			want := all
			for _, one := range named {
				want = want || one == name
			}
			d := set.Policy.Decide("a", handle, (&leasev1.CreateLeaseRequest{Role: name}).ProtoReflect(), time.Now())
			if d.Allowed != want {
				t.Fatalf("%s: %+v\n%s", name, d, b.String())
			}
			if d.Allowed {
				opened++
			}
		}
	})
	if opened == 0 {
		t.Error("no drawn policy opens anything")
	}
}
