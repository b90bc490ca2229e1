package console_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/admin-gateway/admin-gateway/internal/catalogtest"
	"github.com/admin-gateway/admin-gateway/internal/consoletest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/console"
	"github.com/admin-gateway/admin-gateway/service/console/oidclogin"
)

// provider is an OpenID provider that everybody is logged in to, as a subject.
type provider struct {
	url     string
	signer  jose.Signer
	subject string

	asked url.Values // of the last authorization
	nonce string     // in place of the one that was asked for
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &provider{subject: "ann"}
	if p.signer, err = jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(value); err != nil {
			t.Error(err)
		}
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{
			"issuer": p.url, "authorization_endpoint": p.url + "/authorize", "token_endpoint": p.url + "/token", "jwks_uri": p.url + "/keys",
			"id_token_signing_alg_values_supported": []string{"ES256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		challenge := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
		if r.PostFormValue("code") != "the-code" || base64.RawURLEncoding.EncodeToString(challenge[:]) != p.asked.Get("code_challenge") || p.asked.Get("code_challenge_method") != "S256" {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]any{"error": "invalid_grant"})
			return
		}
		answer(w, map[string]any{"access_token": "x", "token_type": "Bearer", "id_token": p.token(t)})
	})
	return p
}

func (p *provider) token(t *testing.T) string {
	t.Helper()
	nonce := p.asked.Get("nonce")
	if p.nonce != "" {
		nonce = p.nonce
	}
	claims, err := json.Marshal(map[string]any{"iss": p.url, "sub": p.subject, "aud": "console", "nonce": nonce, "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := p.signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// fixed is a policy that stays.
type fixed struct{ set *callers.Set }

// Current is the policy in force.
func (f fixed) Current() *callers.Set { return f.set }

// TestOIDC: a person whom the provider knows is logged in as the caller that the policy
// has for its subject, by an authorization code with PKCE, a state and a nonce that are
// of this browser and this attempt.
func TestOIDC(t *testing.T) {
	t.Parallel()
	p := newProvider(t)
	authenticator, err := authn.New(authn.Config{Issuers: []authn.Issuer{{URL: p.url, Audiences: []string{"console"}, Algorithms: []string{"ES256"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authenticator.Close)
	policy := `callers: [{name: ann, authenticate: [{jwt: {issuer: "` + p.url + `", subject: ann}}], grants: [{permissions: ["*.read"]}]}]`
	set, err := callers.Parse("policy.yaml", []byte(policy), callers.Rules{Methods: catalogtest.Gateway(t).Access(), Issuers: []string{p.url}})
	if err != nil {
		t.Fatal(err)
	}
	g := gatewaytest.New(t, gatewaytest.WithOptions(func(o *service.Options) { o.Authenticator, o.Callers = authenticator, fixed{set} }))
	c := consoletest.Open(t, g, func(o *console.Options) {
		o.OIDC = oidclogin.New(oidclogin.Options{Issuer: p.url, ClientID: "console", RedirectURL: "http://localhost" + console.CallbackPath})
	})
	begin := func(b *consoletest.Browser) {
		t.Helper()
		if page := b.Get("/login?next=/costs"); !strings.Contains(page.Text, `href="/login/oidc?next=%2Fcosts"`) {
			t.Fatalf("the login offers no provider: %s", page.Text)
		}
		a := b.Get("/login/oidc?next=/costs")
		at, err := url.Parse(a.Header.Get("Location"))
		if err != nil || a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), p.url+"/authorize?") {
			t.Fatalf("%d to %q", a.Status, a.Header.Get("Location"))
		}
		p.asked = at.Query()
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if len(p.asked.Get(name)) < 20 {
				t.Errorf("%s is %q", name, p.asked.Get(name))
			}
		}
	}
	back := func(b *consoletest.Browser, state, code string) *consoletest.Answer {
		return b.Get(console.CallbackPath+"?"+url.Values{"state": {state}, "code": {code}}.Encode(), "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Sec-Fetch-Dest: document")
	}
	b := c.Browser(t)
	begin(b)
	if a := back(b, p.asked.Get("state"), "the-code"); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/costs" {
		t.Fatalf("back: %d to %q: %s", a.Status, a.Header.Get("Location"), a.Text)
	}
	if page := b.Get("/"); page.Status != http.StatusOK || !strings.Contains(page.Text, "<bdi>ann</bdi>") {
		t.Fatalf("logged in: %d %s", page.Status, page.Text)
	}
	for name, attempt := range map[string]func(b *consoletest.Browser) *consoletest.Answer{
		"another state": func(b *consoletest.Browser) *consoletest.Answer { return back(b, "another", "the-code") },
		"another code":  func(b *consoletest.Browser) *consoletest.Answer { return back(b, p.asked.Get("state"), "another") },
		"no code":       func(b *consoletest.Browser) *consoletest.Answer { return back(b, p.asked.Get("state"), "") },
		"another browser": func(*consoletest.Browser) *consoletest.Answer {
			return back(c.Browser(t), p.asked.Get("state"), "the-code")
		},
		"a token of another login": func(b *consoletest.Browser) *consoletest.Answer {
			p.nonce = "another"
			defer func() { p.nonce = "" }()
			return back(b, p.asked.Get("state"), "the-code")
		},
		"a subject that is no caller": func(b *consoletest.Browser) *consoletest.Answer {
			p.subject = "bob"
			defer func() { p.subject = "ann" }()
			return back(b, p.asked.Get("state"), "the-code")
		},
		"the same twice": func(b *consoletest.Browser) *consoletest.Answer {
			back(b, "another", "the-code")
			return back(b, p.asked.Get("state"), "the-code")
		},
	} {
		b := c.Browser(t)
		begin(b)
		if a := attempt(b); a.Status != http.StatusForbidden {
			t.Errorf("%s: %d", name, a.Status)
		}
		if page := b.Get("/"); page.Status != http.StatusSeeOther {
			t.Errorf("%s logs in", name)
		}
	}
}
