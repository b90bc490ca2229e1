package authn

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	spiffeA = "spiffe://example.org/a"
	uriA    = "https://example.org/callers/a"
)

func testTable(tb testing.TB) *Table {
	tb.Helper()
	table, err := NewTable([]Caller{
		{Name: "a", Credentials: []Credential{{SPIFFEID: spiffeA}, {URISAN: uriA}, {DNSSAN: "A.example.org"}}},
		{Name: "b", Credentials: []Credential{
			{SPIFFEID: "spiffe://example.org/b"}, {URISAN: "https://example.org/callers/b"}, {DNSSAN: "b.example.org"},
		}},
		{Name: "f", Credentials: []Credential{{SPIFFEID: "spiffe://federated.example/f"}}},
	}, nil)
	if err != nil {
		tb.Fatal(err)
	}
	return table
}

func TestClientCertificates(t *testing.T) {
	t.Parallel()
	root, foreign := newAuthority(t, "root"), newAuthority(t, "root")
	expiredRoot := newAuthority(t, "old root", validFor(-2*time.Hour, -time.Hour))
	below := root.intermediate(t, "intermediate")
	expiredIntermediate := root.intermediate(t, "old intermediate", validFor(-2*time.Hour, -time.Hour))

	files := writeTLSFiles(t, root.server(t), append(root.pem(), expiredRoot.pem()...))
	config, err := NewTLS(t.Context(), files, nil)
	if err != nil {
		t.Fatal(err)
	}
	url := serveTLS(t, config, testTable(t), time.Now)

	serverOnly := func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }
	commonName := func(c *x509.Certificate) { c.Subject = pkix.Name{CommonName: "a.example.org"} }
	otherNames := func(c *x509.Certificate) {
		c.EmailAddresses, c.IPAddresses = []string{"a@example.org"}, []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	unknown, ambiguous := string(ReasonUnknownCertificate), string(ReasonAmbiguous)
	tests := []struct {
		name   string
		issuer *authority // nil: no certificate is sent
		edits  []func(*x509.Certificate)
		want   string
	}{
		{"none", nil, nil, string(ReasonNoCredential)},

		{"SPIFFE ID", root, edits(withURIs(t, spiffeA)), "a spiffe_id"},
		{"URI", root, edits(withURIs(t, uriA)), "a uri_san"},
		{"DNS", root, edits(withDNS("a.example.org")), "a dns_san"},
		{"DNS in upper case", root, edits(withDNS("A.EXAMPLE.org")), "a dns_san"},
		{"by an intermediate", below, edits(withURIs(t, spiffeA)), "a spiffe_id"},
		{"one caller by two names", root, edits(withURIs(t, uriA), withDNS("a.example.org")), "a uri_san"},
		{"one caller by ID and name", root, edits(withURIs(t, spiffeA), withDNS("a.example.org")), "a spiffe_id"},
		{"one known name of two", root, edits(withDNS("www.example.org", "a.example.org")), "a dns_san"},
		{"one known URI of two", root, edits(withURIs(t, "urn:x:y", uriA)), "a uri_san"},

		{"no name", root, nil, unknown},
		{"common name", root, edits(commonName), unknown},
		{"email and address", root, edits(otherNames), unknown},
		{"unknown DNS name", root, edits(withDNS("c.example.org")), unknown},
		{"wildcard", root, edits(withDNS("*.example.org")), unknown},
		{"subdomain", root, edits(withDNS("x.a.example.org")), unknown},
		{"name with a dot behind", root, edits(withDNS("a.example.org.")), unknown},
		{"URI in other case", root, edits(withURIs(t, "https://example.org/callers/A")), unknown},
		{"URI with more behind", root, edits(withURIs(t, uriA+"/more")), unknown},
		{"unknown SPIFFE ID", root, edits(withURIs(t, "spiffe://example.org/c")), unknown},
		{"SPIFFE ID of another domain", root, edits(withURIs(t, "spiffe://other.example/a")), unknown},
		{"SPIFFE ID in other case", root, edits(withURIs(t, "spiffe://example.org/A")), unknown},
		{"SPIFFE ID with the domain in upper case", root, edits(withURIs(t, "spiffe://EXAMPLE.ORG/a")), unknown},
		{"SPIFFE ID with a slash behind", root, edits(withURIs(t, spiffeA+"/")), unknown},
		{"SPIFFE ID with a query", root, edits(withURIs(t, spiffeA+"?x")), unknown},
		{"SPIFFE ID with a port", root, edits(withURIs(t, "spiffe://example.org:443/a")), unknown},
		{"SPIFFE ID with dots", root, edits(withURIs(t, "spiffe://example.org/b/../a")), unknown},
		{"unknown SPIFFE ID, known DNS name", root, edits(withURIs(t, "spiffe://example.org/c"), withDNS("a.example.org")), unknown},
		{"malformed SPIFFE ID, known DNS name", root, edits(withURIs(t, "spiffe:a"), withDNS("a.example.org")), unknown},

		{"two SPIFFE IDs", root, edits(withURIs(t, spiffeA, "spiffe://example.org/b")), ambiguous},
		{"two SPIFFE IDs, one unknown", root, edits(withURIs(t, spiffeA, "spiffe://example.org/c")), ambiguous},
		{"one SPIFFE ID twice", root, edits(withURIs(t, spiffeA, spiffeA)), ambiguous},
		{"SPIFFE ID and another URI", root, edits(withURIs(t, "urn:x:y", spiffeA)), ambiguous},
		{"SPIFFE ID of one, DNS name of another", root, edits(withURIs(t, spiffeA), withDNS("b.example.org")), ambiguous},
		{"URI of one, DNS name of another", root, edits(withURIs(t, uriA), withDNS("b.example.org")), ambiguous},
		{"two DNS names", root, edits(withDNS("a.example.org", "b.example.org")), ambiguous},
		{"two URIs", root, edits(withURIs(t, uriA, "https://example.org/callers/b")), ambiguous},

		{"of an authority with the same name", foreign, edits(withURIs(t, spiffeA)), handshakeFailed},
		{"of an authority that has expired", expiredRoot, edits(withURIs(t, spiffeA)), handshakeFailed},
		{"of an intermediate that has expired", expiredIntermediate, edits(withURIs(t, spiffeA)), handshakeFailed},
		{"expired", root, edits(withURIs(t, spiffeA), validFor(-2*time.Hour, -time.Hour)), handshakeFailed},
		{"not yet valid", root, edits(withURIs(t, spiffeA), validFor(time.Hour, 2*time.Hour)), handshakeFailed},
		{"for servers", root, edits(withURIs(t, spiffeA), serverOnly), handshakeFailed},
	}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, test := range tests {
			t.Run(test.name+" over "+tls.VersionName(version), func(t *testing.T) {
				t.Parallel()
				var certificate *tls.Certificate
				if test.issuer != nil {
					issued := test.issuer.issue(t, test.edits...)
					certificate = &issued
				}
				got := askOnce(t, root.pool(), certificate, url, func(c *tls.Config) { c.MaxVersion = version })
				if got != test.want {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		}
	}
}

func edits(edits ...func(*x509.Certificate)) []func(*x509.Certificate) { return edits }

// A server that asks for certificates and verifies none must not authenticate a
// caller by them, however it came to be configured.
func TestUnverifiedCertificateIsNobody(t *testing.T) {
	t.Parallel()
	root, foreign := newAuthority(t, "root"), newAuthority(t, "foreign")
	certificate := foreign.issue(t, withURIs(t, spiffeA))
	for name, clientAuth := range map[string]tls.ClientAuthType{
		"requested": tls.RequestClientCert,
		"required":  tls.RequireAnyClientCert,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := serverConfig(root.server(t), nil)
			config.ClientAuth = clientAuth
			url := serveTLS(t, config, testTable(t), time.Now)
			if got, want := askOnce(t, root.pool(), &certificate, url), string(ReasonUnknownCertificate); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Empty roots accept no certificate, not those of the system's authorities.
func TestEmptyRoots(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root")
	certificate := root.issue(t, withURIs(t, spiffeA))
	config := serverConfig(root.server(t), x509.NewCertPool())
	if config.ClientCAs == nil || config.ClientAuth != tls.VerifyClientCertIfGiven {
		t.Fatal("client certificates would be verified against the system's roots, or not at all")
	}
	url := serveTLS(t, config, testTable(t), time.Now)
	if got := askOnce(t, root.pool(), &certificate, url); got != handshakeFailed {
		t.Errorf("got %q", got)
	}
}

func TestNoTLS(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]*tls.ConnectionState{"plaintext": nil, "no certificate": {}} {
		_, err := testTable(t).certificateAt(state, time.Now())
		if refusal, ok := err.(*Error); !ok || refusal.Reason != ReasonNoCredential { //nolint:errorlint // It is one.
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// The zero Table has no callers, and refuses without a panic.
func TestZeroTableKnowsNoCertificate(t *testing.T) {
	t.Parallel()
	leaf := newAuthority(t, "root").issue(t, withDNS("a.example.org"), withURIs(t, uriA)).Leaf
	_, err := new(Table).named(leaf)
	if diff := cmp.Diff("not authenticated: unknown_certificate", err.Error()); diff != "" {
		t.Error(diff)
	}
}

// A connection may stay open for days. What was valid when it was opened has to
// be valid at each call.
func TestExpiryOnAnOpenConnection(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "root")
	short := root.intermediate(t, "short", validFor(-time.Hour, 30*time.Minute))
	config, err := NewTLS(t.Context(), writeTLSFiles(t, root.server(t), root.pem()), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, issuer := range map[string]*authority{"certificate": root, "intermediate": short} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var ahead atomic.Int64
			url := serveTLS(t, config, testTable(t), func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) })
			certificate := issuer.issue(t, withURIs(t, spiffeA))
			client := newClient(t, root.pool(), &certificate)
			steps := []struct {
				at   time.Duration
				want string
			}{
				{0, "a spiffe_id"},
				{29 * time.Minute, "a spiffe_id"},
				{61 * time.Minute, string(ReasonUnknownCertificate)},
				{-2 * time.Hour, string(ReasonUnknownCertificate)},
				{0, "a spiffe_id"},
			}
			for i, step := range steps {
				ahead.Store(int64(step.at))
				a, err := ask(t, client, url)
				if err != nil {
					t.Fatal(err)
				}
				if a.text != step.want || a.reused != (i > 0) || a.proto != "HTTP/2.0" {
					t.Errorf("at %v: got %q over %s, connection reused: %t; want %q", step.at, a.text, a.proto, a.reused, step.want)
				}
			}
		})
	}
	t.Run("between the two", func(t *testing.T) {
		t.Parallel()
		url := serveTLS(t, config, testTable(t), func() time.Time { return time.Now().Add(45 * time.Minute) })
		certificate := short.issue(t, withURIs(t, spiffeA)) // It is good for an hour; its issuer is not.
		if got, want := askOnce(t, root.pool(), &certificate, url), string(ReasonUnknownCertificate); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// Whatever names a certificate has: it is that caller's to whom all known names
// belong, and no caller's when they belong to several.
func TestNamesProperty(t *testing.T) {
	t.Parallel()
	table := testTable(t)
	rapid.Check(t, func(t *rapid.T) {
		uris := rapid.SliceOfN(rapid.SampledFrom([]string{
			spiffeA, "spiffe://example.org/b", "spiffe://example.org/c", "spiffe://example.org/a/", "spiffe:", uriA,
			"https://example.org/callers/b", "https://example.org/callers/c",
		}), 0, 3).Draw(t, "uris")
		names := rapid.SliceOfN(rapid.SampledFrom([]string{
			"a.example.org", "A.example.ORG", "b.example.org", "c.example.org", "*.example.org", "",
		}), 0, 3).Draw(t, "names")

		leaf := &x509.Certificate{DNSNames: names, Subject: pkix.Name{CommonName: "a.example.org"}}
		callers, ids := map[string]bool{}, 0
		for _, uri := range uris {
			u, err := url.Parse(uri)
			if err != nil {
				t.Fatal(err)
			}
			leaf.URIs = append(leaf.URIs, u)
			if strings.HasPrefix(uri, "spiffe:") {
				ids++
			}
			for _, known := range []map[string]string{table.spiffe, table.uris} {
				if caller, ok := known[uri]; ok {
					callers[caller] = true
				}
			}
		}
		for _, name := range names {
			if caller, ok := table.dns[strings.ToLower(name)]; ok {
				callers[caller] = true
			}
		}

		identity, err := table.named(leaf)
		if err != nil {
			if identity != (Identity{}) {
				t.Fatalf("refused, and yet %+v", identity)
			}
			if len(callers) == 1 && ids == 0 {
				t.Fatalf("refused %v %v: %v", uris, names, err)
			}
			return
		}
		if !callers[identity.Caller] || len(callers) != 1 {
			t.Fatalf("%v %v is %+v", uris, names, identity)
		}
		if ids > 0 && (len(uris) != 1 || table.spiffe[uris[0]] != identity.Caller || identity.Method != MethodSPIFFEID) {
			t.Fatalf("%v %v is %+v, which is not by the SPIFFE ID", uris, names, identity)
		}
	})
}

func BenchmarkCertificate(b *testing.B) {
	root := newAuthority(b, "root")
	table := testTable(b)
	for name, edit := range map[string]func(*x509.Certificate){
		"spiffe": withURIs(b, spiffeA), "uri": withURIs(b, uriA), "dns": withDNS("a.example.org"),
	} {
		leaf := root.issue(b, edit).Leaf
		state := &tls.ConnectionState{
			PeerCertificates: []*x509.Certificate{leaf},
			VerifiedChains:   [][]*x509.Certificate{{leaf, root.certificate}},
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := table.certificateAt(state, time.Now()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
