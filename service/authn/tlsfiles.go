package authn

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxTLSFileBytes bounds each file; the bundle of a whole system is a quarter.
	maxTLSFileBytes = 1 << 20
	// recheckTLSFiles is how long read files are taken to be current.
	recheckTLSFiles = time.Second
)

// TLSFiles names the PEM files of a server that identifies itself by a
// certificate, and its clients by theirs.
type TLSFiles struct {
	// CertFile has the server's certificate, followed by its intermediates.
	CertFile string
	// KeyFile has the private key of the certificate, not encrypted.
	KeyFile string
	// ClientCAFile has the authorities of client certificates. Each of them is
	// trusted for every name: a SPIFFE ID of whatever trust domain, a URI, a DNS
	// name. Empty: no client certificate is requested.
	ClientCAFile string
}

// NewTLS returns the configuration of a server with the certificates in files:
// TLS 1.2 or later, HTTP/2 and HTTP/1.1.
//
// A client certificate may be left out, because a bearer token may stand in for
// it. One that is sent has to verify, or the handshake fails.
//
// The files are read again, at most once a second, when a client connects; links
// are followed, so that a mounted Kubernetes secret is. Certificate and key
// belong together and change together; the client authorities change
// independently. Where files are missing, half-written, or do not fit together,
// the last good ones stay in use, and logger gets one line for each new fault;
// nil discards. Removing the client CA file therefore removes no trust: put
// another in its place. A change applies to new connections. Those that are open
// go on until they close, or until their client certificate expires; to end a
// caller at once, remove it from the policy.
//
// Sessions are not resumed where client certificates are requested: a resumed
// session has the client's certificate from the ticket, from before the change.
// A full handshake costs little with clients that keep their connections.
//
// Errors name the file. ctx is for the logger, and ends nothing: no goroutine
// runs in the background. A file is at most 1 MiB. The configuration is for one
// http.Server, which adds to it; another needs a clone.
func NewTLS(ctx context.Context, files TLSFiles, logger *slog.Logger) (*tls.Config, error) {
	return newTLS(ctx, files, logger, time.Now)
}

func newTLS(ctx context.Context, files TLSFiles, logger *slog.Logger, now func() time.Time) (*tls.Config, error) {
	s := &followedFiles{
		certFile: files.CertFile, keyFile: files.KeyFile, caFile: files.ClientCAFile,
		pairName: "server certificate", rootsName: "client authorities", caName: "client CA file",
		config: serverConfig, logger: logger, now: now,
	}
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	return followConfig(s.configForHello), nil
}

// followConfig returns a configuration that only leads to the current one. It
// has no certificate: without the current one, no handshake succeeds.
func followConfig(current func(*tls.ClientHelloInfo) *tls.Config) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			if config := current(hello); config != nil {
				return config, nil
			}
			return nil, errors.New("authn: no TLS configuration") // Never the outer one.
		},
	}
}

// serverConfig is the configuration of one handshake. Nil roots request no
// client certificate; empty ones request one, and accept none.
func serverConfig(pair tls.Certificate, roots *x509.CertPool) *tls.Config {
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}
	if roots != nil {
		config.ClientAuth = tls.VerifyClientCertIfGiven
		config.ClientCAs = roots // Never nil here: crypto/tls would use the system's.
		config.SessionTicketsDisabled = true
	}
	return config
}

// followedFiles makes a configuration of PEM files, and another one when they
// change.
type followedFiles struct {
	certFile, keyFile string
	caFile            string // "" for the system's authorities
	// pairName, rootsName and caName are their names in errors and the log.
	pairName, rootsName, caName string
	// withoutPair allows that there is neither a certificate nor a key.
	withoutPair bool
	// config makes a configuration; roots are nil without a caFile.
	config func(pair tls.Certificate, roots *x509.CertPool) *tls.Config
	logger *slog.Logger // nil discards
	now    func() time.Time

	current atomic.Pointer[tls.Config]

	mu           sync.Mutex // guards what follows
	looked       time.Time
	pair         tls.Certificate
	roots        *x509.CertPool // nil without a caFile, and only then
	pairDigest   [sha256.Size]byte
	rootsDigest  [sha256.Size]byte
	pairTrouble  string // what was logged last
	rootsTrouble string
}

// start reads the files for the first time; every fault is an error.
func (s *followedFiles) start(ctx context.Context) error {
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	_, pairErr := s.loadPair()
	_, rootsErr := s.loadRoots()
	if err := errors.Join(pairErr, rootsErr); err != nil {
		return err
	}
	s.looked = s.now()
	s.current.Store(s.config(s.pair, s.roots))
	s.logger.DebugContext(ctx, "TLS files read", slog.String("cert_file", s.certFile))
	return nil
}

func (s *followedFiles) configForHello(hello *tls.ClientHelloInfo) *tls.Config {
	return s.configFor(hello.Context())
}

func (s *followedFiles) configFor(ctx context.Context) *tls.Config {
	s.refresh(ctx)
	return s.current.Load()
}

// refresh reads the files again if the last time is long enough ago. One
// handshake does so; the others use the last good files, so that a file system
// that hangs delays one of them and not all.
func (s *followedFiles) refresh(ctx context.Context) {
	if !s.mu.TryLock() {
		return
	}
	defer s.mu.Unlock()
	now := s.now()
	if now.Sub(s.looked) < recheckTLSFiles {
		return
	}
	s.looked = now
	pairChanged, err := s.loadPair()
	s.report(ctx, s.pairName, &s.pairTrouble, pairChanged, err)
	rootsChanged, err := s.loadRoots()
	s.report(ctx, s.rootsName, &s.rootsTrouble, rootsChanged, err)
	if pairChanged || rootsChanged {
		s.current.Store(s.config(s.pair, s.roots))
	}
}

func (s *followedFiles) report(ctx context.Context, what string, trouble *string, changed bool, err error) {
	switch {
	case err != nil:
		if text := err.Error(); text != *trouble {
			*trouble = text
			s.logger.WarnContext(ctx, "a TLS file cannot be used; the last good one stays in use",
				slog.String("what", what), slog.String("error", text))
		}
	case changed || *trouble != "":
		*trouble = ""
		s.logger.InfoContext(ctx, "TLS files are good, and in use", slog.String("what", what), slog.Bool("changed", changed))
	}
}

// loadPair reads certificate and key, and stores them when they have changed
// and belong together.
//
// The contents are compared, and not size, time and inode: a file that is written
// twice within the resolution of the clock has changed in none of the three, and
// reading some small files once a second costs less than a handshake.
func (s *followedFiles) loadPair() (changed bool, err error) {
	if s.withoutPair && s.certFile == "" && s.keyFile == "" {
		return false, nil
	}
	certPEM, err := readPEM("certificate file", s.certFile)
	if err != nil {
		return false, err
	}
	keyPEM, err := readPEM("key file", s.keyFile)
	if err != nil {
		return false, err
	}
	certDigest, keyDigest := sha256.Sum256(certPEM), sha256.Sum256(keyPEM)
	digest := sha256.Sum256(append(certDigest[:], keyDigest[:]...))
	if digest == s.pairDigest {
		return false, nil
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return false, fmt.Errorf("certificate file %s with key file %s: %w", s.certFile, s.keyFile, err)
	}
	s.pair, s.pairDigest = pair, digest
	return true, nil
}

// loadRoots reads the authorities, and stores them when they have changed.
func (s *followedFiles) loadRoots() (changed bool, err error) {
	what, path := s.caName, s.caFile
	if path == "" {
		return false, nil
	}
	text, err := readPEM(what, path)
	if err != nil {
		return false, err
	}
	digest := sha256.Sum256(text)
	if digest == s.rootsDigest {
		return false, nil
	}
	roots := x509.NewCertPool()
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			return false, fmt.Errorf("%s %s: it holds more than certificates", what, path)
		}
		root, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return false, fmt.Errorf("%s %s: %w", what, path, err)
		}
		roots.AddCert(root)
	}
	s.roots, s.rootsDigest = roots, digest
	return true, nil
}

// readPEM reads a file of whole PEM blocks, at least one. One that is being
// written may end within a block, which pem.Decode would skip silently.
func readPEM(what, path string) ([]byte, error) {
	if path == "" {
		return nil, fmt.Errorf("no %s is named", what)
	}
	text, err := readBounded(path)
	if err != nil {
		if at, ok := errors.AsType[*fs.PathError](err); ok {
			err = at.Err // It has the path already.
		}
		return nil, fmt.Errorf("%s %s: %w", what, path, err)
	}
	whole := 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		whole++
	}
	begun, ended := bytes.Count(text, []byte("-----BEGIN ")), bytes.Count(text, []byte("-----END "))
	switch {
	case begun == 0 && ended == 0:
		return nil, fmt.Errorf("%s %s: it holds no PEM", what, path)
	case whole != begun || whole != ended:
		return nil, fmt.Errorf("%s %s: %d PEM blocks begin, %d end, and %d are whole", what, path, begun, ended, whole)
	}
	return text, nil
}

func readBounded(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // Opening a pipe would wait for its writer.
		return nil, errors.New("it is not a regular file")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(file, maxTLSFileBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, err
	}
	if len(text) > maxTLSFileBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxTLSFileBytes)
	}
	return text, nil
}
