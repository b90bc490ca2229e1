package authn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	testAudience = "admin-gateway"
	testSubject  = "system:serviceaccount:billing:exporter"
	testCaller   = "billing"
)

// handClock is a clock that is set by hand.
type handClock struct {
	mu sync.Mutex
	at time.Time
}

func newHandClock() *handClock {
	return &handClock{at: time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)}
}

func (c *handClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *handClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// signingKey signs tokens. It shares no code with what verifies them.
type signingKey struct {
	kid, alg string
	private  crypto.Signer
}

func newSigningKey(tb testing.TB, kid string) signingKey {
	tb.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return signingKey{kid: kid, alg: "ES256", private: private}
}

// rsaKey is made once, because that takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newRSASigningKey(kid string) signingKey {
	return signingKey{kid: kid, alg: "RS256", private: rsaKey()}
}

func (k signingKey) jwk() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.kid, Use: "sig"}
}

// signature signs as JWS does, for ES256 and RS256.
func (k signingKey) signature(tb testing.TB, input []byte) []byte {
	tb.Helper()
	digest := sha256.Sum256(input)
	switch private := k.private.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			tb.Fatal(err)
		}
		out := make([]byte, 64)
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out
	case *rsa.PrivateKey:
		out, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, digest[:])
		if err != nil {
			tb.Fatal(err)
		}
		return out
	}
	tb.Fatalf("no signatures with a %T here", k.private)
	return nil
}

// header is the header of the tokens of this key, with changes: nil takes a
// member out.
func (k signingKey) header(changes map[string]any) map[string]any {
	return changed(map[string]any{"alg": k.alg, "kid": k.kid, "typ": "JWT"}, changes)
}

// token signs claims.
func (k signingKey) token(tb testing.TB, claims map[string]any) string {
	tb.Helper()
	return k.tokenWith(tb, k.header(nil), claims)
}

func (k signingKey) tokenWith(tb testing.TB, header, claims map[string]any) string {
	tb.Helper()
	return k.raw(tb, toJSON(tb, header), toJSON(tb, claims))
}

// raw signs any bytes as header and payload.
func (k signingKey) raw(tb testing.TB, header, payload []byte) string {
	tb.Helper()
	return compact(header, payload, func(input []byte) []byte { return k.signature(tb, input) })
}

func compact(header, payload []byte, sign func([]byte) []byte) string {
	encode := base64.RawURLEncoding.EncodeToString
	input := encode(header) + "." + encode(payload)
	return input + "." + encode(sign([]byte(input)))
}

func hmacSHA256(secret []byte) func([]byte) []byte {
	return func(input []byte) []byte {
		mac := hmac.New(sha256.New, secret)
		mac.Write(input)
		return mac.Sum(nil)
	}
}

func changed(members, changes map[string]any) map[string]any {
	for name, value := range changes {
		members[name] = value
	}
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	return members
}

func toJSON(tb testing.TB, value any) []byte {
	tb.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

// provider is an OIDC provider on a real HTTP server.
type provider struct {
	url string

	mu       sync.Mutex
	document []byte                    // the JWK Set
	instead  func(http.ResponseWriter) // answers in place of the provider
	requests map[string]int            // by path
	seen     []*http.Request
	server   *httptest.Server
}

func newProvider(tb testing.TB, keys ...signingKey) *provider {
	tb.Helper()
	p := &provider{requests: map[string]int{}}
	p.serve(tb, keys...)
	p.server = httptest.NewServer(p)
	tb.Cleanup(p.server.Close)
	p.url = p.server.URL
	return p
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.requests[r.URL.Path]++
	p.seen = append(p.seen, r)
	document, instead, url := p.document, p.instead, p.url
	p.mu.Unlock()
	switch {
	case instead != nil:
		instead(w)
	case r.URL.Path == "/.well-known/openid-configuration":
		_, _ = fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, url, url+"/keys")
	case r.URL.Path == "/keys":
		_, _ = w.Write(document)
	default:
		http.NotFound(w, r)
	}
}

// serve changes the keys that the provider has.
func (p *provider) serve(tb testing.TB, keys ...signingKey) {
	tb.Helper()
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, key.jwk())
	}
	p.serveDocument(toJSON(tb, set))
}

func (p *provider) serveDocument(document []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.document = document
}

// answer has all requests answered in another way; nil: as before.
func (p *provider) answer(instead func(http.ResponseWriter)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.instead = instead
}

// fetches returns how often each path was asked for.
func (p *provider) fetches() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.requests)
}

func once() map[string]int { return times(1) }

func times(n int) map[string]int {
	return map[string]int{"/.well-known/openid-configuration": n, "/keys": n}
}

// claims are those of a good token, with changes: nil takes a claim out.
func claimsFor(issuer string, clock *handClock, changes map[string]any) map[string]any {
	now := clock.now().Unix()
	return changed(map[string]any{
		"iss": issuer, "sub": testSubject, "aud": testAudience,
		"iat": now, "nbf": now, "exp": now + 3600,
	}, changes)
}

// newAuthenticator makes one that believes in the issuers.
func newAuthenticator(tb testing.TB, clock *handClock, issuers ...Issuer) *Authenticator {
	tb.Helper()
	a, err := New(Config{Issuers: issuers, Now: clock.now})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(a.Close)
	return a
}

func (p *provider) issuer() Issuer { return Issuer{URL: p.url, Audiences: []string{testAudience}} }

// tableFor makes a table in which testSubject of each issuer is testCaller.
func tableFor(tb testing.TB, issuers ...string) *Table {
	tb.Helper()
	caller := Caller{Name: testCaller}
	for _, issuer := range issuers {
		caller.Credentials = append(caller.Credentials, Credential{JWT: &JWTSubject{Issuer: issuer, Subject: testSubject}})
	}
	return newTable(tb, issuers, caller)
}

func newTable(tb testing.TB, issuers []string, callers ...Caller) *Table {
	tb.Helper()
	table, err := NewTable(callers, issuers)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

func bearerOf(token string) Evidence { return Evidence{Authorization: []string{"Bearer " + token}} }

// wantCaller wants the token to be that of testCaller.
func wantCaller(tb testing.TB, a *Authenticator, table *Table, token string) {
	tb.Helper()
	got, err := a.Authenticate(tb.Context(), table, bearerOf(token))
	if want := (Identity{Caller: testCaller, Method: MethodJWT, CredentialID: got.CredentialID}); err != nil || got != want || got.CredentialID == "" {
		tb.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}

// wantRefused wants the evidence refused for the reason, and no caller.
func wantRefused(tb testing.TB, a *Authenticator, table *Table, e Evidence, reason Reason) {
	tb.Helper()
	_ = refusalOf(tb, a, table, e, reason)
}

// refusalOf is wantRefused for those who look at the error too.
func refusalOf(tb testing.TB, a *Authenticator, table *Table, e Evidence, reason Reason) *Error {
	tb.Helper()
	identity, err := a.Authenticate(tb.Context(), table, e)
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		tb.Fatalf("got %+v, %v, want an *Error", identity, err)
	}
	if refusal.Reason != reason {
		tb.Errorf("refused for %q (%v), want %q", refusal.Reason, err, reason)
	}
	if identity != (Identity{}) {
		tb.Errorf("%+v came beside the error", identity)
	}
	return refusal
}
