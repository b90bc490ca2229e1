package grpcdoor_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/admin-gateway/admin-gateway/service/grpcdoor"
)

// authority signs certificates.
type authority struct {
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// issue gives a certificate for both ends of a connection.
func (a *authority) issue(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// whose answers with the name in the client's verified certificate.
func whose(ctx context.Context, _ string) (string, error) {
	info, _ := connect.CallInfoForServerContext(ctx)
	door, ok := info.TransportInfo.(interface{ TLS() *tls.ConnectionState })
	if !ok || door.TLS() == nil {
		return "", connect.NewError(connect.CodeInternal, "no TLS")
	}
	if chains := door.TLS().VerifiedChains; len(chains) > 0 {
		return chains[0][0].DNSNames[0], nil
	}
	return "nobody's", nil
}

// TestCertificatesOfClients reach the pipeline as crypto/tls has verified them,
// and the configuration is asked again for every connection.
func TestCertificatesOfClients(t *testing.T) {
	t.Parallel()
	ours, foreign := newAuthority(t), newAuthority(t)
	gateway := ours.issue(t, "gateway.example")
	o := serve(t, serving(whose), grpcdoor.Options{TLS: &tls.Config{
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{Certificates: []tls.Certificate{gateway}, ClientCAs: ours.pool, ClientAuth: tls.VerifyClientCertIfGiven}, nil
		},
	}})
	for name, test := range map[string]struct {
		certificates []tls.Certificate
		version      uint16 // at most; 0: any
		want         string
		code         codes.Code
	}{
		"ours":    {certificates: []tls.Certificate{ours.issue(t, "caller.example")}, want: "caller.example"},
		"none":    {want: "nobody's"},
		"TLS 1.2": {certificates: []tls.Certificate{ours.issue(t, "caller.example")}, version: tls.VersionTLS12, want: "caller.example"},
		"TLS 1.1": {version: tls.VersionTLS11, code: codes.Unavailable},
		"foreign": {certificates: []tls.Certificate{foreign.issue(t, "caller.example")}, code: codes.Unavailable},
	} {
		config := &tls.Config{RootCAs: ours.pool, Certificates: test.certificates, MinVersion: tls.VersionTLS10, MaxVersion: test.version}
		got, err := invoke(t, dial(t, o.address, grpc.WithTransportCredentials(credentials.NewTLS(config))), "")
		if got != test.want || status.Code(err) != test.code {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := invoke(t, dial(t, o.address), ""); status.Code(err) != codes.Unavailable {
		t.Errorf("without TLS: %v", err)
	}
}
