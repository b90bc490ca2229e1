package service_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/admin-gateway/admin-gateway/internal/admissiontest"
	"github.com/admin-gateway/admin-gateway/internal/gatewaytest"
	"github.com/admin-gateway/admin-gateway/service"
	"github.com/admin-gateway/admin-gateway/service/authn"
)

// jwtIssuer makes JWTs of admissiontest.Issuer.
type jwtIssuer struct {
	signer jose.Signer
	keys   string // the URL of its keys
}

func newJWTIssuer(t *testing.T) *jwtIssuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	t.Cleanup(server.Close)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &jwtIssuer{signer, server.URL}
}

// token makes a JWT for a subject.
func (i *jwtIssuer) token(t *testing.T, subject string, life time.Duration) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"iss": admissiontest.Issuer, "sub": subject, "aud": "admin-gateway", "exp": time.Now().Add(life).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := i.signer.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// trusted is the gateway that accepts them, and exchanges them for sessions.
func (i *jwtIssuer) trusted(t *testing.T) gatewaytest.Option {
	t.Helper()
	authenticator, err := authn.New(authn.Config{
		Issuers:     []authn.Issuer{{URL: admissiontest.Issuer, Audiences: []string{"admin-gateway"}, JWKSURL: i.keys}},
		SessionKeys: func(context.Context) ([][]byte, error) { return [][]byte{[]byte("all replicas have this key")}, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(authenticator.Close)
	return gatewaytest.WithOptions(func(o *service.Options) { o.Authenticator, o.Sessions = authenticator, authenticator })
}
