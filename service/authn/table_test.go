package authn

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// faultsOf takes a joined error apart.
func faultsOf(t *testing.T, err error) []Fault {
	t.Helper()
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("got %T %v, want joined faults", err, err)
	}
	var faults []Fault
	for _, each := range joined.Unwrap() {
		fault, ok := errors.AsType[*Fault](each)
		if !ok {
			t.Fatalf("%T among the faults: %v", each, each)
		}
		faults = append(faults, *fault)
	}
	return faults
}

func TestTableFaults(t *testing.T) {
	t.Parallel()
	const issuer = "https://issuer.example"
	digest, other := strings.Repeat("ab", 32), strings.Repeat("cd", 32)
	one := func(credential Credential) []Caller {
		return []Caller{{Name: "a", Credentials: []Credential{credential}}}
	}
	two := func(credential, same Credential) []Caller {
		return []Caller{{Name: "a", Credentials: []Credential{credential}}, {Name: "b", Credentials: []Credential{same}}}
	}
	const notDNS = "is not a DNS name: letters, digits, '-' and dots between; no wildcard"
	for name, test := range map[string]struct {
		callers []Caller
		want    []Fault
	}{
		"no name":          {[]Caller{{Credentials: []Credential{{TokenSHA256: digest}}}}, []Fault{{0, -1, "name", "is missing"}}},
		"a name twice":     {[]Caller{{Name: "a"}, {Name: "a"}}, []Fault{{1, -1, "name", `there is another caller "a"`}}},
		"no kind":          {one(Credential{}), []Fault{{0, 0, "", "needs one of token_sha256, jwt, spiffe_id, uri_san, dns_san"}}},
		"expiry alone":     {one(Credential{Expires: time.Unix(1, 0)}), []Fault{{0, 0, "", "needs one of token_sha256, jwt, spiffe_id, uri_san, dns_san"}}},
		"two kinds":        {one(Credential{TokenSHA256: digest, DNSSAN: "a.example"}), []Fault{{0, 0, "dns_san", "cannot stand beside token_sha256: a credential is of one kind"}}},
		"all kinds":        {one(Credential{TokenSHA256: digest, JWT: &JWTSubject{}, SPIFFEID: "a", URISAN: "b", DNSSAN: "c"}), []Fault{{0, 0, "jwt", "cannot stand beside token_sha256: a credential is of one kind"}}},
		"expiry of a name": {one(Credential{DNSSAN: "a.example", Expires: time.Unix(1, 0)}), []Fault{{0, 0, "expires", "belongs to a token; other credentials carry their own expiry"}}},

		"short digest":        {one(Credential{TokenSHA256: digest[:63]}), []Fault{{0, 0, "token_sha256", "is not 64 hex digits"}}},
		"half a digest":       {one(Credential{TokenSHA256: digest[:32]}), []Fault{{0, 0, "token_sha256", "is not 64 hex digits"}}},
		"long digest":         {one(Credential{TokenSHA256: digest + "ab"}), []Fault{{0, 0, "token_sha256", "is not 64 hex digits"}}},
		"digest and 0x":       {one(Credential{TokenSHA256: "0x" + digest[2:]}), []Fault{{0, 0, "token_sha256", "is not 64 hex digits"}}},
		"the token":           {one(Credential{TokenSHA256: "agw_" + strings.Repeat("a", 43)}), []Fault{{0, 0, "token_sha256", "is not 64 hex digits"}}},
		"digest twice":        {two(Credential{TokenSHA256: digest}, Credential{TokenSHA256: strings.ToUpper(digest)}), []Fault{{1, 0, "token_sha256", `is also a credential of caller "a"`}}},
		"digest twice in one": {[]Caller{{Name: "a", Credentials: []Credential{{TokenSHA256: digest}, {TokenSHA256: digest}}}}, []Fault{{0, 1, "token_sha256", "is there twice"}}},
		"three tokens": {[]Caller{{Name: "a", Credentials: []Credential{{TokenSHA256: digest}, {TokenSHA256: other}, {DNSSAN: "a.example"}, {TokenSHA256: strings.Repeat("ef", 32)}}}},
			[]Fault{{0, 3, "token_sha256", "a caller has at most 2 tokens"}}},

		"unknown issuer":             {one(Credential{JWT: &JWTSubject{Issuer: issuer + "/", Subject: "s"}}), []Fault{{0, 0, "jwt.issuer", `"https://issuer.example/" is not an issuer that is configured`}}},
		"neither issuer nor subject": {one(Credential{JWT: &JWTSubject{}}), []Fault{{0, 0, "jwt.issuer", `"" is not an issuer that is configured`}, {0, 0, "jwt.subject", "is missing"}}},
		"subject twice":              {two(Credential{JWT: &JWTSubject{issuer, "s"}}, Credential{JWT: &JWTSubject{issuer, "s"}}), []Fault{{1, 0, "jwt", `is also a credential of caller "a"`}}},

		"SPIFFE ID of another scheme":   {one(Credential{SPIFFEID: "https://example.org/a"}), []Fault{{0, 0, "spiffe_id", "is not a SPIFFE ID: scheme is missing or invalid"}}},
		"SPIFFE ID of a trust domain":   {one(Credential{SPIFFEID: "spiffe://example.org"}), []Fault{{0, 0, "spiffe_id", "names a trust domain, and no workload in it"}}},
		"SPIFFE ID with a slash behind": {one(Credential{SPIFFEID: "spiffe://example.org/a/"}), []Fault{{0, 0, "spiffe_id", "is not a SPIFFE ID: path cannot have a trailing slash"}}},
		"SPIFFE ID twice":               {two(Credential{SPIFFEID: "spiffe://example.org/a"}, Credential{SPIFFEID: "spiffe://example.org/a"}), []Fault{{1, 0, "spiffe_id", `is also a credential of caller "a"`}}},
		"SPIFFE ID as a URI":            {one(Credential{URISAN: "SPIFFE://example.org/a"}), []Fault{{0, 0, "uri_san", "is a SPIFFE ID: use spiffe_id"}}},
		"URI that is relative":          {one(Credential{URISAN: "example.org/a"}), []Fault{{0, 0, "uri_san", "is not an absolute URI"}}},
		"URI with a control character":  {one(Credential{URISAN: "https://example.org/\x00"}), []Fault{{0, 0, "uri_san", "is not an absolute URI"}}},
		"URI twice, scheme apart":       {two(Credential{URISAN: "urn:a"}, Credential{URISAN: "URN:a"}), []Fault{{1, 0, "uri_san", `is also a credential of caller "a"`}}},
		"URI that is long":              {one(Credential{URISAN: "urn:" + strings.Repeat("a", maxSAN)}), []Fault{{0, 0, "uri_san", "is longer than 2048 bytes"}}},

		"wildcard":                 {one(Credential{DNSSAN: "*.example"}), []Fault{{0, 0, "dns_san", notDNS}}},
		"dot behind":               {one(Credential{DNSSAN: "a.example."}), []Fault{{0, 0, "dns_san", notDNS}}},
		"dot":                      {one(Credential{DNSSAN: "."}), []Fault{{0, 0, "dns_san", notDNS}}},
		"space":                    {one(Credential{DNSSAN: "a example"}), []Fault{{0, 0, "dns_san", notDNS}}},
		"letter that is not ASCII": {one(Credential{DNSSAN: "bücher.example"}), []Fault{{0, 0, "dns_san", notDNS}}},
		"letter that becomes one":  {one(Credential{DNSSAN: "\u212a.example"}), []Fault{{0, 0, "dns_san", notDNS}}},
		"long label":               {one(Credential{DNSSAN: strings.Repeat("a", 64) + ".example"}), []Fault{{0, 0, "dns_san", notDNS}}},
		"long name":                {one(Credential{DNSSAN: strings.Repeat("a.", 127)}), []Fault{{0, 0, "dns_san", "is too long for a DNS name"}}},
		"DNS name twice":           {two(Credential{DNSSAN: "a.example"}, Credential{DNSSAN: "A.EXAMPLE"}), []Fault{{1, 0, "dns_san", `is also a credential of caller "a"`}}},

		"all at once": {
			[]Caller{{Credentials: []Credential{{}, {TokenSHA256: "x"}}}, {Name: "b", Credentials: []Credential{{DNSSAN: "*"}}}},
			[]Fault{
				{0, -1, "name", "is missing"},
				{0, 0, "", "needs one of token_sha256, jwt, spiffe_id, uri_san, dns_san"},
				{0, 1, "token_sha256", "is not 64 hex digits"},
				{1, 0, "dns_san", notDNS},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			table, err := NewTable(test.callers, []string{issuer})
			if err == nil {
				t.Fatal("accepted")
			}
			if table != nil {
				t.Error("there is a table beside the error")
			}
			if diff := cmp.Diff(test.want, faultsOf(t, err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), digest) || strings.Contains(err.Error(), strings.Repeat("a", 43)) {
				t.Errorf("the error holds a digest or a token: %v", err)
			}
		})
	}
}

func TestFaultNamesItsPlace(t *testing.T) {
	t.Parallel()
	for want, fault := range map[string]*Fault{
		"callers[2].name: is missing":                     {2, -1, "name", "is missing"},
		"callers[2].authenticate[1]: needs one":           {2, 1, "", "needs one"},
		"callers[2].authenticate[1].jwt.issuer: is wrong": {2, 1, "jwt.issuer", "is wrong"},
	} {
		if got := fault.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// Credentials of different kinds, and subjects of different issuers, do not
// stand in each other's way; and a table does not change with what it was made of.
func TestTableKeepsKindsApart(t *testing.T) {
	t.Parallel()
	callers := []Caller{
		{Name: "nobody"},
		{Name: "a", Credentials: []Credential{
			{TokenSHA256: strings.Repeat("AB", 32)}, {TokenSHA256: strings.Repeat("cd", 32), Expires: time.Unix(1, 0)},
			{JWT: &JWTSubject{"i", "s"}}, {SPIFFEID: "spiffe://example.org/a"}, {URISAN: "URN:a"}, {DNSSAN: "A.Example"},
		}},
		{Name: "b", Credentials: []Credential{{JWT: &JWTSubject{"j", "s"}}, {URISAN: "https://a.example/"}, {DNSSAN: "b.example"}}},
	}
	table := newTable(t, []string{"i", "j"}, callers...)
	callers[1].Credentials[2].JWT.Subject = "changed"
	if diff := cmp.Diff(map[JWTSubject]string{{"i", "s"}: "a", {"j", "s"}: "b"}, table.subjects); diff != "" {
		t.Errorf("subjects (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"spiffe://example.org/a": "a"}, table.spiffe); diff != "" {
		t.Errorf("SPIFFE IDs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"urn:a": "a", "https://a.example/": "b"}, table.uris); diff != "" {
		t.Errorf("URIs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"a.example": "a", "b.example": "b"}, table.dns); diff != "" {
		t.Errorf("DNS names (-want +got):\n%s", diff)
	}
}
