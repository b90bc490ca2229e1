package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestCan: the answer, the grant that gave it, and the exit code.
func TestCan(t *testing.T) {
	t.Parallel()
	_, policy := readersPolicy(t)
	config := writeFile(t, "gateway.yaml", "policy: "+policy+"\nupstream: {admin_key: {env: K}}\n")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"a read":               {[]string{"--caller", "reader", "--rpc", "UserService/ListUsers", "--request", "{}"}, 0, "allow: users.read by grants[0]\n"},
		"by the whole name":    {[]string{"--caller", "reader", "--rpc", "admingateway.admin.v1.UserService/ListUsers", "--request", "{}"}, 0, "allow: users.read by grants[0]\n"},
		"no id":                {[]string{"--caller", "reader", "--rpc", "ProjectService/UpdateProject", "--request", `{"project_id": "proj_a "}`}, 3, "flag --request: project_id: must be an id"},
		"a write":              {[]string{"--caller", "reader", "--rpc", "UserService/DeleteUser", "--request", `{"user_id": "u"}`}, 1, "deny: users.delete: no permission\n"},
		"its project":          {[]string{"--caller", "reader", "--rpc", "ProjectService/UpdateProject", "--request", `{"project_id": "proj_a"}`}, 0, "allow: projects.update by grants[1]\n"},
		"another project":      {[]string{"--caller", "reader", "--rpc", "ProjectService/UpdateProject", "--request", `{"project_id": "proj_b"}`}, 1, "deny: projects.update: project out of scope, project \"proj_b\"\n"},
		"the permission alone": {[]string{"--caller", "reader", "--rpc", "ProjectService/UpdateProject"}, 0, "allow: the permission projects.update is granted; projects and conditions depend on the request (--request)\n"},
		"the organization":     {[]string{"--caller", "reader", "--rpc", "ProjectService/CreateProject", "--request", `{"name": "x"}`}, 1, "deny: projects.create: organization wide\n"},
		"no such RPC":          {[]string{"--caller", "reader", "--rpc", "UserService/Nope"}, 2, `flag --rpc: there is no RPC "UserService/Nope"`},
		"no such caller":       {[]string{"--caller", "nobody", "--rpc", "UserService/ListUsers"}, 2, `flag --caller: the policy has no caller "nobody"`},
		"a mistyped RPC":       {[]string{"--caller", "reader", "--rpc", "UserService/LsitUsers"}, 2, `; did you mean "UserService/ListUsers"?`},
		"a mistyped caller":    {[]string{"--caller", "raeder", "--rpc", "UserService/ListUsers"}, 2, `; did you mean "reader"?`},
		"invalid":              {[]string{"--caller", "reader", "--rpc", "UserService/ListUsers", "--request", `{"limit": 100000}`}, 3, "invalid: limit: "},
		"invalid, and denied":  {[]string{"--caller", "reader", "--rpc", "UserService/DeleteUser", "--request", "{}"}, 3, "\ndeny: users.delete: no permission\n"},
		"nearly, by project":   {[]string{"--caller", "reader", "--rpc", "ProjectService/UpdateProject", "--request", `{"project_id": "proj_b"}`}, 1, "\n    the project \"proj_b\" is not one of its projects\n"},
		"nearly, by its verb":  {[]string{"--caller", "reader", "--rpc", "ProjectService/UpdateProject", "--request", `{"project_id": "proj_b"}`, "--format", "json"}, 1, `"reason": "project_out_of_scope"`},
		"no request":           {[]string{"--caller", "reader", "--rpc", "UserService/ListUsers", "--request", "{"}, 2, "flag --request: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if code := run(t.Context(), append([]string{"can", "--config", config}, test.args...), streams{&out, &out}); code != test.code {
				t.Errorf("exit code %d", code)
			}
			if !strings.Contains(out.String(), test.want) {
				t.Errorf("said %q, want %q", &out, test.want)
			}
		})
	}
}

// TestCanKnowsTheCaller: its labels and its name, and the moment.
func TestCanKnowsTheCaller(t *testing.T) {
	t.Parallel()
	policy := writeFile(t, "policy.yaml", `
callers:
  - name: search-bot
    authenticate: [{token_sha256: 7897040ca114f88695a8b3ce622533dbc60016ac70a476ee58bc9b29ce09cdf7}]
    labels: {team: search}
    grants:
      - permissions: [projects.update]
        when: request.project_id.startsWith("proj_" + caller.labels.team) && caller.name == "search-bot" && now > timestamp("2020-01-01T00:00:00Z")
`)
	config := writeFile(t, "gateway.yaml", "policy: "+policy+"\nupstream: {admin_key: {env: K}}\n")
	for project, want := range map[string]string{"proj_search_1": "allow: projects.update by grants[0]\n", "proj_other": "deny: projects.update: condition false\n"} {
		var out bytes.Buffer
		run(t.Context(), []string{"can", "--config", config, "--caller", "search-bot", "--rpc", "ProjectService/UpdateProject", "--request", `{"project_id": "` + project + `"}`}, streams{&out, &out})
		if !strings.HasPrefix(out.String(), want) {
			t.Errorf("%s: %q, want %q", project, &out, want)
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	_, policy := readersPolicy(t)
	doubtful := writeFile(t, "policy.yaml", "callers:\n  - name: a\n    authenticate: [{token_sha256: 7897040ca114f88695a8b3ce622533dbc60016ac70a476ee58bc9b29ce09cdf7}]\n    labels: {team: a}\n    grants:\n      - permissions: [projects.service_accounts.create]\n        when: >-\n          caller.labels.team == \"a\" && request.expires_in_seconds < 5\n")
	bad := writeFile(t, "policy.yaml", "callers:\n  - name: a\n    authenticate: [{token_sha256: 7897040ca114f88695a8b3ce622533dbc60016ac70a476ee58bc9b29ce09cdf7}]\n    grants: [{permissions: [projects.reed]}]\n")
	until := func(end time.Time) string {
		return writeFile(t, "policy.yaml", "callers:\n  - name: a\n    authenticate: [{token_sha256: 7897040ca114f88695a8b3ce622533dbc60016ac70a476ee58bc9b29ce09cdf7, expires: "+end.UTC().Format(time.RFC3339)+"}]\n    grants: [{permissions: [projects.read]}]\n")
	}
	expired, soon := until(time.Now().Add(-time.Hour)), until(time.Now().Add(24*time.Hour))
	certified := writeFile(t, "policy.yaml", "callers:\n  - name: a\n    authenticate: [{spiffe_id: \"spiffe://example.org/a\"}]\n    grants: [{permissions: [projects.read]}]\n")
	for name, test := range map[string]struct {
		config string
		code   int
		want   string
	}{
		"good": {"policy: " + policy, 0, "config and policy are good; callers: 1\n"},
		"doubtful": {
			"policy: " + doubtful, 0,
			"warning: " + doubtful + ":7:15: when: line 1, column 37: request.expires_in_seconds need not be there for ProjectServiceAccountService/CreateProjectServiceAccount: a call without it is not granted; ask has() first where that is not meant\nconfig and policy are good; callers: 1\n",
		},
		"bad policy":                        {"policy: " + bad, 1, bad + ":4:29: "},
		"an expired token":                  {"policy: " + expired, 1, expired + ":3:110: expires: the token has expired"},
		"a token that expires soon":         {"policy: " + soon, 0, "warning: " + soon + ":3:110: expires: the token expires on "},
		"names in certificates, and no TLS": {"policy: " + certified, 1, certified + ":3:32: spiffe_id: no caller can show a certificate"},
		"names in certificates":             {"policy: " + certified + "\ntls: {cert_file: tls.crt, key_file: tls.key, client_ca_file: ca.crt}", 0, "config and policy are good"},
		"bad config":                        {"polizy: " + policy, 1, "gateway.yaml:1:1: "},
		"bad ids":                           {"policy: " + policy + "\nupstream: {admin_key: {env: K}, id_characters: '_ '}", 1, "config key upstream.id_characters: ' ' cannot be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			if !strings.Contains(test.config, "upstream:") {
				test.config += "\nupstream: {admin_key: {env: K}}\n"
			}
			config := writeFile(t, "gateway.yaml", test.config)
			if code := run(t.Context(), []string{"check", "--config", config}, streams{&out, &out}); code != test.code || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit code %d: %s", code, &out)
			}
		})
	}
}
