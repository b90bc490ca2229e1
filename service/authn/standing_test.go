package authn

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"time"
)

// standing is a credential that was accepted, and the policies that take it away.
type standing struct {
	evidence Evidence
	id       string
	own      Credential
	other    Credential // of the same kind
	// lasts is how long it is accepted from now on; 0: it does not end.
	lasts time.Duration
}

// TestStands: a credential of every kind stands while the policy has it for its caller,
// whatever else the policy says, and not behind its end.
func TestStands(t *testing.T) {
	t.Parallel()
	clock := newHandClock()
	clients := newAuthority(t, "clients")
	clock.at = clients.issue(t).Leaf.NotBefore.Add(time.Minute).Truncate(time.Second)
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	a := newAuthenticator(t, clock, p.issuer())
	a.sessions = &sessions{keys: keysOf("one")}
	token, digest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	_, otherDigest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	claims := claimsFor(p.url, clock, map[string]any{"exp": clock.now().Add(time.Hour).Unix()})
	subject, _ := claims["sub"].(string)
	session := sessionFor(t, a, tableOf(t, p.url, subject), key.token(t, claims)).Token
	byURI, byDNS, bySPIFFE := clients.issue(t, withURIs(t, "urn:example:billing")), clients.issue(t, withDNS("Billing.example")), clients.issue(t, withURIs(t, "spiffe://example.org/billing"))
	presented := func(pair tls.Certificate) Evidence {
		return Evidence{TLS: &tls.ConnectionState{PeerCertificates: []*x509.Certificate{pair.Leaf}, VerifiedChains: [][]*x509.Certificate{{pair.Leaf}}}}
	}
	numbered := func(name string, pair tls.Certificate) string { return name + "#" + pair.Leaf.SerialNumber.Text(16) }
	for name, s := range map[string]standing{
		"token":               {bearerOf(token), digest[:12], Credential{TokenSHA256: digest}, Credential{TokenSHA256: otherDigest}, 0},
		"token that expires":  {bearerOf(token), digest[:12], Credential{TokenSHA256: digest, Expires: clock.now().Add(time.Minute)}, Credential{TokenSHA256: otherDigest}, time.Minute},
		"JWT":                 {bearerOf(key.token(t, claims)), p.url + "#" + subject, Credential{JWT: &JWTSubject{p.url, subject}}, Credential{JWT: &JWTSubject{p.url, "another"}}, time.Hour + skew},
		"session":             {bearerOf(session), p.url + "#" + subject, Credential{JWT: &JWTSubject{p.url, subject}}, Credential{JWT: &JWTSubject{p.url, "another"}}, time.Hour},
		"URI of certificate":  {presented(byURI), numbered("urn:example:billing", byURI), Credential{URISAN: "urn:example:billing"}, Credential{URISAN: "urn:example:other"}, byURI.Leaf.NotAfter.Sub(clock.now()) + time.Nanosecond},
		"name of certificate": {presented(byDNS), numbered("billing.example", byDNS), Credential{DNSSAN: "billing.EXAMPLE"}, Credential{DNSSAN: "other.example"}, byDNS.Leaf.NotAfter.Sub(clock.now()) + time.Nanosecond},
		"SPIFFE ID":           {presented(bySPIFFE), numbered("spiffe://example.org/billing", bySPIFFE), Credential{SPIFFEID: "spiffe://example.org/billing"}, Credential{SPIFFEID: "spiffe://example.org/other"}, bySPIFFE.Leaf.NotAfter.Sub(clock.now()) + time.Nanosecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.check(t, a, clock.now(), p.url)
		})
	}
}

func (s standing) check(t *testing.T, a *Authenticator, now time.Time, issuer string) {
	t.Helper()
	table := func(callers ...Caller) *Table { return newTable(t, []string{issuer}, callers...) }
	at := &Authenticator{issuers: a.issuers, sessions: a.sessions, now: func() time.Time { return now }}
	identity, err := at.Authenticate(t.Context(), table(Caller{"mine", []Credential{s.own}}), s.evidence)
	if err != nil {
		t.Fatal(err)
	}
	if identity.CredentialID != s.id {
		t.Errorf("the credential is called %q, want %q", identity.CredentialID, s.id)
	}
	if s.lasts == 0 != identity.Expires.IsZero() || s.lasts > 0 && !identity.Expires.Equal(now.Add(s.lasts)) {
		t.Errorf("expires %s, want %s from %s", identity.Expires, s.lasts, now)
	}
	for when, policy := range map[string]*Table{
		"in a policy that is read again": table(Caller{"mine", []Credential{s.own}}),
		"beside another credential":      table(Caller{"before", nil}, Caller{"mine", []Credential{s.other, s.own}}),
	} {
		if err := at.Stands(policy, identity); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	for when, policy := range map[string]*Table{
		"without any policy":     nil,
		"taken out":              table(Caller{"mine", nil}),
		"replaced":               table(Caller{"mine", []Credential{s.other}}),
		"without its caller":     table(Caller{"other", []Credential{s.other}}),
		"given to another":       table(Caller{"other", []Credential{s.own}}, Caller{"mine", []Credential{s.other}}),
		"given to another alone": table(Caller{"other", []Credential{s.own}}),
	} {
		wantWithdrawn(t, when, at.Stands(policy, identity))
	}
	wantWithdrawn(t, "an identity that nobody authenticated", at.Stands(table(Caller{"mine", []Credential{s.own}}), Identity{Caller: "mine"}))
	if s.lasts == 0 {
		return
	}
	policy := table(Caller{"mine", []Credential{s.own}})
	at.now = func() time.Time { return identity.Expires.Add(-time.Nanosecond) }
	if err := at.Stands(policy, identity); err != nil {
		t.Errorf("just before its end: %v", err)
	}
	at.now = func() time.Time { return identity.Expires }
	wantWithdrawn(t, "at its end", at.Stands(policy, identity))
}

func wantWithdrawn(t *testing.T, when string, err error) {
	t.Helper()
	if refusal, ok := errors.AsType[*Error](err); !ok || refusal.Reason != ReasonWithdrawn {
		t.Errorf("%s: %v", when, err)
	}
}
