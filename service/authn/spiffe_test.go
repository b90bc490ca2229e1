package authn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spiffe/go-spiffe/v2/proto/spiffe/workload"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// workloadAPI is a workload API: what it gives, or the error that it answers
// with, can be changed, and its watchers are notified at once.
type workloadAPI struct {
	workload.UnimplementedSpiffeWorkloadAPIServer

	mu      sync.Mutex
	given   *workload.X509SVIDResponse
	refusal error
	changed chan struct{} // closed at the next change
	calls   chan struct{} // gets a value for each watch that begins
}

func (w *workloadAPI) set(given *workload.X509SVIDResponse, refusal error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.given, w.refusal = given, refusal
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *workloadAPI) FetchX509SVID(_ *workload.X509SVIDRequest, stream grpc.ServerStreamingServer[workload.X509SVIDResponse]) error {
	if md, _ := metadata.FromIncomingContext(stream.Context()); !slices.Equal(md.Get("workload.spiffe.io"), []string{"true"}) {
		return status.Error(codes.InvalidArgument, "security header missing")
	}
	select {
	case w.calls <- struct{}{}:
	default:
	}
	for {
		w.mu.Lock()
		given, refusal, changed := w.given, w.refusal, w.changed
		w.mu.Unlock()
		if refusal != nil {
			return refusal
		}
		if given != nil {
			if err := stream.Send(given); err != nil {
				return err
			}
		}
		select {
		case <-changed:
		case <-stream.Context().Done():
			return stream.Context().Err()
		}
	}
}

// newWorkloadAPI serves a workload API that gives nothing yet, and returns the
// URI of its socket.
func newWorkloadAPI(t *testing.T) (api *workloadAPI, socket string) {
	t.Helper()
	api = &workloadAPI{changed: make(chan struct{}), calls: make(chan struct{}, 64)}
	path := filepath.Join(t.TempDir(), "agent.sock")
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	workload.RegisterSpiffeWorkloadAPIServer(server, api)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	t.Cleanup(func() {
		server.Stop()
		<-done
	})
	return api, "unix://" + path
}

// gives is an answer with the SVID of the gateway, the bundle of its domain, and federated ones.
func gives(t *testing.T, svid tls.Certificate, bundle *authority, federated map[string]*authority) *workload.X509SVIDResponse {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(svid.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	answer := &workload.X509SVIDResponse{
		Svids: []*workload.X509SVID{{
			SpiffeId: gatewayID, X509Svid: slices.Concat(svid.Certificate...), X509SvidKey: key, Bundle: bundle.certificate.Raw,
		}},
		FederatedBundles: map[string][]byte{},
	}
	for domain, a := range federated {
		answer.FederatedBundles[domain] = a.certificate.Raw
	}
	return answer
}

// updates is a log that tells of each SVID that was given, and of each trouble.
type updates struct {
	slog.Handler
	seen, troubles chan struct{}
}

func newUpdates(t *testing.T) *updates {
	t.Helper()
	return &updates{Handler: slog.NewTextHandler(t.Output(), nil), seen: make(chan struct{}, 64), troubles: make(chan struct{}, 64)}
}

func (u *updates) Handle(ctx context.Context, record slog.Record) error {
	if record.Level == slog.LevelInfo {
		u.seen <- struct{}{}
	} else {
		u.troubles <- struct{}{}
	}
	return u.Handler.Handle(ctx, record)
}

// spiffeServer is a server whose TLS is that of a workload API.
type spiffeServer struct {
	api     *workloadAPI
	config  *tls.Config
	closer  io.Closer
	url     string
	updates *updates
}

const gatewayID = "spiffe://example.org/gateway"

func startSPIFFE(t *testing.T, first *workload.X509SVIDResponse, trustDomains ...string) *spiffeServer {
	t.Helper()
	api, socket := newWorkloadAPI(t)
	api.set(first, nil)
	s := &spiffeServer{api: api, updates: newUpdates(t)}
	ctx, cancel := context.WithCancel(t.Context())
	var err error
	s.config, s.closer, err = NewSPIFFE(ctx, socket, trustDomains, slog.New(s.updates))
	if err != nil {
		t.Fatal(err)
	}
	cancel() // It bounds the start alone.
	t.Cleanup(func() {
		if err := s.closer.Close(); err != nil {
			t.Error(err)
		}
	})
	<-s.updates.seen
	s.url = serveTLS(t, s.config, testTable(t), time.Now)
	return s
}

// gatewaySVID is that of the server, which a client that knows of no SPIFFE can
// verify as well.
func gatewaySVID(t *testing.T, a *authority) tls.Certificate {
	t.Helper()
	return a.issue(t, withURIs(t, gatewayID), func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)} })
}

func TestSPIFFEClients(t *testing.T) {
	t.Parallel()
	home, federated, unlisted := newAuthority(t, "home"), newAuthority(t, "federated"), newAuthority(t, "unlisted")
	below := home.intermediate(t, "intermediate")
	s := startSPIFFE(t,
		gives(t, gatewaySVID(t, below), home, map[string]*authority{
			"spiffe://federated.example": federated, "spiffe://unlisted.example": unlisted,
		}),
		"example.org", "federated.example", "missing.example")

	const federatedID, unlistedID = "spiffe://federated.example/f", "spiffe://unlisted.example/u"
	anAuthority := func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }
	signsCertificates := func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageCertSign }
	ofAnyUse := func(c *x509.Certificate) { c.ExtKeyUsage = nil }
	tests := []struct {
		name   string
		issuer *authority
		edits  []func(*x509.Certificate)
		want   string
	}{
		{"none", nil, nil, string(ReasonNoCredential)},
		{"of the domain", home, edits(withURIs(t, spiffeA)), "a spiffe_id"},
		{"by an intermediate", below, edits(withURIs(t, spiffeA)), "a spiffe_id"},
		{"for whatever use", home, edits(withURIs(t, spiffeA), ofAnyUse), "a spiffe_id"},
		{"of a federated domain", federated, edits(withURIs(t, federatedID)), "f spiffe_id"},
		{"unknown", home, edits(withURIs(t, "spiffe://example.org/c")), string(ReasonUnknownCertificate)},

		{"of a domain that is not listed", unlisted, edits(withURIs(t, unlistedID)), handshakeFailed},
		{"of the domain, by a federated authority", federated, edits(withURIs(t, spiffeA)), handshakeFailed},
		{"of a federated domain, by the authority of ours", home, edits(withURIs(t, federatedID)), handshakeFailed},
		{"of the domain, by an authority that is not listed", unlisted, edits(withURIs(t, spiffeA)), handshakeFailed},
		{"of a federated domain, with the DNS name of a caller", federated, edits(withURIs(t, "spiffe://federated.example/x"), withDNS("a.example.org")), string(ReasonUnknownCertificate)},
		{"no SVID, DNS name", federated, edits(withDNS("a.example.org")), handshakeFailed},
		{"no SVID, URI", home, edits(withURIs(t, uriA)), handshakeFailed},
		{"two URIs", home, edits(withURIs(t, spiffeA, uriA)), handshakeFailed},
		{"an authority", home, edits(withURIs(t, spiffeA), anAuthority, signsCertificates), handshakeFailed},
		{"that may sign certificates", home, edits(withURIs(t, spiffeA), signsCertificates), handshakeFailed},
		{"malformed", home, edits(withURIs(t, "spiffe://EXAMPLE.org/a")), handshakeFailed},
		{"expired", home, edits(withURIs(t, spiffeA), validFor(-2*time.Hour, -time.Hour)), handshakeFailed},
		{"not yet valid", home, edits(withURIs(t, spiffeA), validFor(time.Hour, 2*time.Hour)), handshakeFailed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var certificate *tls.Certificate
			if test.issuer != nil {
				issued := test.issuer.issue(t, test.edits...)
				certificate = &issued
			}
			if got := askOnce(t, home.pool(), certificate, s.url); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	t.Run("HTTP/2, and no resumption", func(t *testing.T) {
		t.Parallel()
		certificate := home.issue(t, withURIs(t, spiffeA))
		client := newClient(t, home.pool(), &certificate, func(c *tls.Config) { c.ClientSessionCache = tls.NewLRUClientSessionCache(8) })
		for range 2 {
			a, err := ask(t, client, s.url)
			if err != nil {
				t.Fatal(err)
			}
			if a.proto != "HTTP/2.0" || a.state.DidResume || a.reused {
				t.Errorf("%s, resumed: %t, reused: %t", a.proto, a.state.DidResume, a.reused)
			}
			client.CloseIdleConnections()
		}
	})
}

// Without a list, the server's own domain is believed, however many bundles come.
func TestSPIFFEOwnDomain(t *testing.T) {
	t.Parallel()
	home, federated := newAuthority(t, "home"), newAuthority(t, "federated")
	s := startSPIFFE(t, gives(t, gatewaySVID(t, home), home, map[string]*authority{"spiffe://federated.example": federated}))
	ours, theirs := home.issue(t, withURIs(t, spiffeA)), federated.issue(t, withURIs(t, "spiffe://federated.example/f"))
	if got := askOnce(t, home.pool(), &ours, s.url); got != "a spiffe_id" {
		t.Errorf("got %q", got)
	}
	if got := askOnce(t, home.pool(), &theirs, s.url); got != handshakeFailed {
		t.Errorf("got %q", got)
	}
}

func TestSPIFFERotation(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t, "before"), newAuthority(t, "after")
	first, second := gatewaySVID(t, before), gatewaySVID(t, after)
	a, b := before.issue(t, withURIs(t, spiffeA)), after.issue(t, withURIs(t, "spiffe://example.org/b"))
	s := startSPIFFE(t, gives(t, first, before, nil))

	open := newClient(t, before.pool(), &a) // Its connection stays open.
	if got, err := ask(t, open, s.url); err != nil || got.text != "a spiffe_id" {
		t.Fatalf("got %q, %v", got.text, err)
	}
	if got := askOnce(t, before.pool(), &b, s.url); got != handshakeFailed {
		t.Errorf("got %q", got)
	}

	s.api.set(gives(t, second, after, nil), nil)
	<-s.updates.seen
	got, err := ask(t, newClient(t, after.pool(), &b), s.url)
	if err != nil {
		t.Fatal(err)
	}
	if got.text != "b spiffe_id" || !got.state.PeerCertificates[0].Equal(second.Leaf) {
		t.Errorf("got %q from a server with the certificate %s", got.text, got.state.PeerCertificates[0].SerialNumber)
	}
	if got := askOnce(t, after.pool(), &a, s.url); got != handshakeFailed {
		t.Errorf("got %q with an SVID of the authority that is gone", got)
	}
	if got, err := ask(t, open, s.url); err != nil || got.text != "a spiffe_id" || !got.reused {
		t.Errorf("the open connection: %q, reused: %t, %v", got.text, got.reused, err)
	}

	// Nonsense changes nothing, and neither does the end of the workload API.
	s.api.set(&workload.X509SVIDResponse{Svids: []*workload.X509SVID{{SpiffeId: gatewayID, X509Svid: []byte("x")}}}, nil)
	<-s.updates.troubles
	s.api.set(nil, status.Error(codes.Unavailable, "going down"))
	<-s.updates.troubles
	if got := askOnce(t, after.pool(), &b, s.url); got != "b spiffe_id" {
		t.Errorf("got %q", got)
	}
}

// The library takes some errors for final. An agent may give them while it
// restarts, and the next SVID is needed all the same.
func TestSPIFFEWatchGoesOn(t *testing.T) {
	t.Parallel()
	for _, code := range []codes.Code{codes.InvalidArgument, codes.Canceled} {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			home := newAuthority(t, "home")
			s := startSPIFFE(t, gives(t, gatewaySVID(t, home), home, nil))
			<-s.api.calls
			s.api.set(nil, status.Error(code, "not now"))
			<-s.api.calls // It has come again.
			next := gatewaySVID(t, home)
			s.api.set(gives(t, next, home, nil), nil)
			<-s.updates.seen
			got, err := ask(t, newClient(t, home.pool(), nil), s.url)
			if err != nil {
				t.Fatal(err)
			}
			if !got.state.PeerCertificates[0].Equal(next.Leaf) {
				t.Error("the server shows its old SVID")
			}
		})
	}
}

// After Close the watching has ended, and the server keeps its last state.
func TestSPIFFEClose(t *testing.T) {
	t.Parallel()
	home := newAuthority(t, "home")
	s := startSPIFFE(t, gives(t, gatewaySVID(t, home), home, nil))
	for range 2 {
		if err := s.closer.Close(); err != nil {
			t.Error(err)
		}
		select {
		case <-s.closer.(*svidSource).ended: //nolint:forcetypeassert // It is one.
		default:
			t.Error("somebody still watches")
		}
	}
	a := home.issue(t, withURIs(t, spiffeA))
	if got := askOnce(t, home.pool(), &a, s.url); got != "a spiffe_id" {
		t.Errorf("got %q", got)
	}
}

func TestSPIFFEUnreachable(t *testing.T) {
	t.Parallel()
	// The clock of a bubble stands still while something happens in it: that the
	// 10 seconds pass shows that nothing but they was waited for.
	synctest.Test(t, func(t *testing.T) {
		socket := "unix://" + filepath.Join(t.TempDir(), "no.sock")
		began := time.Now()
		config, closer, err := NewSPIFFE(t.Context(), socket, nil, nil)
		if config != nil || closer != nil || !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v, %v, %v", config, closer, err)
		}
		if waited := time.Since(began); waited < firstSVID || waited > 2*firstSVID {
			t.Errorf("it took %v", waited)
		}
		for _, part := range []string{socket, "no such file or directory"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("the error does not say %q: %v", part, err)
			}
		}
		t.Log(err)
	})
}

// A workload API that answers, and has nothing for this workload.
func TestSPIFFENotRegistered(t *testing.T) {
	t.Parallel()
	api, socket := newWorkloadAPI(t)
	api.set(nil, status.Error(codes.PermissionDenied, "no identity issued"))
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-api.calls
		<-api.calls // The answer to the first is known by now.
		cancel()
	}()
	_, _, err := NewSPIFFE(ctx, socket, nil, nil)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "no identity issued") || !strings.Contains(err.Error(), socket) {
		t.Errorf("got %v", err)
	}
}

func TestSPIFFEConfigurationErrors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		socket string
		domain string
		want   string
	}{
		"TCP":               {"tcp://127.0.0.1:8081", "example.org", "tcp://127.0.0.1:8081: it is not a unix: URI"},
		"no URI":            {"/run/agent.sock", "example.org", "/run/agent.sock: it is not a unix: URI"},
		"no path":           {"unix:", "example.org", "must include a path"},
		"abstract":          {"unix:@agent", "example.org", "must not be opaque"},
		"empty":             {"", "example.org", "it is not a unix: URI"},
		"bad trust domain":  {"unix:///run/agent.sock", "Example.org", `trust domain "Example.org"`},
		"none trust domain": {"unix:///run/agent.sock", "", `trust domain ""`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := NewSPIFFE(t.Context(), test.socket, []string{test.domain}, nil)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
