package authn

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

// Of a set, the keys are taken that can verify a signature, and no others.
func TestParseKeys(t *testing.T) {
	t.Parallel()
	ec, rs := newSigningKey(t, "ec"), newRSASigningKey("rs")
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// A modulus of n bits; nothing is done with it.
	modulus := func(bits uint) *rsa.PublicKey {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		return &rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537}
	}
	with := func(key jose.JSONWebKey, changes map[string]any) any {
		var members map[string]any
		if err := json.Unmarshal(toJSON(t, &key), &members); err != nil {
			t.Fatal(err)
		}
		return changed(members, changes)
	}
	keys := []any{
		with(ec.jwk(), map[string]any{"kid": "EC"}),
		with(rs.jwk(), map[string]any{"kid": "RSA"}),
		with(jose.JSONWebKey{Key: edPublic}, map[string]any{"kid": "Ed25519"}),
		with(jose.JSONWebKey{Key: p384.Public()}, map[string]any{"kid": "P-384"}),
		with(ec.jwk(), map[string]any{"kid": "without use", "use": nil}),
		with(ec.jwk(), map[string]any{"kid": "with alg", "alg": "ES256"}),
		with(ec.jwk(), map[string]any{"kid": "with key_ops", "key_ops": []string{"verify"}}),
		with(ec.jwk(), map[string]any{"kid": "with more", "x5u": "https://evil.example", "ext": true}),
		with(rs.jwk(), map[string]any{"kid": strings.Repeat("k", maxKeyID)}),
		with(jose.JSONWebKey{Key: modulus(2048)}, map[string]any{"kid": "RSA 2048"}),
		with(jose.JSONWebKey{Key: modulus(4096)}, map[string]any{"kid": "RSA 4096"}),

		with(ec.jwk(), map[string]any{"kid": "no: for encryption", "use": "enc"}),
		with(ec.jwk(), map[string]any{"kid": "no: for signing", "key_ops": []string{"sign"}}),
		with(ec.jwk(), map[string]any{"kid": "no: for nothing", "key_ops": []string{}}),
		with(ec.jwk(), map[string]any{"kid": "no: alg of another kind", "alg": "RS256"}),
		with(rs.jwk(), map[string]any{"kid": "no: HS256", "alg": "HS256"}),
		with(rs.jwk(), map[string]any{"kid": "no: alg of encryption", "alg": "RSA-OAEP"}),
		with(jose.JSONWebKey{Key: []byte("secret")}, map[string]any{"kid": "no: symmetric"}),
		with(jose.JSONWebKey{Key: rsaKey()}, map[string]any{"kid": "no: private RSA"}),
		with(jose.JSONWebKey{Key: ec.private}, map[string]any{"kid": "no: private EC"}),
		with(jose.JSONWebKey{Key: edPrivate}, map[string]any{"kid": "no: private Ed25519"}),
		with(jose.JSONWebKey{Key: modulus(1024)}, map[string]any{"kid": "no: RSA 1024"}),
		with(jose.JSONWebKey{Key: modulus(2047)}, map[string]any{"kid": "no: RSA 2047"}),
		with(jose.JSONWebKey{Key: modulus(4097)}, map[string]any{"kid": "no: RSA 4097"}),
		with(ec.jwk(), map[string]any{"kid": "no: not on the curve", "x": "AAAA"}),
		with(ec.jwk(), map[string]any{"kid": "no: unknown curve", "crv": "secp256k1"}),
		with(ec.jwk(), map[string]any{"kid": "no: unknown type", "kty": "AKP"}),
		with(ec.jwk(), map[string]any{"kid": "no: bad certificate", "x5c": []string{"AAAA"}}),
		with(ec.jwk(), map[string]any{"kid": strings.Repeat("k", maxKeyID+1)}),
	}
	got, err := parseKeys(toJSON(t, map[string]any{"keys": keys}))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, key := range got {
		names = append(names, key.KeyID)
	}
	want := []string{"EC", "RSA", "Ed25519", "P-384", "without use", "with alg", "with key_ops", "with more", strings.Repeat("k", maxKeyID), "RSA 2048", "RSA 4096"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// Each kind of key goes with its own algorithms.
func TestFits(t *testing.T) {
	t.Parallel()
	public := func(curve elliptic.Curve) any {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key.Public()
	}
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		key  any
		want string
	}{
		{&rsaKey().PublicKey, "RS256 RS384 RS512 PS256 PS384 PS512"},
		{public(elliptic.P256()), "ES256"},
		{public(elliptic.P384()), "ES384"},
		{public(elliptic.P521()), "ES512"},
		{ed, "EdDSA"},
		{[]byte("secret"), ""},
		{nil, ""},
	} {
		var got []string
		for _, algorithm := range append([]string{"HS256", "none"}, algorithms...) {
			if fits(&jose.JSONWebKey{Key: test.key}, algorithm) {
				got = append(got, algorithm)
			}
		}
		if got := strings.Join(got, " "); got != test.want {
			t.Errorf("%T fits %q, want %q", test.key, got, test.want)
		}
	}
}

// The metadata of a provider may send the gateway where it has no business.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		metadata func(url string) string
		want     string // in the cause
	}{
		"another issuer":       {func(url string) string { return `{"issuer":"https://evil.example","jwks_uri":"` + url + `/keys"}` }, "another issuer"},
		"issuer with a slash":  {func(url string) string { return `{"issuer":"` + url + `/","jwks_uri":"` + url + `/keys"}` }, "another issuer"},
		"no issuer":            {func(url string) string { return `{"jwks_uri":"` + url + `/keys"}` }, "another issuer"},
		"issuer twice":         {func(url string) string { return `{"issuer":"x","issuer":"` + url + `","jwks_uri":"` + url + `/keys"}` }, "not the JSON"},
		"no jwks_uri":          {func(url string) string { return `{"issuer":"` + url + `"}` }, "not an absolute URL"},
		"jwks_uri in http":     {func(url string) string { return `{"issuer":"` + url + `","jwks_uri":"http://evil.example/keys"}` }, "not https"},
		"jwks_uri of a file":   {func(url string) string { return `{"issuer":"` + url + `","jwks_uri":"file:///etc/passwd"}` }, "not an absolute URL"},
		"jwks_uri with a user": {func(url string) string { return `{"issuer":"` + url + `","jwks_uri":"https://a:b@evil.example/"}` }, "has a user"},
		"jwks_uri that is long": {func(url string) string {
			return `{"issuer":"` + url + `","jwks_uri":"https://a/` + strings.Repeat("a", maxURL) + `"}`
		}, "longer than"},
		"not JSON": {func(string) string { return `<html>` }, "not the JSON"},
		"a list":   {func(string) string { return `[]` }, "not the JSON"},
		"too long": {func(string) string { return strings.Repeat(" ", maxDocument+1) }, "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newHandClock()
			key := newSigningKey(t, "k1")
			p := newProvider(t, key)
			p.answer(func(w http.ResponseWriter) { _, _ = w.Write([]byte(test.metadata(p.url))) })
			a, table := newAuthenticator(t, clock, p.issuer()), tableFor(t, p.url)
			refusal := refusalOf(t, a, table, bearerOf(key.token(t, claimsFor(p.url, clock, nil))), ReasonNoKeys)
			if refusal.Err == nil || !strings.Contains(refusal.Err.Error(), test.want) {
				t.Errorf("the cause is %v, want %q", refusal.Err, test.want)
			}
			if diff := cmp.Diff(map[string]int{"/.well-known/openid-configuration": 1}, p.fetches()); diff != "" {
				t.Errorf("fetches (-want +got):\n%s", diff)
			}
		})
	}
}

// An issuer on the network cannot make us ask our own machine in the clear.
func TestKeysOfARemoteIssuerAreNotOnLoopback(t *testing.T) {
	t.Parallel()
	if _, err := fetchURL("http://127.0.0.1:8080/keys", false); err == nil {
		t.Error("http on loopback is accepted from a remote issuer")
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "https://" + r.Host, "jwks_uri": "http://127.0.0.1:1/keys"})
	}))
	defer server.Close()
	f := &fetcher{issuer: Issuer{URL: server.URL, CAFile: caFile(t, server)}}
	if _, err := f.keys(t.Context()); err == nil || !strings.Contains(err.Error(), "the URL of the keys is not https") {
		t.Errorf("got %v", err)
	}
}

// Redirects stay where they began.
func TestRedirects(t *testing.T) {
	t.Parallel()
	key := newSigningKey(t, "k1")
	other := newProvider(t, key)
	for name, test := range map[string]struct {
		to   func(p *provider) string
		good bool
	}{
		"same host":        {func(*provider) string { return "/keys" }, true},
		"another host":     {func(*provider) string { return other.url + "/keys" }, false},
		"another name":     {func(p *provider) string { return strings.Replace(p.url, "127.0.0.1", "localhost", 1) + "/keys" }, false},
		"round and round":  {func(*provider) string { return "/round" }, false},
		"another protocol": {func(p *provider) string { return strings.Replace(p.url, "http:", "https:", 1) + "/keys" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newHandClock()
			p := newProvider(t, key)
			var asked atomic.Int32
			redirecting := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				if r.URL.Path == "/from" || r.URL.Path == "/round" {
					http.Redirect(w, r, test.to(p), http.StatusFound)
					return
				}
				p.ServeHTTP(w, r)
			}))
			defer redirecting.Close()
			p.url = redirecting.URL
			issuer := p.issuer()
			issuer.JWKSURL = redirecting.URL + "/from"
			a, table := newAuthenticator(t, clock, issuer), tableFor(t, p.url)
			token := key.token(t, claimsFor(p.url, clock, nil))
			if test.good {
				wantCaller(t, a, table, token)
				return
			}
			wantRefused(t, a, table, bearerOf(token), ReasonNoKeys)
			if got := asked.Load(); got > maxRedirects+1 {
				t.Errorf("%d requests, want at most %d", got, maxRedirects+1)
			}
		})
	}
	t.Cleanup(func() {
		if got := other.fetches(); len(got) != 0 {
			t.Errorf("the other host was asked: %v", got)
		}
	})
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"https://a.example", "https://a.example:443/x", true},
		{"https://a.example", "https://A.EXAMPLE", true},
		{"https://a.example", "https://a.example:8443", false},
		{"https://a.example", "http://a.example", false},
		{"https://a.example", "https://b.a.example", false},
		{"https://a.example", "https://a.example.evil", false},
		{"https://a.example", "", false},
	} {
		a, errA := url.Parse(test.a)
		b, errB := url.Parse(test.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := sameOrigin(a, b); got != test.want || sameOrigin(b, a) != got {
			t.Errorf("%s and %s: got %t", test.a, test.b, got)
		}
	}
}

// caFile writes the certificate of a server as its own authority.
func caFile(t *testing.T, server *httptest.Server) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.crt")
	writeText(t, path, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	return path
}

func writeText(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// cluster plays the API server of a Kubernetes cluster: it speaks TLS by an
// authority of its own, and serves its keys only with a token.
type cluster struct {
	*provider
	server            *httptest.Server
	want              string // the bearer token
	caFile, tokenFile string
}

func newCluster(t *testing.T, keys ...signingKey) *cluster {
	t.Helper()
	c := &cluster{provider: &provider{requests: map[string]int{}}, want: "kubelet.mounted.token-1"}
	c.serve(t, keys...)
	c.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		c.requests[r.URL.Path]++
		want, document := c.want, c.document
		c.mu.Unlock()
		switch {
		case r.Header.Get("Authorization") != "Bearer "+want:
			http.Error(w, "Unauthorized", http.StatusUnauthorized)
		case r.URL.Path == "/.well-known/openid-configuration":
			_ = json.NewEncoder(w).Encode(map[string]any{
				"issuer": c.url, "jwks_uri": c.url + "/openid/v1/jwks",
				"response_types_supported": []string{"id_token"}, "subject_types_supported": []string{"public"},
				"id_token_signing_alg_values_supported": []string{"RS256"},
			})
		case r.URL.Path == "/openid/v1/jwks":
			w.Header().Set("Content-Type", "application/jwk-set+json")
			_, _ = w.Write(document)
		default:
			http.NotFound(w, r)
		}
	}))
	c.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // Handshakes that fail are wanted.
	c.server.StartTLS()
	t.Cleanup(c.server.Close)
	c.url = c.server.URL
	c.caFile = caFile(t, c.server)
	c.tokenFile = filepath.Join(t.TempDir(), "token")
	writeText(t, c.tokenFile, c.want+"\n")
	return c
}

func (c *cluster) issuer() Issuer {
	return Issuer{URL: c.url, Audiences: []string{testAudience}, CAFile: c.caFile, TokenFile: c.tokenFile}
}

// serviceAccountClaims are those that a cluster puts into a projected token.
func serviceAccountClaims(issuer string, clock *handClock) map[string]any {
	return claimsFor(issuer, clock, map[string]any{
		"aud": []string{testAudience}, "jti": "0b5bd1c7", "kubernetes.io": map[string]any{
			"namespace":      "billing",
			"pod":            map[string]string{"name": "exporter-5d8f", "uid": "9d1c"},
			"serviceaccount": map[string]string{"name": "exporter", "uid": "11aa"},
			"warnafter":      clock.now().Unix() + 3000,
		},
	})
}

func TestKubernetesServiceAccount(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key, next := newRSASigningKey("cluster-key"), newSigningKey(t, "next-key")
	c := newCluster(t, key)
	a, table := newAuthenticator(t, clock, c.issuer()), tableFor(t, c.url)
	token := func(key signingKey) string { return key.token(t, serviceAccountClaims(c.url, clock)) }
	wantCaller(t, a, table, token(key))
	wantRefused(t, a, table, bearerOf(key.token(t, changed(serviceAccountClaims(c.url, clock), map[string]any{"aud": []string{"https://kubernetes.default.svc"}}))), ReasonBadAudience)
	if diff := cmp.Diff(map[string]int{"/.well-known/openid-configuration": 1, "/openid/v1/jwks": 1}, c.fetches()); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}

	// The kubelet writes another token; the API server has a new key.
	c.mu.Lock()
	c.want = "kubelet.mounted.token-2"
	c.mu.Unlock()
	c.serve(t, key, next)
	clock.advance(fetchInterval)
	refusal := refusalOf(t, a, table, bearerOf(token(next)), ReasonNoKeys)
	if text := refusal.Error(); !strings.Contains(text, "status 401") || strings.Contains(text, "token-1") {
		t.Errorf("the cause is %q", text)
	}
	writeText(t, c.tokenFile, "kubelet.mounted.token-2")
	clock.advance(fetchInterval)
	wantCaller(t, a, table, token(next))
	wantCaller(t, a, table, token(key))
}

func TestKubernetesWithJWKSURL(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "cluster-key")
	c := newCluster(t, key)
	issuer := c.issuer()
	issuer.URL, issuer.JWKSURL = "kubernetes/serviceaccount", c.url+"/openid/v1/jwks"
	a, table := newAuthenticator(t, clock, issuer), tableFor(t, issuer.URL)
	wantCaller(t, a, table, key.token(t, serviceAccountClaims(issuer.URL, clock)))
	if diff := cmp.Diff(map[string]int{"/openid/v1/jwks": 1}, c.fetches()); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}
}

// The gateway's token goes to the host that the operator named, and to no other
// that an answer does.
func TestFetchTokenStaysAtHome(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	key := newSigningKey(t, "cluster-key")
	c := newCluster(t, key)
	away := newProvider(t, key)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+c.want {
			t.Error("the issuer did not get the token")
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": "http://" + r.Host, "jwks_uri": away.url + "/keys"})
	}))
	defer front.Close()
	a := newAuthenticator(t, clock, Issuer{URL: front.URL, Audiences: []string{testAudience}, TokenFile: c.tokenFile})
	wantCaller(t, a, tableFor(t, front.URL), key.token(t, claimsFor(front.URL, clock, nil)))
	if len(away.seen) != 1 || away.seen[0].Header.Get("Authorization") != "" {
		t.Errorf("the other host saw %d requests, with %q", len(away.seen), away.seen[0].Header["Authorization"])
	}
}

// Files for fetching that are missing or broken are trouble of the fetch, and
// the error names them and shows nothing of them.
func TestFilesForFetching(t *testing.T) {
	t.Parallel()
	key := newSigningKey(t, "cluster-key")
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		writeText(t, path, text)
		return path
	}
	const canary = "CANARY"
	for name, test := range map[string]struct {
		edit func(*Issuer)
		want string
	}{
		"no CA file":              {func(i *Issuer) { i.CAFile = folder + "/nowhere" }, "CA file " + folder + "/nowhere"},
		"CA file without any":     {func(i *Issuer) { i.CAFile = file("ca", canary) }, "it holds no certificate"},
		"another CA":              {func(i *Issuer) { i.CAFile = file("other", string(newAuthority(t, "other").pem())) }, "certificate"},
		"the system's CAs":        {func(i *Issuer) { i.CAFile = "" }, "certificate"},
		"no token file":           {func(i *Issuer) { i.TokenFile = folder + "/nowhere" }, "token file " + folder + "/nowhere"},
		"empty token file":        {func(i *Issuer) { i.TokenFile = file("empty", "\n") }, "it holds no bearer token"},
		"token file of two lines": {func(i *Issuer) { i.TokenFile = file("two", canary+"\n"+canary+"\n") }, "it holds no bearer token"},
		"token file that is long": {func(i *Issuer) { i.TokenFile = file("long", strings.Repeat("a", maxCredential+1)) }, "it holds no bearer token"},
		"wrong token":             {func(i *Issuer) { i.TokenFile = file("wrong", canary) }, "status 401"},
		"without a token":         {func(i *Issuer) { i.TokenFile = "" }, "status 401"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newHandClock()
			c := newCluster(t, key)
			issuer := c.issuer()
			test.edit(&issuer)
			a, table := newAuthenticator(t, clock, issuer), tableFor(t, c.url)
			refusal := refusalOf(t, a, table, bearerOf(key.token(t, serviceAccountClaims(c.url, clock))), ReasonNoKeys)
			if text := refusal.Error(); !strings.Contains(text, test.want) || strings.Contains(text, canary) {
				t.Errorf("got %q, want %q in it", text, test.want)
			}
		})
	}
}
