package client

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

// Gateway is a connection to a gateway. It is safe for concurrent use.
type Gateway struct {
	address    string
	credential Credential
	options    options
	userAgent  string
	client     *connect.Client
	conns      *conns
	// closed ends with Close, and every call with it.
	closed context.Context
	end    context.CancelFunc
}

// Connect prepares the connection to the gateway at an address: https://host[:port], or
// http:// on a loopback address. It connects with the first call. A nil credential sends
// no token: a [Certificate] may be enough. An error is a [*ConfigError].
func Connect(address string, credential Credential, opts ...Option) (*Gateway, error) {
	o := options{deadline: DefaultDeadline, attempts: DefaultAttempts, keys: true, protocol: []connecthttp.Option{connecthttp.WithGRPC()}}
	for _, opt := range opts {
		opt(&o)
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	base, err := o.parse(address)
	if err != nil {
		return nil, err
	}
	if credential == nil {
		credential = noToken{}
	}
	if err := credential.check(); err != nil {
		return nil, err
	}
	config, err := o.tls(base.Scheme)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		address: base.String(), credential: credential, options: o, conns: &conns{open: map[*conn]struct{}{}},
		userAgent: strings.TrimSpace(o.userAgent + " admin-gateway-go/" + Version()),
	}
	g.closed, g.end = context.WithCancel(context.Background())
	transport := connecthttp.NewTransport(g.http(config), g.address, append(o.protocol, connecthttp.WithReadMaxBytes(MaxMessage))...)
	g.client = connect.NewClient(transport, append(o.interceptors, g.intercept)...)
	return g, nil
}

// Client is what the constructors of generated clients take.
func (g *Gateway) Client() *connect.Client { return g.client }

// Close ends the calls that are under way, with the kind [Canceled], and the connections.
func (g *Gateway) Close() error {
	g.end()
	g.conns.close()
	return nil
}

// String is the address.
func (g *Gateway) String() string { return g.address }

// GoString is String: the verb %#v prints no secret.
func (g *Gateway) GoString() string { return g.address }

// parse checks an address.
func (o *options) parse(address string) (*url.URL, error) {
	refuse := func(problem string) (*url.URL, error) {
		return nil, &ConfigError{Argument: "address", Problem: problem}
	}
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return refuse("must be https://host[:port], or http:// on a loopback address")
	case u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return refuse("must have a host and a port, and nothing else")
	case u.Scheme == "http" && !o.plaintext && !loopback(u.Hostname()):
		return refuse("would send the credential in clear text; Plaintext allows it")
	case u.Scheme == "http" && o.cert != "":
		return refuse("must be https:// for a client certificate")
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// loopback says whether a host is this machine.
func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

// tls is the configuration for a scheme.
func (o *options) tls(scheme string) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.ca != "" {
		pem := []byte(o.ca)
		if !strings.Contains(o.ca, "-----BEGIN") {
			var err error
			if pem, err = os.ReadFile(o.ca); err != nil {
				return nil, &ConfigError{Argument: "ca", Problem: "cannot be read", Err: err}
			}
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &ConfigError{Argument: "ca", Problem: "has no certificate in PEM"}
		}
	}
	if o.cert == "" || scheme != "https" {
		return config, nil
	}
	if _, err := os.ReadFile(o.key); err != nil {
		return nil, &ConfigError{Argument: "key", Problem: "cannot be read", Err: withoutPath(err)}
	}
	if _, err := tls.LoadX509KeyPair(o.cert, o.key); err != nil {
		return nil, &ConfigError{Argument: "cert", Problem: "and key are not a pair in PEM", Err: err}
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		return &pair, err
	}
	return config, nil
}

// http is the HTTP client of the connection.
func (g *Gateway) http(config *tls.Config) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	if g.options.protocol == nil { // Connect needs no HTTP/2.
		protocols.SetHTTP1(true)
		protocols.SetUnencryptedHTTP2(false)
	}
	return &http.Client{
		// A redirect would take the credential elsewhere; no gateway sends one.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            g.conns.dial((&net.Dialer{Timeout: dialTime}).DialContext),
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    dialTime,
			Protocols:              protocols,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: keepAlive, PingTimeout: probeTime},
			MaxResponseHeaderBytes: MaxMetadata,
			IdleConnTimeout:        10 * time.Minute,
		},
	}
}

// Version is the version of this module in the program, without the v; devel where the
// build does not know it.
func Version() string {
	const module = "github.com/admin-gateway/admin-gateway"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, dep := range append(info.Deps, &info.Main) {
		if dep.Path == module && strings.HasPrefix(dep.Version, "v") && dep.Replace == nil {
			return dep.Version[1:]
		}
	}
	return "devel"
}
