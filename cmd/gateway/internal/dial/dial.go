// Package dial makes the client of commands that call a gateway: its address, the
// caller's token, TLS. All such commands have its flags, and the same variables.
//
// It imports connect and the standard library.
package dial

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
)

const (
	// TokenVariable is the environment variable with the caller's token. A program that a
	// command runs does not get it.
	TokenVariable = "GATEWAY_TOKEN"
	// OlderTokenVariable is that of earlier versions, and is read where the other is not set.
	OlderTokenVariable = "ADMIN_GATEWAY_TOKEN"
	// maxToken bounds a token: no credential of a gateway is longer.
	maxToken = 64 << 10

	dialTimeout, handshakeTimeout, idleTimeout = 5 * time.Second, 10 * time.Second, 90 * time.Second
	// Of HTTP/2: how long a connection may be silent before it is asked, and how long
	// it may not answer.
	pingAfter, pingTimeout = 15 * time.Second, 15 * time.Second
)

var errNoToken = errors.New("give a token, with --token-file or the variable " + TokenVariable + ", or a certificate")

// Flags say which gateway to call, and as whom. The token is never a flag: other users of
// a machine see the arguments of its processes.
type Flags struct {
	Address   string `default:"http://127.0.0.1:8080" env:"GATEWAY_ADDRESS,ADMIN_GATEWAY_ADDRESS" placeholder:"URL" group:"Gateway" help:"Address of the gateway."`
	GRPC      bool   `name:"grpc" env:"ADMIN_GATEWAY_GRPC" group:"Gateway" help:"Speak gRPC, as a listener for gRPC alone needs it, and not Connect."`
	TokenFile string `env:"GATEWAY_TOKEN_FILE,ADMIN_GATEWAY_TOKEN_FILE" placeholder:"FILE" group:"Gateway" help:"File with the caller's token, read again for each call; without it, the variable GATEWAY_TOKEN has the token."`
	CAFile    string `name:"tls-ca-file" env:"ADMIN_GATEWAY_TLS_CA_FILE" placeholder:"FILE" group:"Gateway" help:"Certificates of the authorities that the gateway's certificate may be from, in PEM; without it, those of the system."`
	CertFile  string `name:"tls-cert-file" env:"ADMIN_GATEWAY_TLS_CERT_FILE" placeholder:"FILE" group:"Gateway" help:"The caller's certificate, in PEM, read again for each connection."`
	KeyFile   string `name:"tls-key-file" env:"ADMIN_GATEWAY_TLS_KEY_FILE" placeholder:"FILE" group:"Gateway" help:"The key of that certificate, in PEM."`
}

// Client makes the client. Close its connections with the function that it returns.
func (f Flags) Client() (*connect.Client, func(), error) {
	address, err := url.Parse(f.Address)
	switch {
	case err != nil, address.Host == "", address.Scheme != "http" && address.Scheme != "https",
		address.User != nil, address.RawQuery != "", address.Fragment != "":
		return nil, nil, errors.New("flag --address: give a URL such as https://gateway.example:8080")
	case (f.CertFile == "") != (f.KeyFile == ""):
		return nil, nil, errors.New("flags --tls-cert-file and --tls-key-file: give both or neither")
	case address.Scheme == "http" && f.CAFile+f.CertFile != "":
		return nil, nil, errors.New("flag --address: TLS needs an address that begins with https://")
	}
	bearer, err := f.bearer()
	if err != nil {
		return nil, nil, err
	}
	config, err := f.tls()
	if err != nil {
		return nil, nil, err
	}
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:     config,
		TLSHandshakeTimeout: handshakeTimeout,
		IdleConnTimeout:     idleTimeout,
		Protocols:           f.protocols(address.Scheme),
		HTTP2:               &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
	client := &http.Client{
		Transport: transport,
		// A redirect would take the token to somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var options []connecthttp.Option
	if f.GRPC {
		options = append(options, connecthttp.WithGRPC())
	}
	return connect.NewClient(connecthttp.NewTransport(client, strings.TrimSuffix(f.Address, "/"), options...), bearer), transport.CloseIdleConnections, nil
}

// protocols are those of HTTP that fit the address: gRPC needs the second version.
func (f Flags) protocols(scheme string) *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(!f.GRPC)
	p.SetHTTP2(scheme == "https")
	p.SetUnencryptedHTTP2(scheme == "http" && f.GRPC)
	return p
}

func (f Flags) tls() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CAFile != "" {
		pem, err := os.ReadFile(f.CAFile)
		if err != nil {
			return nil, fmt.Errorf("flag --tls-ca-file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("flag --tls-ca-file: there is no certificate in it")
		}
	}
	if f.CertFile == "" {
		return config, nil
	}
	load := func() (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(f.CertFile, f.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("flags --tls-cert-file and --tls-key-file: %w", err)
		}
		return &pair, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return config, nil
}

// bearer sends the token with each call. Without any, a certificate says who calls.
func (f Flags) bearer() (connect.ClientInterceptor, error) {
	token, err := f.token()
	switch {
	case err != nil:
		return nil, err
	case token == "" && f.CertFile == "":
		return nil, errNoToken
	}
	return func(next connect.ClientFunc) connect.ClientFunc {
		return func(ctx context.Context, spec connect.Spec) (connect.ClientStream, error) {
			token, err := f.token()
			if err != nil { // As it is while the file is being replaced: it passes.
				return nil, connect.NewError(connect.CodeUnavailable, err.Error())
			}
			if info, ok := connect.CallInfoForClientContext(ctx); ok && token != "" {
				info.RequestHeader().Set("Authorization", "Bearer "+token)
			}
			return next(ctx, spec)
		}
	}, nil
}

// token is the one to send now.
func (f Flags) token() (string, error) {
	text := cmp.Or(os.Getenv(TokenVariable), os.Getenv(OlderTokenVariable))
	if f.TokenFile != "" {
		file, err := os.Open(f.TokenFile)
		if err != nil {
			return "", fmt.Errorf("flag --token-file: %w", err)
		}
		defer func() { _ = file.Close() }()
		content, err := io.ReadAll(io.LimitReader(file, maxToken+1))
		if err != nil {
			return "", fmt.Errorf("flag --token-file: %w", err)
		}
		if text = string(content); strings.TrimSpace(text) == "" {
			return "", errors.New("flag --token-file: the file is empty")
		}
	}
	text = strings.TrimSpace(text)
	if len(text) > maxToken || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errors.New("the token is not one: it is too long, or has characters that none has")
	}
	return text, nil
}
