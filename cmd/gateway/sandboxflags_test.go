package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"

	"github.com/admin-gateway/admin-gateway/sandbox"
)

// sandboxOf parses the flags of `gateway sandbox` and serves what they ask for.
func sandboxOf(t *testing.T, flags ...string) (fake *sandbox.Sandbox, call func(method, path, body string) (int, string)) {
	t.Helper()
	var c sandboxCommand
	parser, err := kong.New(&c, kong.Vars{"sandbox_key": sandbox.DefaultAdminKey})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse(flags); err != nil {
		t.Fatal(err)
	}
	if fake, err = c.sandbox(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(fake)
	t.Cleanup(server.Close)
	return fake, func(method, path, body string) (int, string) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+c.AdminKey)
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer.StatusCode, string(text)
	}
}

func TestSandboxFlags(t *testing.T) {
	t.Parallel()
	const project = `{"name":"p"}`
	start := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	t.Run("budget", func(t *testing.T) {
		t.Parallel()
		_, call := sandboxOf(t, "--budget=2", "--budget-window=1h", "--budget-in-message",
			"--limit=POST /organization/projects=1", "--limit", "GET /organization/roles=0")
		for _, step := range []struct {
			method, path, body string
			admitted           int
		}{
			{"GET", "/v1/organization/users", "", 2},
			{"POST", "/v1/organization/projects", project, 1},
		} {
			for n := range step.admitted + 1 {
				want := http.StatusOK
				if n == step.admitted {
					want = http.StatusTooManyRequests
				}
				if status, text := call(step.method, step.path, step.body); status != want {
					t.Errorf("%s %s, call %d: %d %s", step.method, step.path, n, status, text)
				}
			}
		}
		for range 5 {
			if status, _ := call("GET", "/v1/organization/roles", ""); status != http.StatusOK {
				t.Errorf("no budget, and %d", status)
			}
		}
	})
	t.Run("standing clock", func(t *testing.T) {
		t.Parallel()
		fake, call := sandboxOf(t, "--now=2026-11-01T00:00:00Z", "--clock-stands")
		if !fake.Now().Equal(start) {
			t.Errorf("the clock shows %s", fake.Now())
		}
		if status, text := call("POST", "/_sandbox/clock", `{"advance":"1h"}`); status != http.StatusOK || !strings.Contains(text, "2026-11-01T01:00:00Z") {
			t.Errorf("%d %s", status, text)
		}
	})
	t.Run("running clock", func(t *testing.T) {
		t.Parallel()
		fake, _ := sandboxOf(t, "--now=2026-11-01T00:00:00Z")
		for first := fake.Now(); !fake.Now().After(first); { // ends when the clock has run on
		}
		if fake.Now().Before(start) {
			t.Errorf("the clock shows %s", fake.Now())
		}
	})
	t.Run("organization", func(t *testing.T) {
		t.Parallel()
		_, call := sandboxOf(t, "--seed=5", "--users=3", "--projects=0", "--groups=0", "--invites=2", "--audit-events=4", "--admin-key=sk-mine")
		for path, want := range map[string]int{"users": 3, "projects": 0, "groups": 0, "invites": 2, "audit_logs": 4} {
			_, text := call("GET", "/v1/organization/"+path, "")
			var list struct{ Data []any }
			if err := json.Unmarshal([]byte(text), &list); err != nil || list.Data == nil || len(list.Data) != want {
				t.Errorf("%d %s, want %d: %v %s", len(list.Data), path, want, err, text)
			}
		}
	})
	t.Run("lives of keys", func(t *testing.T) {
		t.Parallel()
		first, _ := sandboxOf(t, "--now=2026-11-01T00:00:00Z", "--projects=3")
		id := firstProject(t, first)
		fake, call := sandboxOf(t, "--now=2026-11-01T00:00:00Z", "--projects=3", "--longest-key-life=720h", "--project-key-life="+id+"=24h")
		for project, want := range map[string]time.Duration{"": 720 * time.Hour, id: 24 * time.Hour} {
			if life, err := fake.LongestKeyLife(project); life != want || err != nil {
				t.Errorf("longest life %s, %v, want %s", life, err, want)
			}
		}
		if status, text := call("POST", "/v1/organization/projects/"+id+"/service_accounts", `{"name":"x"}`); status != http.StatusBadRequest {
			t.Errorf("a key without an end: %d %s", status, text)
		}
		_, ignoring := sandboxOf(t, "--now=2026-11-01T00:00:00Z", "--projects=3", "--ignore-key-lives")
		if _, text := ignoring("POST", "/v1/organization/projects/"+id+"/service_accounts", `{"name":"x","expires_in_seconds":60}`); !strings.Contains(text, `"expires_at":null`) {
			t.Errorf("a key with a life that is ignored: %s", text)
		}
	})
}

// firstProject returns the id of the first project that is not archived.
func firstProject(t *testing.T, fake *sandbox.Sandbox) string {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/organization/projects?limit=1", nil)
	r.Header.Set("Authorization", "Bearer "+sandbox.DefaultAdminKey)
	w := httptest.NewRecorder()
	fake.ServeHTTP(w, r)
	_, rest, _ := strings.Cut(w.Body.String(), `"id":"`)
	id, _, found := strings.Cut(rest, `"`)
	if !found {
		t.Fatalf("no project in %s", w.Body)
	}
	return id
}

// A value that cannot be is an error that names its flag.
func TestWrongSandboxFlags(t *testing.T) {
	t.Parallel()
	for flag, values := range map[string][]string{
		"--seed":              {"-1", "one"},
		"--users":             {"0", "-3", "many"},
		"--projects":          {"-1"},
		"--groups":            {"-1"},
		"--invites":           {"-1"},
		"--audit-events":      {"-1", "20001"},
		"--admin-key":         {""},
		"--now":               {"yesterday", "2026-11-01"},
		"--longest-key-life":  {"long", "-1h", "1ms", "8761h"},
		"--project-key-life":  {"24h", "=24h", "p=long", "p=1ms", "proj_none=24h"},
		"--budget":            {"-1", "few"},
		"--budget-window":     {"0s", "-1s", "minute"},
		"--limit":             {"3", "=3", "POST /organization/projects", "POST /organization/projects=-1", "POST /organization/projects=x", "POST /nothing=3"},
		"--clock-stands":      {"maybe"},
		"--budget-in-message": {"maybe"},
	} {
		for _, value := range values {
			t.Run(fmt.Sprintf("%s=%s", flag, value), func(t *testing.T) {
				t.Parallel()
				var out, err bytes.Buffer
				code := run(t.Context(), []string{"sandbox", "--listen=127.0.0.1:0", flag + "=" + value}, streams{&out, &err})
				if code == 0 || !strings.Contains(err.String(), flag) {
					t.Errorf("exit code %d: %s", code, &err)
				}
			})
		}
	}
}

// What a test can set in Go, a user can set with a flag.
func TestEverySandboxOptionHasAFlag(t *testing.T) {
	t.Parallel()
	flagOf := map[string]string{
		"Now": "Now", "ProjectKeyLives": "ProjectKeyLife", "Budget.Requests": "Budget", "Budget.Operations": "Limit",
		"Budget.Window": "BudgetWindow", "Budget.InMessage": "BudgetInMessage",
		"Budget.Now": "", // A user has no other clock to count requests by.
	}
	flags := reflect.TypeFor[sandboxCommand]()
	check := func(option string) {
		name, named := flagOf[option]
		if !named {
			name = option
		}
		if _, ok := flags.FieldByName(name); name != "" && !ok {
			t.Errorf("no flag for the option %s", option)
		}
	}
	for field := range reflect.TypeFor[sandbox.Options]().Fields() {
		if field.Name == "Budget" {
			continue
		}
		check(field.Name)
	}
	for field := range reflect.TypeFor[sandbox.Budget]().Fields() {
		check("Budget." + field.Name)
	}
}
