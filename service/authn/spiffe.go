package authn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
)

const (
	// firstSVID is how long to wait for the first answer of a workload API.
	firstSVID = 10 * time.Second
	// watchAgain is the pause after a watch that ended for good.
	watchAgain = time.Second
)

// NewSPIFFE returns the configuration of a server that is a workload of SPIFFE:
// TLS 1.2 or later, HTTP/2 and HTTP/1.1. The workload API at socket, a URI such
// as unix:///run/spire/agent.sock, gives the server its X.509 SVID, and the
// bundles against which the SVIDs of clients are verified. An update applies to
// new connections.
//
// Clients are accepted from trustDomains alone, such as "example.org"; none means
// the server's own. Each authority is trusted for its own domain only. A client
// may send no certificate, because a bearer token may stand in for it; one that
// is sent has to be an SVID that verifies, or the handshake fails. Sessions are
// not resumed, and the configuration is for one http.Server, as for [NewTLS].
//
// It waits up to 10 seconds for the first SVID, or until ctx ends. Errors name
// the socket. The io.Closer ends the watching, and waits until it has ended; the
// configuration keeps its last state. It also does while the workload API is
// unavailable, until the SVIDs expire. logger gets one line for each new
// failure; nil discards.
func NewSPIFFE(ctx context.Context, socket string, trustDomains []string, logger *slog.Logger) (*tls.Config, io.Closer, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	source, err := newSVIDSource(ctx, socket, trustDomains, logger)
	if err != nil {
		return nil, nil, fmt.Errorf("SPIFFE workload API at %s: %w", socket, err)
	}
	return followConfig(func(*tls.ClientHelloInfo) *tls.Config { return source.current.Load() }), source, nil
}

// svidSource follows the workload API. It is the watcher of one client, which
// calls its methods from the one goroutine that watches.
type svidSource struct {
	domains []spiffeid.TrustDomain // empty: the workload's own
	logger  *slog.Logger

	current atomic.Pointer[tls.Config] // nil before the first SVID
	first   chan struct{}              // closed when current is first set
	trouble atomic.Pointer[error]      // what was logged last; nil: none since the last update

	ctx    context.Context // of the watching
	cancel context.CancelFunc
	ended  chan struct{} // closed when the watching has
	client *workloadapi.Client
	closed func() error
}

// CheckSPIFFE reports what of the parameters of [NewSPIFFE] can never be. It connects to
// nothing.
func CheckSPIFFE(socket string, trustDomains []string) error {
	_, err := parseSPIFFE(socket, trustDomains)
	return err
}

func parseSPIFFE(socket string, trustDomains []string) ([]spiffeid.TrustDomain, error) {
	if !strings.HasPrefix(socket, "unix:") {
		return nil, errors.New("it is not a unix: URI")
	}
	if err := workloadapi.ValidateAddress(socket); err != nil {
		return nil, err
	}
	var domains []spiffeid.TrustDomain
	for _, name := range trustDomains {
		domain, err := spiffeid.TrustDomainFromString(name)
		if err != nil {
			return nil, fmt.Errorf("trust domain %q: %w", name, err)
		}
		domains = append(domains, domain)
	}
	return domains, nil
}

func newSVIDSource(ctx context.Context, socket string, trustDomains []string, logger *slog.Logger) (*svidSource, error) {
	domains, err := parseSPIFFE(socket, trustDomains)
	if err != nil {
		return nil, err
	}
	s := &svidSource{domains: domains, logger: logger, first: make(chan struct{}), ended: make(chan struct{})}
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(socket))
	if err != nil {
		return nil, err
	}
	s.client = client
	s.closed = sync.OnceValue(func() error {
		s.cancel()
		<-s.ended
		return s.client.Close()
	})
	// The watching goes on after the start; Close ends it.
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go s.watch()

	ctx, cancel := context.WithTimeout(ctx, firstSVID)
	defer cancel()
	select {
	case <-s.first:
		return s, nil
	case <-ctx.Done():
		err := fmt.Errorf("no SVID: %w", ctx.Err())
		if trouble := s.trouble.Load(); trouble != nil {
			err = fmt.Errorf("%w: %w", err, *trouble)
		}
		return nil, errors.Join(err, s.Close())
	}
}

// Close ends the watching, and waits until it has ended.
func (s *svidSource) Close() error { return s.closed() }

// watch watches until Close. The library tries again after most errors, and
// gives up after some that an agent may well give while it restarts.
func (s *svidSource) watch() {
	defer close(s.ended)
	for {
		_ = s.client.WatchX509Context(s.ctx, s) // OnX509ContextWatchError has logged the error.
		timer := time.NewTimer(watchAgain)
		select {
		case <-timer.C:
		case <-s.ctx.Done():
			timer.Stop()
			return
		}
	}
}

// OnX509ContextUpdate makes a configuration of an update from the workload
// API.
func (s *svidSource) OnX509ContextUpdate(update *workloadapi.X509Context) {
	svid := update.DefaultSVID()
	domains := s.domains
	if len(domains) == 0 {
		domains = []spiffeid.TrustDomain{svid.ID.TrustDomain()}
	}
	believed := x509bundle.NewSet()
	var without []string
	for _, domain := range domains {
		if bundle, ok := update.Bundles.Get(domain); ok {
			believed.Add(bundle)
		} else {
			without = append(without, domain.Name())
		}
	}
	s.current.Store(spiffeConfig(svid, believed))
	s.trouble.Store(nil)
	s.logger.InfoContext(s.ctx, "the SPIFFE workload API gave an SVID",
		slog.String("spiffe_id", svid.ID.String()), slog.Time("expires", svid.Certificates[0].NotAfter))
	if len(without) > 0 {
		s.logger.WarnContext(s.ctx, "the SPIFFE workload API gave no bundle for some trust domains; their clients are refused",
			slog.Any("trust_domains", without))
	}
	select {
	case <-s.first:
	default:
		close(s.first)
	}
}

// OnX509ContextWatchError logs an error of the workload API.
func (s *svidSource) OnX509ContextWatchError(err error) {
	if err == nil || s.ctx.Err() != nil {
		return
	}
	if last := s.trouble.Swap(&err); last == nil || (*last).Error() != err.Error() {
		s.logger.WarnContext(s.ctx, "the SPIFFE workload API cannot be used; its last answer stays in use",
			slog.String("error", err.Error()))
	}
}

// spiffeConfig is the configuration of one handshake. crypto/tls verifies a
// client certificate against all trusted authorities, and so fills
// VerifiedChains, on which [Table] relies. VerifyConnection then checks what
// crypto/tls cannot: that the certificate is an SVID, and that its own trust
// domain issued it.
func spiffeConfig(svid *x509svid.SVID, believed *x509bundle.Set) *tls.Config {
	roots := x509.NewCertPool()
	for _, bundle := range believed.Bundles() {
		for _, root := range bundle.X509Authorities() {
			roots.AddCert(root)
		}
	}
	pair := tls.Certificate{PrivateKey: svid.PrivateKey, Leaf: svid.Certificates[0]}
	for _, certificate := range svid.Certificates {
		pair.Certificate = append(pair.Certificate, slices.Clone(certificate.Raw))
	}
	config := serverConfig(pair, roots)
	config.VerifyConnection = func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return nil
		}
		_, _, err := x509svid.Verify(state.PeerCertificates, believed)
		return err
	}
	return config
}
