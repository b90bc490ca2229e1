package data

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// Certificate is uploaded once and activated for the organization, for
// projects, or for both.
type Certificate struct {
	ID        string
	Name      *string
	CreatedAt int64
	ValidAt   int64
	ExpiresAt int64
	Content   string // PEM
	Active    bool   // for the organization
}

// CertificateRef names a certificate in an audit event.
type CertificateRef struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Content string `json:"certificate,omitempty"`
}

// Ref names the certificate, without its content.
func (t *Certificate) Ref() CertificateRef {
	if t.Name == nil {
		return CertificateRef{ID: t.ID}
	}
	return CertificateRef{ID: t.ID, Name: *t.Name}
}

// SelfSigned returns a certificate in PEM. It depends on nothing but the
// arguments, because Ed25519 signs without randomness.
func SelfSigned(serial uint64, validAt, expiresAt int64) (string, error) {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, fmt.Sprint(serial))
	key := ed25519.NewKeyFromSeed(seed)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).Add(new(big.Int).SetUint64(serial), big.NewInt(1)),
		Subject:      pkix.Name{CommonName: "sandbox.example.com", Organization: []string{"Example Industries"}},
		NotBefore:    time.Unix(validAt, 0).UTC(), NotAfter: time.Unix(expiresAt, 0).UTC(),
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(nil, template, template, key.Public(), key)
	if err != nil {
		return "", fmt.Errorf("sign certificate: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
