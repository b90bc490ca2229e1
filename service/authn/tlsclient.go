package authn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"time"
)

// ClientTLSFiles names the PEM files with which the gateway, as a client,
// verifies a server and identifies itself to it.
type ClientTLSFiles struct {
	// CAFile has the authorities that the server is verified against, in place of
	// the system's. Empty: the system's.
	CAFile string
	// CertFile has the certificate that is shown to the server if it asks for one,
	// followed by its intermediates. Empty, with KeyFile: none is.
	CertFile string
	// KeyFile has the private key of the certificate, not encrypted.
	KeyFile string
}

// NewClientTLS returns a function that returns the current configuration of a
// client with these files, TLS 1.2 or later; it is called for each new
// connection. The configuration is never nil, and must not be modified. The
// server's name is that of the connection, which tls.Dialer fills in.
//
// The files are read again as by [NewTLS]: at most once a second, when there is
// a new connection; the last good ones stay in use, and logger gets a line. Open
// connections keep the certificate that they began with. The certificate is sent
// whichever authorities the server announces, so that the server reports what it
// does not accept.
//
// Errors name the file. ctx is for the logger, and ends nothing.
func NewClientTLS(ctx context.Context, files ClientTLSFiles, logger *slog.Logger) (func(context.Context) *tls.Config, error) {
	return newClientTLS(ctx, files, logger, time.Now)
}

func newClientTLS(ctx context.Context, files ClientTLSFiles, logger *slog.Logger, now func() time.Time) (func(context.Context) *tls.Config, error) {
	s := &followedFiles{
		certFile: files.CertFile, keyFile: files.KeyFile, caFile: files.CAFile, withoutPair: true,
		pairName: "client certificate", rootsName: "server authorities", caName: "CA file",
		config: clientConfig, logger: logger, now: now,
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return s.configFor, nil
}

// clientConfig is the configuration of one connection. Nil roots are the
// system's; a pair without a certificate is none.
func clientConfig(pair tls.Certificate, roots *x509.CertPool) *tls.Config {
	config := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if len(pair.Certificate) > 0 {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	}
	return config
}
