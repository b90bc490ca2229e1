package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect/v2"

	controlv1 "github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1"
	"github.com/admin-gateway/admin-gateway/gen/admingateway/control/v1/controlv1connect"
	"github.com/admin-gateway/admin-gateway/service/console/rpc"
	"github.com/admin-gateway/admin-gateway/service/console/session"
	"github.com/admin-gateway/admin-gateway/service/door"
)

// Visit is one request of one user.
type Visit struct {
	// Query is that of the page's address. Form has the fields of a form that was sent,
	// nil where none was.
	Query, Form url.Values
	// Access is what the user may do.
	Access Access
	// Now is the time of the visit.
	Now time.Time

	request *http.Request
	session session.Session
	calls   rpc.Transport
	report  func(Progress) // nil: nobody shows progress
	end     func()
}

// Client calls the gateway as the user. The generated clients take it.
func (v *Visit) Client() *connect.Client { return connect.NewClient(&v.calls) }

// Kept says that this is the time for stored answers, which comes first. Calls fail with
// NOT_STORED where there is none.
func (v *Visit) Kept() bool { return v.calls.Stored }

// Stored is the visit with stored answers alone, in both turns, and without a trace on the
// page: for ornaments, which are not worth a call of the upstream.
func (v *Visit) Stored() *Visit { return v.with(true, nil, nil) }

// Progress shows how far a long part has come.
func (v *Visit) Progress(p Progress) {
	if v.report != nil {
		v.report(p)
	}
}

// Secret goes into every form, as the field "secret".
func (v *Visit) Secret() string { return v.session.Secret }

// Path is that of the page.
func (v *Visit) Path() string { return v.request.URL.Path }

// with is the visit for one part, in one of its two turns.
func (v *Visit) with(stored bool, notes *rpc.Notes, report func(Progress)) *Visit {
	one := *v
	one.calls.Stored, one.calls.Notes, one.report = stored, notes, report
	return &one
}

// Access is what a user may do, as far as it shows without a request.
type Access struct {
	// Caller is the name of the user's caller, "" where it is not known.
	Caller string
	// Method is the kind of the credential, and Expires when it ends; the zero time: it
	// does not.
	Method  string
	Expires time.Time
	// Known says that the caller may know what it may do (sessions.read). If not, every
	// call is tried.
	Known bool

	reach map[string]reach // by permission
}

// reach is how far a permission goes.
type reach struct {
	limited  bool
	projects []string
}

// May says whether the user may have a permission at all.
func (a Access) May(permission string) bool {
	_, ok := a.reach[permission]
	return ok || !a.Known
}

// MayAny says whether the user may have one of some permissions, or none is named.
func (a Access) MayAny(permissions []string) bool {
	return len(permissions) == 0 || slices.ContainsFunc(permissions, a.May)
}

// Projects are the projects that a permission is limited to; limited is false where it
// is not. A request then has to name some of them.
func (a Access) Projects(permission string) (ids []string, limited bool) {
	r := a.reach[permission]
	return r.projects, r.limited
}

// forwarded are the headers of proxies that say where a request came from.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "User-Agent"} //nolint:gochecknoglobals // Never changes.

func (c *Console) newVisit(r *http.Request, s session.Session) *Visit {
	v := &Visit{Query: r.URL.Query(), Now: c.options.Now(), request: r, session: s, end: func() {}}
	v.calls = rpc.Transport{Server: c.options.Server, Token: s.Token, Peer: r.RemoteAddr, Forwarded: make(http.Header)}
	for _, name := range forwarded {
		if values := r.Header.Values(name); len(values) > 0 {
			v.calls.Forwarded[name] = values
		}
	}
	v.calls.Connection, _ = door.ConnectionOf(r.Context()) // The handler has made it.
	return v
}

// identifyTimeout bounds the first call of a request, which asks nobody else.
const identifyTimeout = 10 * time.Second

// identify finds out who the user is and what it may do. The error is that of a
// credential that is not one, or of a gateway that cannot say.
func (v *Visit) identify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, identifyTimeout)
	defer cancel()
	answer, err := controlv1connect.NewSessionServiceClient(v.Client()).GetAccess(ctx, &controlv1.GetAccessRequest{})
	switch {
	case err == nil:
	case connect.CodeOf(err) == connect.CodePermissionDenied:
		return nil // It is somebody.
	default:
		return err
	}
	v.Access = Access{
		Caller: answer.GetSession().GetCaller(), Method: answer.GetSession().GetAuthenticatedBy(), Known: true, reach: make(map[string]reach),
	}
	if ends := answer.GetSession().GetExpiresAt(); ends != nil {
		v.Access.Expires = ends.AsTime()
	}
	for _, item := range answer.GetAccess() {
		for _, permission := range item.GetPermissions() {
			v.Access.reach[permission] = reach{!item.GetOrganization(), item.GetProjects()}
		}
	}
	return nil
}

// admit begins the visit of somebody who is logged in. It answers who is not.
func (c *Console) admit(w http.ResponseWriter, r *http.Request) (*Visit, bool) {
	s, renew, ok := c.jar.Get(r.Context(), r)
	if !ok {
		c.toLogin(w, r)
		return nil, false
	}
	v := c.newVisit(r, s)
	switch err := v.identify(r.Context()); {
	case connect.CodeOf(err) == connect.CodeUnauthenticated:
		c.jar.Clear(w) // The credential has ended, or was taken away.
		c.toLogin(w, r)
		return nil, false
	case err != nil:
		t := troubleOf(err)
		c.refuse(w, v, t.status, t.Text)
		return nil, false
	}
	if r.Method == http.MethodPost {
		if err := r.ParseForm(); err != nil || !s.Proves(r.PostFormValue("secret")) {
			c.refuse(w, v, http.StatusForbidden, "This form is not from this login. Go back, reload the page, and try again.")
			return nil, false
		}
		v.Form = r.PostForm
	}
	who := v.Access.Caller
	if !c.visits.begin(who) {
		w.Header().Set("Retry-After", "1")
		c.refuse(w, v, http.StatusTooManyRequests, "As many pages of this caller are under way as may be. Please wait for one.")
		return nil, false
	}
	v.end = sync.OnceFunc(func() { c.visits.done(who) })
	if renew {
		if err := c.jar.Set(r.Context(), w, s); err != nil {
			c.options.Logger.WarnContext(r.Context(), "a login to the console cannot be renewed", "error", err.Error())
		}
	}
	return v, true
}

// maxVisits bounds the pages of one caller that are under way: each may wait for the
// budget for minutes.
const maxVisits = 64

// visits counts the pages that are under way, by caller. It holds no others, and callers
// are those of the policy.
type visits struct {
	mu  sync.Mutex
	now map[string]int
}

func (v *visits) begin(caller string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now[caller] >= maxVisits {
		return false
	}
	if v.now == nil {
		v.now = make(map[string]int)
	}
	v.now[caller]++
	return true
}

func (v *visits) done(caller string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.now[caller]--; v.now[caller] <= 0 {
		delete(v.now, caller)
	}
}
