package console_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service/console"
)

// TestLogin: a token of a caller logs in, for as long as it is one, and the page is that
// of its caller. The cookie is the browser's alone, and does not show the token.
func TestLogin(t *testing.T) {
	t.Parallel()
	g := gatewaytest.New(t)
	c := consoletest.Open(t, g)
	b := c.Browser(t)
	if a := b.Get("/?x=1"); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/login?next="+url.QueryEscape("/?x=1") {
		t.Fatalf("without a login: %d to %s", a.Status, a.Header.Get("Location"))
	}
	token := admissiontest.TokenOf("root")
	a := b.Login(token, "/?x=1")
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/?x=1" {
		t.Fatalf("a login: %d to %s: %s", a.Status, a.Header.Get("Location"), a.Text)
	}
	for _, cookie := range a.Header.Values("Set-Cookie") {
		if !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=") || strings.Contains(cookie, token) {
			t.Errorf("a cookie %q", cookie)
		}
	}
	page := b.Get("/")
	if page.Status != http.StatusOK || !strings.Contains(page.Text, "<bdi>root</bdi>") || strings.Contains(page.Text, token) {
		t.Fatalf("the page: %d %s", page.Status, page.Text)
	}
	if record := g.Records.All(); len(record) == 0 || record[len(record)-1].Caller != "root" || record[len(record)-1].Peer == "" {
		t.Errorf("recorded: %+v", record)
	}
	// The policy takes the caller away: the next page is the login.
	g.Policy.Set(t, strings.ReplaceAll(admissiontest.RootPolicy, "$root", "$other"))
	if a := b.Get("/"); a.Status != http.StatusSeeOther || len(b.Cookies()) != 1 {
		t.Errorf("after its token was taken away: %d, cookies %v", a.Status, b.Cookies())
	}
}

// TestLogout takes a form of the page, and ends the login.
func TestLogout(t *testing.T) {
	t.Parallel()
	c := consoletest.Open(t, gatewaytest.New(t))
	b := c.As(t, "root")
	b.Do(http.MethodPost, "/logout", url.Values{"secret": {"another"}})
	if a := b.Get("/"); a.Status != http.StatusOK {
		t.Errorf("after a form of another page: %d", a.Status)
	}
	b.Post("/", "/logout", url.Values{})
	if a := b.Get("/"); a.Status != http.StatusSeeOther {
		t.Errorf("after the logout: %d", a.Status)
	}
}

// TestBadLoginsTellNothing: whatever is wrong with a token, the answer is the same, and
// has no part of it.
func TestBadLoginsTellNothing(t *testing.T) {
	t.Parallel()
	c := consoletest.Open(t, gatewaytest.New(t))
	var first string
	for _, token := range []string{"", "x", admissiontest.TokenOf("nobody"), "ags_" + strings.Repeat("A", 100), "a.b.c", strings.Repeat("long", 4000), "two words", "line\nbreak"} {
		b := c.Browser(t)
		a := b.Login(token, "/")
		text := strings.ReplaceAll(a.Text, a.Secret(), "")
		if first == "" {
			first = text
		}
		if a.Status != http.StatusForbidden || text != first || len(token) > 3 && strings.Contains(a.Text, token) {
			t.Errorf("%.20q: %d %s", token, a.Status, a.Text)
		}
		if a := b.Get("/"); a.Status != http.StatusSeeOther {
			t.Errorf("%.20q has logged in", token)
		}
	}
}

// TestSessionsEnd after their time, and without a page for a while, and are nobody's who
// changes them.
func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	now := time.Now()
	c := consoletest.Open(t, gatewaytest.New(t), func(o *console.Options) {
		o.Now, o.Idle, o.Longest = func() time.Time { return now }, 10*time.Minute, time.Hour
	})
	b := c.As(t, "root")
	for range 11 {
		now = now.Add(5 * time.Minute)
		if a := b.Get("/"); a.Status != http.StatusOK {
			t.Fatalf("in time: %d", a.Status)
		}
	}
	now = now.Add(5 * time.Minute)
	if a := b.Get("/"); a.Status != http.StatusSeeOther {
		t.Errorf("after its time: %d", a.Status)
	}
	b = c.As(t, "root")
	now = now.Add(10 * time.Minute)
	if a := b.Get("/"); a.Status != http.StatusSeeOther {
		t.Errorf("after a pause: %d", a.Status)
	}
	b = c.As(t, "root")
	for _, cookie := range b.Cookies() {
		for i := range len(cookie.Value) {
			if i%17 != 0 {
				continue
			}
			changed := cookie.Value[:i] + string(rune('A'+(cookie.Value[i]+1)%26)) + cookie.Value[i+1:]
			if changed == cookie.Value || !strings.HasPrefix(cookie.Name, "gateway-console") || strings.HasSuffix(cookie.Name, "form") {
				continue
			}
			if a := c.Browser(t).Get("/", "Cookie: "+cookie.Name+"="+changed); a.Status != http.StatusSeeOther {
				t.Fatalf("a changed cookie: %d", a.Status)
			}
		}
	}
}

// TestReplicasShareLogins: a login at one replica is one at the others, which have the
// same keys, and none where the keys are others.
func TestReplicasShareLogins(t *testing.T) {
	t.Parallel()
	one := consoletest.Open(t, gatewaytest.New(t))
	two := consoletest.Open(t, gatewaytest.New(t))
	cookies := func(b *consoletest.Browser) string {
		var all []string
		for _, cookie := range b.Cookies() {
			all = append(all, cookie.String())
		}
		return strings.Join(all, "; ")
	}
	if a := two.Browser(t).Get("/", "Cookie: "+cookies(one.As(t, "root"))); a.Status != http.StatusOK {
		t.Errorf("at another replica: %d", a.Status)
	}
}

// TestNextStaysHere: a login leads to no other site.
func TestNextStaysHere(t *testing.T) {
	t.Parallel()
	c := consoletest.Open(t, gatewaytest.New(t))
	for _, next := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/login?next=/login", "http:/x", "/a\r\nSet-Cookie: x=1", ""} {
		a := c.Browser(t).Login(admissiontest.TokenOf("root"), next)
		if a.Header.Get("Location") != "/" {
			t.Errorf("%q leads to %q", next, a.Header.Get("Location"))
		}
	}
}
