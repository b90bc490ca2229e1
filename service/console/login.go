package console

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/digest"
)

const (
	loginPath  = "/login"
	logoutPath = "/logout"
	// formCookie proves that a login form came from here: there is no session yet whose
	// secret could.
	formCookie = cookieName + "-form"
	// formLife is how long a login form may be filled in.
	formLife = time.Hour
)

// loginView is what the template of the login needs.
type loginView struct {
	Frame
	Secret string // of the form
	Next   string // the page to go to
	Fault  string // why the last attempt was none
	OIDC   string // where a login with the provider begins; "" without one
}

// login shows the form, and logs a person in who sends it.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		c.showLogin(w, r, r.URL.Query().Get("next"), "", http.StatusOK)
		return
	}
	next := r.PostFormValue("next")
	cookie, err := r.Cookie(c.formCookie())
	if err != nil || cookie.Value == "" || !digest.Of([]byte(cookie.Value)).Equal(digest.Of([]byte(r.PostFormValue("secret")))) {
		c.showLogin(w, r, next, "The form was too old. Please try again.", http.StatusForbidden)
		return
	}
	token := strings.TrimSpace(r.PostFormValue("token"))
	c.begin(w, r, token, next, "This token is not valid.")
}

// logout ends a session. The secret of its forms proves that its user wants it.
func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	s, _, ok := c.jar.Get(r.Context(), r)
	if r.Method == http.MethodPost && ok && s.Proves(r.PostFormValue("secret")) {
		c.jar.Clear(w)
	}
	http.Redirect(w, r, loginPath, http.StatusSeeOther)
}

func (c *Console) showLogin(w http.ResponseWriter, r *http.Request, next, fault string, status int) {
	secret := rand.Text()
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure where the console is served over TLS.
		Name: c.formCookie(), Value: secret, Path: "/", MaxAge: int(formLife / time.Second), HttpOnly: true, Secure: c.jar.Secure, SameSite: http.SameSiteStrictMode,
	})
	oidc := ""
	if c.options.OIDC != nil {
		oidc = oidcPath + "?next=" + url.QueryEscape(ownPath(next))
	}
	c.views.write(w, r, status, "login", loginView{OIDC: oidc, Frame: c.frame(nil, "Log in"), Secret: secret, Next: ownPath(next), Fault: fault})
}

func (c *Console) formCookie() string {
	if c.jar.Secure {
		return "__Host-" + formCookie
	}
	return formCookie
}

// ownPath is a path of the console to go to, and "/" for what is none: nobody is sent
// elsewhere.
func ownPath(next string) string {
	at, err := url.Parse(next)
	if err != nil || at.Scheme != "" || at.Host != "" || at.User != nil || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\r\n\t") || strings.HasPrefix(at.Path, loginPath) || strings.HasPrefix(at.Path, logoutPath) {
		return "/"
	}
	return next
}

// toLogin sends somebody who is not logged in there, and back afterwards.
func (c *Console) toLogin(w http.ResponseWriter, r *http.Request) {
	next := r.URL.RequestURI()
	if r.Method == http.MethodPost {
		next = "/"
	}
	if r.URL.Query().Get(partParameter) != "" {
		// The script of a page asks for a part of it, and a login form is none.
		http.Error(w, "The login has ended.", http.StatusUnauthorized)
		return
	}
	http.Redirect(w, r, loginPath+"?next="+url.QueryEscape(next), http.StatusSeeOther)
}
