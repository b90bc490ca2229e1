package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	issuerURL  = "https://kubernetes.example"
	podSubject = "system:serviceaccount:search:indexer"
)

// issuer makes JWTs like those of a Kubernetes cluster, and serves the keys for them.
type issuer struct {
	signer jose.Signer
	keys   []byte
}

func newIssuer() (*issuer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k1", Algorithm: "ES256", Use: "sig"}}})
	if err != nil {
		return nil, err
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k1"}}, nil)
	if err != nil {
		return nil, err
	}
	return &issuer{signer, keys}, nil
}

// ServeHTTP serves the keys.
func (i *issuer) ServeHTTP(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(i.keys) }

// token makes a JWT of an hour for a subject.
func (i *issuer) token(subject string) (string, error) {
	claims, err := json.Marshal(map[string]any{"iss": issuerURL, "sub": subject, "aud": "admin-gateway", "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		return "", err
	}
	signed, err := i.signer.Sign(claims)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}
