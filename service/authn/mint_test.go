package authn

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"testing"
	"time"
)

// authority issues certificates.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	above       [][]byte // intermediates up to, and without, the root
}

// newAuthority makes a root with a name. Two roots may have the same name.
func newAuthority(tb testing.TB, name string, edits ...func(*x509.Certificate)) *authority {
	tb.Helper()
	template := authorityTemplate(tb, name, edits)
	key := newKey(tb)
	return &authority{certificate: sign(tb, template, template, key, key), key: key}
}

// intermediate makes an authority below a.
func (a *authority) intermediate(tb testing.TB, name string, edits ...func(*x509.Certificate)) *authority {
	tb.Helper()
	key := newKey(tb)
	certificate := sign(tb, authorityTemplate(tb, name, edits), a.certificate, key, a.key)
	return &authority{certificate: certificate, key: key, above: append([][]byte{certificate.Raw}, a.above...)}
}

// issue makes a certificate for clients and servers, valid for an hour.
func (a *authority) issue(tb testing.TB, edits ...func(*x509.Certificate)) tls.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber: serial(tb),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	for _, edit := range edits {
		edit(template)
	}
	key := newKey(tb)
	leaf := sign(tb, template, a.certificate, key, a.key)
	return tls.Certificate{Certificate: append([][]byte{leaf.Raw}, a.above...), PrivateKey: key, Leaf: leaf}
}

// server makes a certificate for a server on loopback.
func (a *authority) server(tb testing.TB) tls.Certificate {
	tb.Helper()
	return a.issue(tb, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.certificate)
	return pool
}

func (a *authority) pem() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})
}

func authorityTemplate(tb testing.TB, name string, edits []func(*x509.Certificate)) *x509.Certificate {
	tb.Helper()
	template := &x509.Certificate{
		SerialNumber:          serial(tb),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	for _, edit := range edits {
		edit(template)
	}
	return template
}

func sign(tb testing.TB, template, parent *x509.Certificate, key, parentKey *ecdsa.PrivateKey) *x509.Certificate {
	tb.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		tb.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	return certificate
}

func newKey(tb testing.TB) *ecdsa.PrivateKey {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func serial(tb testing.TB) *big.Int {
	tb.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

func withURIs(tb testing.TB, uris ...string) func(*x509.Certificate) {
	tb.Helper()
	var parsed []*url.URL
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil {
			tb.Fatal(err)
		}
		parsed = append(parsed, u)
	}
	return func(c *x509.Certificate) { c.URIs = parsed }
}

func withDNS(names ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.DNSNames = names }
}

func validFor(from, to time.Duration) func(*x509.Certificate) {
	return func(c *x509.Certificate) { c.NotBefore, c.NotAfter = time.Now().Add(from), time.Now().Add(to) }
}

func chainPEM(c tls.Certificate) []byte {
	var text []byte
	for _, der := range c.Certificate {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return text
}

func keyPEM(tb testing.TB, c tls.Certificate) []byte {
	tb.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		tb.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// serveTLS runs an HTTP server that answers who its caller is at now: "name
// method", or the reason of the refusal.
func serveTLS(t *testing.T, config *tls.Config, table *Table, now func() time.Time) string {
	t.Helper()
	handler := func(w http.ResponseWriter, r *http.Request) {
		identity, err := table.certificateAt(r.TLS, now())
		if err == nil {
			_, _ = io.WriteString(w, identity.Caller+" "+identity.Method)
			return
		}
		if refusal, ok := err.(*Error); ok { //nolint:errorlint // Nothing may be wrapped around it.
			_, _ = io.WriteString(w, string(refusal.Reason))
		}
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(handler),
		TLSConfig:         config.Clone(), // A server adds to it.
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.ServeTLS(listener, "", "")
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return "https://" + listener.Addr().String()
}

// answer is the answer of a server, and its connection.
type answer struct {
	text   string
	state  tls.ConnectionState
	proto  string
	reused bool
}

// newClient returns a client without connections. It verifies the server by
// roots, and sends certificate if it is not nil, whatever the server asks for.
func newClient(t *testing.T, roots *x509.CertPool, certificate *tls.Certificate, edits ...func(*tls.Config)) *http.Client {
	t.Helper()
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate, nil }
	}
	for _, edit := range edits {
		edit(config)
	}
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: time.Minute}
}

// ask makes one call.
func ask(t *testing.T, client *http.Client, url string) (answer, error) {
	t.Helper()
	var a answer
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { a.reused = info.Reused }}
	request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return answer{}, err
	}
	a.text, a.state, a.proto = string(text), *response.TLS, response.Proto
	return a, nil
}

// handshakeFailed is the result of [askOnce] when the connection was refused.
const handshakeFailed = "handshake failed"

// askOnce makes one call over a connection of its own.
func askOnce(t *testing.T, roots *x509.CertPool, certificate *tls.Certificate, url string, edits ...func(*tls.Config)) string {
	t.Helper()
	client := newClient(t, roots, certificate, edits...)
	defer client.CloseIdleConnections()
	a, err := ask(t, client, url)
	if err != nil {
		t.Log(err)
		return handshakeFailed
	}
	return a.text
}
