package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/console"
)

// TestHeaders: a browser is told what it may do, on every kind of answer.
func TestHeaders(t *testing.T) {
	t.Parallel()
	c := consoletest.Open(t, gatewaytest.New(t))
	b := c.As(t, "root")
	_, asset, _ := strings.Cut(b.Get("/").Text, `href="/assets/`)
	asset, _, _ = strings.Cut(asset, `"`)
	for name, a := range map[string]*consoletest.Answer{
		"a page": b.Get("/"), "the login": b.Get("/login"), "a stranger": c.Browser(t).Get("/"), "no page": b.Get("/none"), "an asset": b.Get("/assets/" + asset),
		"another name": b.Get("/", "Host: evil.example"), "another method": b.Do(http.MethodDelete, "/", nil), "a part": b.Get("/?part=budget"),
	} {
		policy := a.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "script-src 'self'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: a policy %q without %q", name, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") || strings.Contains(policy, "*") || strings.Contains(policy, "data:") {
			t.Errorf("%s: %q", name, policy)
		}
		for header, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := a.Header.Get(header); got != want {
				t.Errorf("%s: %s: %q", name, header, got)
			}
		}
		if store := a.Header.Get("Cache-Control"); store != "no-store" && name != "an asset" {
			t.Errorf("%s: Cache-Control: %q", name, store)
		}
	}
}

// TestHosts: pages are served under the console's own names alone.
func TestHosts(t *testing.T) {
	t.Parallel()
	at, err := url.Parse("https://console.example")
	if err != nil {
		t.Fatal(err)
	}
	g := gatewaytest.New(t)
	local := consoletest.Open(t, g)
	named := consoletest.Open(t, g, func(o *console.Options) { o.Loopback, o.URL = false, at })
	for host, want := range map[string][2]int{ // at the local one, and at the named one
		"localhost": {200, 421}, "127.0.0.1:8090": {200, 421}, "[::1]:8090": {200, 421}, "console.example": {421, 200}, "CONSOLE.example": {421, 200},
		"console.example:8443": {421, 421}, "evil.example": {421, 421}, "localhost.evil.example": {421, 421}, "127.0.0.1.evil.example": {421, 421}, "0.0.0.0": {421, 421},
	} {
		for i, c := range []*consoletest.Console{local, named} {
			if a := c.Browser(t).Get("/login", "Host: "+host); a.Status != want[i] {
				t.Errorf("%s at %d: %d, want %d", host, i, a.Status, want[i])
			}
		}
	}
	// Over TLS the cookies are for TLS and this host alone.
	for _, cookie := range named.Browser(t).Get("/login", "Host: console.example").Header.Values("Set-Cookie") {
		if !strings.HasPrefix(cookie, "__Host-") || !strings.Contains(cookie, "; Secure") {
			t.Errorf("a cookie %q", cookie)
		}
	}
}

// TestOtherPagesSendNoForms: a form is taken from a page of the console alone, with the
// secret of the login.
func TestOtherPagesSendNoForms(t *testing.T) {
	t.Parallel()
	c := consoletest.Open(t, gatewaytest.New(t))
	b := c.As(t, "root")
	secret := b.Get("/").Secret()
	for name, headers := range map[string][]string{
		"another origin":      {"Origin: https://evil.example", "Sec-Fetch-Site: cross-site"},
		"another port":        {"Origin: http://127.0.0.1:1", "Sec-Fetch-Site: same-site"},
		"an origin alone":     {"Origin: https://evil.example", "Sec-Fetch-Site: "},
		"an opaque origin":    {"Origin: null"},
		"another site":        {"Origin: ", "Sec-Fetch-Site: cross-site"},
		"no word of the page": {"Origin: ", "Sec-Fetch-Site: "},
	} {
		for _, path := range []string{"/logout", "/login", "/"} {
			form := url.Values{"secret": {secret}, "token": {admissiontest.TokenOf("root")}}
			if a := b.Do(http.MethodPost, path, form, headers...); a.Status != http.StatusForbidden {
				t.Errorf("%s, %s: %d", name, path, a.Status)
			}
		}
	}
	// A login form that was not shown here logs nobody in.
	stranger := c.Browser(t)
	if a := stranger.Do(http.MethodPost, "/login", url.Values{"token": {admissiontest.TokenOf("root")}, "secret": {"x"}}); a.Status != http.StatusForbidden {
		t.Errorf("a login without its form: %d", a.Status)
	}
}

// TestOtherPagesReadNothing: a page of another site gets to no page but by a link that a
// person follows.
func TestOtherPagesReadNothing(t *testing.T) {
	t.Parallel()
	c := consoletest.Open(t, gatewaytest.New(t))
	b := c.As(t, "root")
	for name, test := range map[string]struct {
		headers []string
		want    int
	}{
		"a script of another site": {[]string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, 403},
		"an image":                 {[]string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: no-cors", "Sec-Fetch-Dest: image"}, 403},
		"a frame":                  {[]string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: iframe"}, 403},
		"another port":             {[]string{"Sec-Fetch-Site: same-site", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, 403},
		"a link":                   {[]string{"Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200},
		"the address bar":          {[]string{"Sec-Fetch-Site: none", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document"}, 200},
		"its own script":           {[]string{"Sec-Fetch-Site: same-origin", "Sec-Fetch-Mode: cors", "Sec-Fetch-Dest: empty"}, 200},
	} {
		if a := b.Get("/", test.headers...); a.Status != test.want {
			t.Errorf("%s: %d, want %d", name, a.Status, test.want)
		}
	}
}
