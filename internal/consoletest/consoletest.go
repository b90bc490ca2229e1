// Package consoletest opens the console of a gateway of a test, and looks at its pages as
// a browser without script does.
package consoletest

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/pages"
	"github.com/admin-gateway/admin-gateway/service/console/rpc"
)

// Console is an open console.
type Console struct {
	// URL is where it is.
	URL string

	server *httptest.Server
}

// Open opens the console of a gateway, with the pages of the product unless adjust changes
// them.
func Open(tb testing.TB, gateway *gatewaytest.Gateway, adjust ...func(*console.Options)) *Console {
	tb.Helper()
	o := console.Options{
		Server: rpc.Server{Server: gateway.Server, Copy: service.CopyMessage},
		Pages:  pages.All(), Templates: pages.Templates(), Loopback: true, Version: "test",
		Keys: func(context.Context) ([][]byte, error) {
			return [][]byte{[]byte("replicas have this key of logins")}, nil
		},
	}
	for _, change := range adjust {
		change(&o)
	}
	made, err := console.New(o)
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(made.Handler())
	tb.Cleanup(server.Close)
	return &Console{server.URL, server}
}

// Browser has cookies, and follows no redirect by itself.
type Browser struct {
	tb      testing.TB
	console *Console
	client  *http.Client
}

// Browser is a new one.
func (c *Console) Browser(tb testing.TB) *Browser {
	tb.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		tb.Fatal(err)
	}
	client := &http.Client{
		Jar: jar, Transport: c.server.Client().Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return &Browser{tb, c, client}
}

// As is a browser in which a caller of the policy has logged in.
func (c *Console) As(tb testing.TB, caller string) *Browser {
	tb.Helper()
	b := c.Browser(tb)
	if a := b.Login(admissiontest.TokenOf(caller), "/"); a.Status != http.StatusSeeOther {
		tb.Fatalf("%s cannot log in: %d %s", caller, a.Status, a.Text)
	}
	return b
}

// Cookies are those for the console.
func (b *Browser) Cookies() []*http.Cookie {
	at, err := url.Parse(b.console.URL)
	if err != nil {
		b.tb.Fatal(err)
	}
	return b.client.Jar.Cookies(at)
}

// Answer is an answer, read to its end.
type Answer struct {
	Status int
	Header http.Header
	// Text is the body.
	Text string
}

// Do makes a request. A header is "Name: value"; one without a value is taken out.
func (b *Browser) Do(method, path string, form url.Values, headers ...string) *Answer {
	b.tb.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(b.tb.Context(), method, b.console.URL+path, body)
	if err != nil {
		b.tb.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method == http.MethodPost {
		request.Header.Set("Origin", b.console.URL)
		request.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, header := range headers {
		switch name, value, _ := strings.Cut(header, ": "); {
		case name == "Host":
			request.Host = value
		case value == "":
			request.Header.Del(name)
		default:
			request.Header.Set(name, value)
		}
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.tb.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.tb.Fatal(err)
	}
	return &Answer{response.StatusCode, response.Header, string(text)}
}

// Get reads a page.
func (b *Browser) Get(path string, headers ...string) *Answer {
	b.tb.Helper()
	return b.Do(http.MethodGet, path, nil, headers...)
}

// Begin reads a page as it comes. The caller closes it.
func (b *Browser) Begin(path string) io.ReadCloser {
	b.tb.Helper()
	request, err := http.NewRequestWithContext(b.tb.Context(), http.MethodGet, b.console.URL+path, nil)
	if err != nil {
		b.tb.Fatal(err)
	}
	response, err := b.client.Do(request)
	if err != nil {
		b.tb.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		b.tb.Fatalf("%s: %d", path, response.StatusCode)
	}
	return response.Body
}

// Login fills in the form.
func (b *Browser) Login(token, next string) *Answer {
	b.tb.Helper()
	return b.Post("/login?next="+url.QueryEscape(next), "/login", url.Values{"token": {token}, "next": {next}})
}

// Post reads a page, and sends a form of it with its secret.
func (b *Browser) Post(page, action string, form url.Values, headers ...string) *Answer {
	b.tb.Helper()
	form.Set("secret", b.Get(page).Secret())
	return b.Do(http.MethodPost, action, form, headers...)
}

var (
	secret  = regexp.MustCompile(`name="secret" value="([^"]*)"`)
	section = regexp.MustCompile(`(?s)<section class="part (p\d+)[ "].*?</section>`)
)

// Secret is that of the forms of a page; "" without one.
func (a *Answer) Secret() string {
	found := secret.FindStringSubmatch(a.Text)
	if found == nil {
		return ""
	}
	return found[1]
}

// Parts are the parts of a page as they are in the end, by their id: of several of one
// number the last counts.
func (a *Answer) Parts() map[string]string {
	parts := make(map[string]string)
	for _, found := range section.FindAllStringSubmatch(a.Text, -1) {
		_, id, _ := strings.Cut(found[0], `data-part="`)
		id, _, _ = strings.Cut(id, `"`)
		parts[id] = found[0]
	}
	return parts
}
