package console

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/service/console/oidclogin"
	"github.com/admin-gateway/admin-gateway/service/console/rpc"
	"github.com/admin-gateway/admin-gateway/service/console/session"
	"github.com/admin-gateway/admin-gateway/service/httpdoor"
)

const (
	// DefaultLongest is how long a session lasts.
	DefaultLongest = 8 * time.Hour
	// DefaultIdle is how long it lasts without a page.
	DefaultIdle = 30 * time.Minute
	// cookieName is that of a session's cookies.
	cookieName = "gateway-console"
	// maxForm bounds the body of a form, in bytes: a token has up to 16 KiB.
	maxForm = 64 << 10
	// maxQuery bounds the query of a page, in bytes.
	maxQuery = 8 << 10
)

// Options configure [New]. Server, Pages and Keys are required.
type Options struct {
	// Server is called for everything that a page shows.
	Server rpc.Server
	// Pages are the pages, in the order of the navigation. The first one is at "/".
	Pages []*Page
	// Templates have the templates of Pages, in files *.html at its root.
	Templates fs.FS
	// Keys encrypt the cookies.
	Keys session.Keys
	// URL is the address under which browsers know the console, with scheme and host;
	// nil: the loopback names of this machine.
	URL *url.URL
	// Loopback accepts the loopback names of this machine as a Host.
	Loopback bool
	// Secure says that the console's port serves TLS.
	Secure bool
	// OIDC logs people in with an OpenID provider, beside tokens; nil: tokens alone.
	OIDC *oidclogin.Login
	// Longest is how long a login lasts, Idle how long without a page. Default
	// [DefaultLongest] and [DefaultIdle].
	Longest, Idle time.Duration
	// Version is that of the gateway, for the foot of a page.
	Version string
	// Ending is closed when the gateway begins to stop: pages that wait then end. Nil
	// never is.
	Ending <-chan struct{}
	// Logger gets faults of the console itself.
	Logger *slog.Logger
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Console serves the pages. It is safe for concurrent use.
type Console struct {
	options Options
	jar     *session.Jar
	views   *views
	pages   map[string]*Page   // by path
	actions map[string]*Action // by path
	visits  visits
	// rendering has a place for each processor but one.
	rendering chan struct{}
}

// New makes a console. It fails for pages that do not fit together, and for templates
// that are none.
func New(o Options) (*Console, error) {
	if o.Server.Server == nil || o.Server.Copy == nil || o.Keys == nil || len(o.Pages) == 0 || o.Templates == nil {
		return nil, errors.New("console: Options.Server, Pages, Templates and Keys are required")
	}
	if o.Longest <= 0 {
		o.Longest = DefaultLongest
	}
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Console{options: o, rendering: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), pages: make(map[string]*Page), actions: make(map[string]*Action)}
	c.jar = &session.Jar{
		Name: cookieName, Keys: o.Keys, Secure: o.Secure || o.URL != nil && o.URL.Scheme == "https",
		Longest: o.Longest, Idle: o.Idle, Now: o.Now,
	}
	var err error
	if c.views, err = newViews(o); err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	for _, p := range o.Pages {
		if err := c.add(p); err != nil {
			return nil, fmt.Errorf("console: page %s: %w", p.Path, err)
		}
	}
	return c, nil
}

// add checks a page, and serves it.
func (c *Console) add(p *Page) error {
	if c.pages[p.Path] != nil || !strings.HasPrefix(p.Path, "/") {
		return errors.New("is there twice, or has no path")
	}
	if len(p.Parts) > maxParts {
		return fmt.Errorf("has more than %d parts", maxParts)
	}
	names := []string{p.Controls}
	for _, part := range p.Parts {
		names = append(names, part.Template)
		if part.ID == "" || part.Title == "" || part.Gather == nil || part.Template == "" {
			return errors.New("has a part without ID, Title, Gather or Template")
		}
	}
	for _, name := range names {
		if name != "" && c.views.templates.Lookup(name) == nil {
			return fmt.Errorf("there is no template %q", name)
		}
	}
	c.pages[p.Path] = p
	for _, a := range p.Actions {
		if c.actions[a.Path] != nil || c.pages[a.Path] != nil || a.Ask == nil || a.Do == nil {
			return fmt.Errorf("action %s: is there twice, or has no Ask or Do", a.Path)
		}
		a.page = p
		c.actions[a.Path] = a
	}
	return nil
}

// Handler serves requests.
func (c *Console) Handler() http.Handler {
	return httpdoor.WithConnection(func(ctx context.Context, w http.ResponseWriter, r *http.Request) {
		if c.guard(w, r) {
			c.route(w, httpdoor.Request(ctx, r))
		}
	})
}

// route answers a request that comes from no other page.
func (c *Console) route(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, assetPrefix):
		c.views.serveAsset(w, r)
	case path == oidcPath && c.options.OIDC != nil:
		c.beginOIDC(w, r)
	case path == CallbackPath && c.options.OIDC != nil:
		c.finishOIDC(w, r)
	case path == loginPath:
		c.login(w, r)
	case path == logoutPath:
		c.logout(w, r)
	default:
		c.visit(w, r)
	}
}

// visit serves what takes a login.
func (c *Console) visit(w http.ResponseWriter, r *http.Request) {
	page, action := c.pages[r.URL.Path], c.actions[r.URL.Path]
	csv, isCSV := strings.CutSuffix(r.URL.Path, ".csv")
	if isCSV {
		page = c.pages[csv]
		isCSV = page != nil && page.CSV != nil
	}
	v, ok := c.admit(w, r)
	if !ok {
		return
	}
	defer v.end()
	ctx := r.Context()
	switch {
	case action != nil:
		c.act(ctx, w, v, action)
	case r.Method == http.MethodPost:
		c.refuse(w, v, http.StatusMethodNotAllowed, "This page takes no forms.")
	case page == nil, strings.HasSuffix(r.URL.Path, ".csv") && !isCSV:
		c.refuse(w, v, http.StatusNotFound, "There is no such page.")
	case isCSV:
		c.csv(ctx, w, v, page)
	case v.Query.Get(partParameter) != "":
		c.fragment(ctx, w, v, page, v.Query.Get(partParameter))
	default:
		c.stream(ctx, w, v, page)
	}
}
