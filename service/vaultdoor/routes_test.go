package vaultdoor

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
)

func newDoor(tb testing.TB, mount string) *Door {
	tb.Helper()
	d, err := New(nil, catalogtest.Gateway(tb), Options{Mount: mount, Logins: []string{"jwt"}})
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func request(method, target string) *http.Request {
	at, err := url.Parse("http://gateway" + target)
	if err != nil {
		at = &url.URL{Path: target}
	}
	return &http.Request{Method: method, URL: at}
}

// TestRoutes: which path is which call, and what it binds.
func TestRoutes(t *testing.T) {
	t.Parallel()
	d := newDoor(t, "team/openai")
	for target, want := range map[string]struct {
		rpc   string
		bound map[string]string
	}{
		"GET /v1/team/openai/creds/a":                          {"CreateLease", map[string]string{"role": "a"}},
		"GET /v1/team/openai/static-creds/a":                   {"ReadStaticRole", map[string]string{"role": "a"}},
		"PUT /v1/team/openai/rotate-role/a":                    {"RotateStaticRole", map[string]string{"role": "a"}},
		"POST /v1/sys/leases/renew":                            {"RenewLease", map[string]string{}},
		"PUT /v1/sys/renew/team/openai/creds/a/b":              {"RenewLease", map[string]string{"lease_id": "team/openai/creds/a/b"}},
		"PUT /v1/sys/revoke/team/openai/creds/a/b":             {"RevokeLease", map[string]string{"lease_id": "team/openai/creds/a/b"}},
		"PUT /v1/sys/leases/revoke-prefix/team/openai/creds/a": {"RevokeLeases", map[string]string{"prefix": "team/openai/creds/a"}},
		"POST /v1/auth/jwt/login":                              {"CreateSession", map[string]string{}},
		"GET /v1/auth/token/lookup-self":                       {"GetSession", map[string]string{}},
		"HEAD /v1/sys/health":                                  {"Check", map[string]string{}},
		"GET /v1/sys/internal/ui/mounts/team/openai/creds/a":   {"", map[string]string{"path": "team/openai/creds/a"}},
		"GET /v1/openai/creds/a":                               {},
		"GET /v1/team/openai/creds":                            {},
		"GET /v1/team/openai/creds/a/b":                        {},
		"GET /v1/team/openai/creds/":                           {},
		"GET /v1/team/openai/creds/..":                         {},
		"GET /v1/team/openai/creds/%61":                        {},
		"GET /v1/team/openai/creds/a;b":                        {},
		"GET /team/openai/creds/a":                             {},
		"PUT /v1/sys/leases/renew/":                            {},
		"LIST /v1/team/openai/creds/a":                         {},
		"POST /v1/auth/kubernetes/login":                       {},
	} {
		method, path, _ := strings.Cut(target, " ")
		found, bound, _ := d.match(request(method, path))
		switch {
		case (found != nil) != (want.bound != nil):
			t.Errorf("%s: a route: %t", target, found != nil)
		case found != nil:
			if _, rpc, _ := strings.Cut(strings.TrimPrefix(found.procedure, "/"), "/"); rpc != want.rpc {
				t.Errorf("%s is %q, want %q", target, rpc, want.rpc)
			}
			if diff := cmp.Diff(want.bound, bound); diff != "" {
				t.Errorf("%s: %s", target, diff)
			}
		}
	}
}

// TestNames: what a mount and a login may be called.
func TestNames(t *testing.T) {
	t.Parallel()
	for name, good := range map[string]bool{
		"openai": true, "team/openai": true, "a/b/c/d": true, "A-b_9": true,
		"": false, "/openai": false, "openai/": false, "a//b": false, "..": false, "a.b": false, "{role}": false, "a b": false, "a/b/c/d/e": false, "-a": false,
	} {
		if _, err := New(nil, catalogtest.Gateway(t), Options{Mount: name}); (err == nil) != good {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// FuzzRoute: no path binds what is not one of its segments, and no value leaves its own.
func FuzzRoute(f *testing.F) {
	for _, seed := range []string{"/v1/openai/creds/a", "/v1/sys/renew/openai/creds/a/b", "/v1/openai/creds/a%2fb", "/v1//x", "/v1/sys/leases/revoke-prefix/..%2f"} {
		f.Add("GET", seed)
		f.Add("PUT", seed)
	}
	d := newDoor(f, "openai")
	f.Fuzz(func(t *testing.T, method, target string) {
		r := request(method, target)
		found, bound, allowed := d.match(r)
		if found == nil {
			return
		}
		if allowed != nil {
			t.Errorf("%s %q has a route, and others", method, target)
		}
		rebuilt := strings.Join(found.pattern, "/")
		for name, value := range bound {
			if strings.ContainsAny(value, "%\\;?#") || strings.Contains("/"+value+"/", "/../") || strings.Contains(value, "//") {
				t.Errorf("%q binds %s to %q", target, name, value)
			}
			rebuilt = strings.Replace(strings.Replace(rebuilt, "{"+name+"}", value, 1), "{"+name+"...}", value, 1)
		}
		if prefix+rebuilt != r.URL.EscapedPath() {
			t.Errorf("%q is taken for %q", target, prefix+rebuilt)
		}
	})
}
