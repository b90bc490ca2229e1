package authn

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"testing"
	"time"
)

// TestCredentialID: two credentials of a caller can be told apart, and neither can be
// made of its id.
func TestCredentialID(t *testing.T) {
	t.Parallel()
	token, digest, err := NewToken()
	if err != nil {
		t.Fatal(err)
	}
	clock := newHandClock()
	key := newSigningKey(t, "k1")
	p := newProvider(t, key)
	clients := newAuthority(t, "clients")
	pair := clients.issue(t, withDNS("Billing.example"))
	clock.at = pair.Leaf.NotBefore.Add(time.Minute)
	state := &tls.ConnectionState{PeerCertificates: []*x509.Certificate{pair.Leaf}}
	state.VerifiedChains = append(state.VerifiedChains, state.PeerCertificates)
	a := newAuthenticator(t, clock, p.issuer())
	table := newTable(t, []string{p.url}, Caller{Name: testCaller, Credentials: []Credential{
		{TokenSHA256: digest}, {JWT: &JWTSubject{Issuer: p.url, Subject: testSubject}}, {DNSSAN: "billing.example"},
	}})
	fingerprint := sha256.Sum256(pair.Leaf.Raw)
	for want, evidence := range map[string]Evidence{
		digest[:12]:               bearerOf(token),
		p.url + "#" + testSubject: bearerOf(key.token(t, claimsFor(p.url, clock, nil))),
		"billing.example#" + hex.EncodeToString(fingerprint[:])[:12]: {TLS: state},
	} {
		if got, err := a.Authenticate(t.Context(), table, evidence); err != nil || got.CredentialID != want || got.Caller != testCaller {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
	}
}
