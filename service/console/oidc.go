package console

import (
	"errors"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/console/oidclogin"
	"github.com/admin-gateway/admin-gateway/service/console/session"
)

const (
	// oidcPath begins a login with the OpenID provider, and CallbackPath is where it
	// sends people back to.
	oidcPath = "/login/oidc"
	// CallbackPath is that of the address that the provider has to know.
	CallbackPath = "/login/callback"
	// pendingLife is how long a person may take at the provider.
	pendingLife = 10 * time.Minute
)

// pendingJar keeps logins that have begun in the cookies of who began them.
func (c *Console) pendingJar() *session.Jar {
	jar := *c.jar
	jar.Name, jar.Longest, jar.Idle = cookieName+"-oidc", pendingLife, pendingLife
	return &jar
}

// beginOIDC sends a person to the provider.
func (c *Console) beginOIDC(w http.ResponseWriter, r *http.Request) {
	next := ownPath(r.URL.Query().Get("next"))
	address, pending, err := c.options.OIDC.Begin(r.Context(), next)
	if err == nil {
		err = c.pendingJar().Set(r.Context(), w, session.New(pending.Encode(), c.options.Now()))
	}
	if err != nil {
		c.options.Logger.WarnContext(r.Context(), "a login to the console with the OpenID provider cannot begin", "error", err.Error())
		c.showLogin(w, r, next, "The OpenID provider gives no answer.", http.StatusBadGateway)
		return
	}
	http.Redirect(w, r, address, http.StatusSeeOther) //nolint:gosec // It is the provider of the config.
}

// finishOIDC logs a person in whom the provider has sent back.
func (c *Console) finishOIDC(w http.ResponseWriter, r *http.Request) {
	jar := c.pendingJar()
	began, _, ok := jar.Get(r.Context(), r)
	jar.Clear(w) // It is good for one attempt.
	pending, decoded := oidclogin.Decode(began.Token)
	if !ok || !decoded {
		c.showLogin(w, r, "", "This login was not begun here, or too long ago. Please try again.", http.StatusForbidden)
		return
	}
	token, err := c.options.OIDC.Finish(r.Context(), pending, r.URL.Query().Get("state"), r.URL.Query().Get("code"))
	if err != nil {
		c.options.Logger.WarnContext(r.Context(), "a login to the console with the OpenID provider has failed", "error", err.Error())
		fault, status := "The login has failed. Please try again.", http.StatusForbidden
		if errors.Is(err, oidclogin.ErrProvider) {
			fault, status = "The OpenID provider gives no answer.", http.StatusBadGateway
		}
		c.showLogin(w, r, pending.Next, fault, status)
		return
	}
	c.begin(w, r, token, pending.Next, "The provider knows you, and the policy of this gateway has no caller for you.")
}

// begin logs a person in with a credential, if it is one of a caller. Unknown is what to
// say if it is none.
func (c *Console) begin(w http.ResponseWriter, r *http.Request, token, next, unknown string) {
	v := c.newVisit(r, session.New(token, c.options.Now()))
	switch err := v.identify(r.Context()); {
	case token == "" || connect.CodeOf(err) == connect.CodeUnauthenticated:
		// One answer, whatever is wrong with it. The gateway's record says what.
		c.showLogin(w, r, next, unknown, http.StatusForbidden)
		return
	case err != nil:
		c.showLogin(w, r, next, troubleOf(err).Text, http.StatusServiceUnavailable)
		return
	}
	if err := c.jar.Set(r.Context(), w, v.session); err != nil {
		fault := "The login could not be kept."
		if errors.Is(err, session.ErrTooLong) {
			fault = "This token is too long for a cookie."
		}
		c.options.Logger.ErrorContext(r.Context(), "a login to the console cannot be kept", "error", err.Error())
		c.showLogin(w, r, next, fault, http.StatusInternalServerError)
		return
	}
	http.Redirect(w, r, ownPath(next), http.StatusSeeOther) //nolint:gosec // It is a path of the console.
}
