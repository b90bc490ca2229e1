package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/admin-gateway/admin-gateway/cmd/gateway/internal/config"
)

// demoTLSLife is how long the certificates of a demo are valid.
const demoTLSLife = 30 * 24 * time.Hour

// demoTLS is the authority of a demo over TLS. Its private key is not kept.
type demoTLS struct {
	// File has its certificate.
	file string
	pool *x509.CertPool
	conf config.TLS
}

// newDemoTLS writes the authority's certificate to public/ca.pem, for clients, and the
// server's with its key to private.
func newDemoTLS(public, private string) (*demoTLS, error) {
	if err := os.MkdirAll(public, 0o755); err != nil { //nolint:gosec // It has a certificate alone.
		return nil, err
	}
	now := time.Now()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "gateway demo"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(demoTLSLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	server := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
	signing, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	serving, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	root, err := x509.CreateCertificate(rand.Reader, authority, authority, signing.Public(), signing)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.CreateCertificate(rand.Reader, server, authority, serving.Public(), signing)
	if err != nil {
		return nil, err
	}
	key, err := x509.MarshalPKCS8PrivateKey(serving)
	if err != nil {
		return nil, err
	}
	d := &demoTLS{file: filepath.Join(public, "ca.pem"), pool: x509.NewCertPool()}
	d.conf = config.TLS{CertFile: filepath.Join(private, "server.pem"), KeyFile: filepath.Join(private, "server-key.pem")}
	if !d.pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root})) {
		return nil, errors.New("the certificate that was just made is not one")
	}
	return d, errors.Join(
		writePEM(d.file, "CERTIFICATE", root, 0o644),
		writePEM(d.conf.CertFile, "CERTIFICATE", leaf, 0o600),
		writePEM(d.conf.KeyFile, "PRIVATE KEY", key, 0o600),
	)
}

func writePEM(file, kind string, der []byte, mode os.FileMode) error {
	return os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode)
}

// client calls the gateway; d is nil where it has no TLS.
func (d *demoTLS) client() *http.Client {
	client := http2Client()
	if d == nil {
		return client
	}
	transport := client.Transport.(*http.Transport) //nolint:forcetypeassert // http2Client makes one.
	transport.Protocols.SetHTTP2(true)
	transport.TLSClientConfig = &tls.Config{RootCAs: d.pool, MinVersion: tls.VersionTLS12}
	return client
}

// hint is the line with which other programs trust the authority.
func (d *demoTLS) hint() string {
	if d == nil {
		return ""
	}
	return fmt.Sprintf("\n  export CURL_CA_BUNDLE=%[1]s SSL_CERT_FILE=%[1]s VAULT_CACERT=%[1]s\n", d.file)
}
