package callers

import (
	"fmt"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	r := rules(t)
	set, err := Parse("policy.yaml", []byte(`
callers:
  - name: billing
    authenticate:
      - {token_sha256: `+hash("a")+`, expires: 2030-01-01T00:00:00Z}
      - jwt: {issuer: "`+issuer+`", subject: "system:serviceaccount:billing:exporter"}
      - {spiffe_id: spiffe://example.org/billing}
    grants:
      - permissions: [users.read]
    limits: {requests_per_second: 2.5, burst: 5, concurrent: 3, streams: 2}
  - name: team
    authenticate: [{dns_san: team.example.org}, {uri_san: "urn:team"}]
    grants:
      - permissions: ["projects.*"]
        projects: [proj_a]
        when: request.project_id.startsWith("proj_")
    denies:
      - permissions: ["*.read"]
        projects: [proj_b]
`), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		caller, procedure string
		want              bool
	}{
		{"billing", listUsers, true}, {"billing", getProject, false},
		{"team", getProject, true}, {"team", listUsers, false},
		{"nobody", listUsers, false}, {"", listUsers, false},
	} {
		if got := may(t, r, set, test.caller, test.procedure); got != test.want {
			t.Errorf("%s may call %s: %t", test.caller, test.procedure, got)
		}
	}
	if a, b := set.Limits("billing"), set.Limits("team"); a != (Limits{2.5, 5, 3, 2}) || b != defaultLimits {
		t.Errorf("limits %v, %v", a, b)
	}
	if got := strings.Join(set.Callers(), " "); got != "billing team" {
		t.Errorf("callers %s", got)
	}
}

// TestParseFaults: every fault has file, line and column.
func TestParseFaults(t *testing.T) {
	t.Parallel()
	good := "callers:\n  - name: a\n    authenticate: [{token_sha256: " + hash("a") + "}]\n    grants:\n      - permissions: [projects.read]\n"
	second := "  - name: b\n    authenticate: [{token_sha256: " + hash("b") + "}]\n    grants: [{permissions: [users.read]}]\n"
	for name, test := range map[string]struct{ text, at, want string }{
		"empty":                    {"", "policy.yaml: ", "callers"},
		"no callers":               {"callers: []\n", "policy.yaml:1:10: ", "callers"},
		"unknown key":              {strings.Replace(good, "grants", "grant", 1), "policy.yaml:4:5: ", `"grant"`},
		"unknown key of a grant":   {good + "        project: [proj_a]\n", "policy.yaml:6:9: ", `"project"`},
		"unknown permission":       {strings.Replace(good, "projects.read", "projects.reed", 1), "policy.yaml:5:23: ", "projects.reed"},
		"pattern of another form":  {strings.Replace(good, "projects.read", "proj*", 1), "policy.yaml:5:23: ", "proj*"},
		"duplicate caller":         {good + strings.Replace(second, "name: b", "name: a", 1), "policy.yaml:6:11: ", "a"},
		"duplicate token":          {good + strings.Replace(second, hash("b"), hash("a"), 1), "policy.yaml:7:", "token_sha256"},
		"no hash":                  {strings.Replace(good, hash("a"), "secret", 1), "policy.yaml:3:", "token_sha256"},
		"no credential":            {strings.Replace(good, "[{token_sha256: "+hash("a")+"}]", "[]", 1), "policy.yaml:3:", "authenticate"},
		"unknown issuer":           {strings.Replace(good, "token_sha256: "+hash("a"), "jwt: {issuer: \"https://other.example\", subject: x}", 1), "policy.yaml:3:", "issuer"},
		"no condition":             {good + "        when: request.nobody == 1\n", "policy.yaml:6:15: ", "nobody"},
		"condition of no bool":     {good + "        when: request.project_id\n", "policy.yaml:6:15: ", "bool"},
		"condition on another RPC": {strings.Replace(good, "projects.read", `"*.read"`, 1) + "        when: request.project_id == 'a'\n", "policy.yaml:6:15: ", "ListUsers"},
		"empty project":            {good + "        projects: [proj_a, \"\"]\n", "policy.yaml:6:28: ", "project"},
		"no projects at all":       {good + "        projects: []\n", "policy.yaml:6:19: ", "project"},
		"projects of nothing":      {good + "        projects:\n", "policy.yaml:6:18: ", "list"},
		"an empty condition":       {good + "        when: \"\"\n", "policy.yaml:6:15: ", "empty"},
		"a blank condition":        {good + "        when: \"  \"\n", "policy.yaml:6:15: ", "when"},
		"a condition of nothing":   {good + "        when:\n", "policy.yaml:6:14: ", "text"},
		"no rate":                  {good + "    limits: {requests_per_second: 0}\n", "policy.yaml:6:35: ", "requests_per_second"},
		"no burst":                 {good + "    limits: {burst: -1}\n", "policy.yaml:6:21: ", "burst"},
		"no stream":                {good + "    limits: {streams: 0}\n", "policy.yaml:6:23: ", "streams"},
		"more streams than calls":  {good + "    limits: {concurrent: 2, streams: 50}\n", "policy.yaml:6:38: ", "no more than concurrent, which is 2"},
		"streams beyond default":   {good + "    limits: {streams: 65}\n", "policy.yaml:6:23: ", "no more than concurrent, which is 64"},
		"nothing at once":          {good + "    limits: {concurrent: 0}\n", "policy.yaml:6:26: ", "concurrent"},
		"label of another form":    {good + "    labels: {team: search, Team: b}\n", "policy.yaml:6:34: ", "a key begins"},
		"a label's key twice":      {good + "    labels: {team: a, team: b}\n", "policy.yaml:6:23: ", "twice"},
		"an empty label":           {good + "    labels: {team: \"\"}\n", "policy.yaml:6:20: ", "a value has"},
		"an unprintable label":     {good + "    labels: {team: \"a\\nb\"}\n", "policy.yaml:6:20: ", "a value has"},
		"a long label":             {good + "    labels: {team: " + strings.Repeat("a", 257) + "}\n", "policy.yaml:6:20: ", "a value has"},
		"a label of many":          {good + "    labels: {team: [a, b]}\n", "policy.yaml:6:20: ", "text"},
		"labels of another form":   {good + "    labels: [team]\n", "policy.yaml:6:13: ", "keys with values"},
		"too many labels":          {good + "    labels: {" + manyLabels(33) + "}\n", "policy.yaml:6:13: ", "more than 32"},
		"cut off":                  {good[:len(good)-12], "policy.yaml:", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			set, err := Parse("policy.yaml", []byte(test.text), rules(t))
			if err == nil || set != nil {
				t.Fatal("was taken")
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			if !strings.HasPrefix(first, test.at) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s…%s", err, test.at, test.want)
			}
		})
	}
}

// manyLabels are labels in the notation of the file.
func manyLabels(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "l%d: a, ", i)
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// TestAllFaultsAtOnce: one run of `gateway check` tells everything.
func TestAllFaultsAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse("policy.yaml", []byte("callers:\n  - name: a\n    authenticate: [{token_sha256: x}]\n    grants: [{permissions: [no.such]}]\n    limits: {burst: 0}\n"), rules(t))
	if err == nil || strings.Count(err.Error(), "policy.yaml:") != 3 {
		t.Errorf("got %v", err)
	}
}

// FuzzParse: any text is a policy or is refused, and what is taken knows only
// the callers that it names.
func FuzzParse(f *testing.F) {
	f.Add("callers:\n  - name: a\n    authenticate: [{token_sha256: " + hash("a") + "}]\n    grants: [{permissions: [projects.read], when: 'true'}]\n")
	f.Add(rolesText + callerText())
	f.Add(rolesText + "  - {name: b, project: p, kind: account, all: true, ttl: 1s, max_ttl: 1s, spares: 1}\n" + callerText())
	f.Fuzz(func(t *testing.T, text string) {
		r := rules(t)
		set, err := Parse("policy.yaml", []byte(text), r)
		if (set == nil) != (err != nil) {
			t.Fatalf("set %v, error %v", set, err)
		}
		if set == nil {
			return
		}
		if may(t, r, set, "nobody of this name", getProject) {
			t.Error("a caller that is not there may call")
		}
		for _, role := range set.Roles().All() {
			if len(role.Name) > 63 || role.TTL <= 0 || role.TTL > role.MaxTTL || role.Grace <= 0 || role.MaxLive < 1 || role.Share < 1 {
				t.Errorf("the role %+v", role)
			}
		}
	})
}
