package authn

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/spiffe/go-spiffe/v2/spiffeid"

	"github.com/admin-gateway/admin-gateway/internal/digest"
	"github.com/admin-gateway/admin-gateway/internal/many"
)

// maxTokens is how many tokens a caller may have: the old and the new one, while
// it moves from one to the other.
const maxTokens = 2

// maxSAN bounds the names that are compared with those in a certificate, in
// bytes.
const maxSAN = 2048

// Credential is one way to authenticate a caller. Exactly one kind is set.
type Credential struct {
	// TokenSHA256 is the SHA-256 of a caller token, 64 hex digits. The token
	// should be one of [NewToken]; one of any other form has at most 512 of the
	// characters of RFC 6750, and not exactly two dots, since it would be taken
	// for a JWT.
	TokenSHA256 string
	// Expires is when the token ceases to be accepted; zero: never. It goes with
	// TokenSHA256 alone.
	Expires time.Time
	// JWT is a subject that an issuer vouches for.
	JWT *JWTSubject
	// SPIFFEID is that of a client certificate: spiffe://trust-domain/path.
	SPIFFEID string
	// URISAN is a URI among the subject alternative names of a client
	// certificate; its scheme is not spiffe.
	URISAN string
	// DNSSAN is a DNS name among the subject alternative names of a client
	// certificate; no wildcard. Case does not matter.
	DNSSAN string
}

// JWTSubject is the subject of a JWT. Both are compared exactly.
type JWTSubject struct{ Issuer, Subject string }

// Caller is a caller of the policy, with its credentials.
type Caller struct {
	// Name is its name in the policy.
	Name string
	// Credentials authenticate it; any one is enough.
	Credentials []Credential
}

// Table finds the caller of a credential. It is immutable and safe for
// concurrent use. The zero Table has no callers.
type Table struct {
	tokens   map[uint64]uint32 // by digest.Digest.Index: the number of an entry, from 1
	entries  many.List[tokenEntry]
	subjects map[JWTSubject]string // → caller
	// Names in client certificates → caller. SPIFFE IDs are as spiffeid.ID.String
	// gives them, URIs as url.URL.String does, DNS names in lower case.
	spiffe, uris, dns map[string]string
}

// NewTable compiles the callers: see [TableBuilder].
func NewTable(callers []Caller, issuers []string) (*Table, error) {
	b := NewTableBuilder(issuers)
	for _, caller := range callers {
		b.Add(caller)
	}
	return b.Table()
}

// maxFaults bounds how many faults of a table are collected.
const maxFaults = 100

// TableBuilder makes a [Table] of callers that come one after the other. It is not safe
// for concurrent use.
type TableBuilder struct {
	table   *Table
	texts   many.Texts        // of the table
	issuers map[string]string // each to itself: the text that subjects share
	names   map[string]struct{}
	faults  []error

	// Where the builder is.
	caller, credential int
	name               string
}

// NewTableBuilder begins a table. issuers are the URLs of the issuers that the
// [Authenticator] knows.
func NewTableBuilder(issuers []string) *TableBuilder {
	b := &TableBuilder{
		table: &Table{
			tokens:   map[uint64]uint32{},
			subjects: map[JWTSubject]string{},
			spiffe:   map[string]string{},
			uris:     map[string]string{},
			dns:      map[string]string{},
		},
		issuers: map[string]string{},
		names:   map[string]struct{}{},
		caller:  -1,
	}
	for _, issuer := range issuers {
		b.issuers[issuer] = issuer
	}
	return b
}

// Add adds a caller with its credentials, and keeps no reference to the list of them.
func (b *TableBuilder) Add(caller Caller) {
	b.caller, b.credential, b.name = b.caller+1, -1, b.texts.Keep(caller.Name)
	if _, again := b.names[caller.Name]; caller.Name == "" {
		b.fault("name", "is missing")
	} else if again {
		b.fault("name", fmt.Sprintf("there is another caller %q", caller.Name))
	}
	b.names[b.name] = struct{}{}
	tokens := 0
	for j, credential := range caller.Credentials {
		b.credential = j
		if credential.TokenSHA256 != "" {
			tokens++
		}
		if tokens > maxTokens && credential.TokenSHA256 != "" {
			b.fault("token_sha256", fmt.Sprintf("a caller has at most %d tokens", maxTokens))
		}
		b.add(credential)
	}
}

// Table ends the table. The error joins a [*Fault] for each fault, the first hundred of
// them: a caller without a name, or with that of another; a credential of no kind, of
// two, or that is not of the form of its kind; one that is there twice; an issuer that is
// not known; a third token.
func (b *TableBuilder) Table() (*Table, error) {
	if len(b.faults) > 0 {
		return nil, errors.Join(b.faults...)
	}
	return b.table, nil
}

func (b *TableBuilder) fault(field, reason string) {
	if len(b.faults) < maxFaults {
		b.faults = append(b.faults, &Fault{Caller: b.caller, Credential: b.credential, Field: field, Reason: reason})
	}
}

// add adds a credential of the caller to the table.
func (b *TableBuilder) add(c Credential) {
	var kinds []string
	for _, kind := range []struct {
		field string
		set   bool
	}{
		{"token_sha256", c.TokenSHA256 != ""},
		{"jwt", c.JWT != nil},
		{"spiffe_id", c.SPIFFEID != ""},
		{"uri_san", c.URISAN != ""},
		{"dns_san", c.DNSSAN != ""},
	} {
		if kind.set {
			kinds = append(kinds, kind.field)
		}
	}
	switch len(kinds) {
	case 0:
		b.fault("", "needs one of token_sha256, jwt, spiffe_id, uri_san, dns_san")
		return
	case 1:
	default:
		b.fault(kinds[1], "cannot stand beside "+kinds[0]+": a credential is of one kind")
		return
	}
	if !c.Expires.IsZero() && c.TokenSHA256 == "" {
		b.fault("expires", "belongs to a token; other credentials carry their own expiry")
	}
	switch {
	case c.TokenSHA256 != "":
		b.token(c)
	case c.JWT != nil:
		b.subject(*c.JWT)
	case c.SPIFFEID != "":
		b.san("spiffe_id", b.table.spiffe, c.SPIFFEID, spiffeIDOf)
	case c.URISAN != "":
		b.san("uri_san", b.table.uris, c.URISAN, uriOf)
	default:
		b.san("dns_san", b.table.dns, c.DNSSAN, dnsNameOf)
	}
}

func (b *TableBuilder) token(c Credential) {
	is, err := digest.Parse(c.TokenSHA256)
	if err != nil {
		b.fault("token_sha256", fmt.Sprintf("is not %d hex digits", digest.HexDigits))
		return
	}
	if other := b.table.find(is); other != nil {
		b.duplicate("token_sha256", other.caller)
		return
	}
	// A call that outlives the table keeps the block of its entry and those of its texts,
	// and nothing else of a table or of a file.
	number, entry := b.table.entries.Add()
	index := is.Index()
	entry.digest, entry.id = is, b.texts.Keep(strings.ToLower(c.TokenSHA256[:tokenIDDigits]))
	entry.caller, entry.next = b.name, b.table.tokens[index]
	if !c.Expires.IsZero() {
		entry.expires = c.Expires.UTC()
	}
	b.table.tokens[index] = uint32(number + 1)
}

func (b *TableBuilder) subject(s JWTSubject) {
	before := len(b.faults)
	issuer, known := b.issuers[s.Issuer]
	if !known {
		b.fault("jwt.issuer", fmt.Sprintf("%q is not an issuer that is configured", s.Issuer))
	}
	if s.Subject == "" {
		b.fault("jwt.subject", "is missing")
	}
	if len(b.faults) > before {
		return
	}
	if other, taken := b.table.subjects[s]; taken {
		b.duplicate("jwt", other)
		return
	}
	b.table.subjects[JWTSubject{issuer, b.texts.Keep(s.Subject)}] = b.name
}

// san adds a name in certificates, in the form in which it is compared.
func (b *TableBuilder) san(field string, names map[string]string, value string, canonical func(string) (string, error)) {
	if len(value) > maxSAN {
		b.fault(field, fmt.Sprintf("is longer than %d bytes", maxSAN))
		return
	}
	name, err := canonical(value)
	if err != nil {
		b.fault(field, err.Error())
		return
	}
	if other, taken := names[name]; taken {
		b.duplicate(field, other)
		return
	}
	names[b.texts.Keep(name)] = b.name
}

func (b *TableBuilder) duplicate(field, other string) {
	if other == b.name {
		b.fault(field, "is there twice")
		return
	}
	b.fault(field, fmt.Sprintf("is also a credential of caller %q", other))
}

func spiffeIDOf(value string) (string, error) {
	id, err := spiffeid.FromString(value)
	if err != nil {
		return "", fmt.Errorf("is not a SPIFFE ID: %w", err)
	}
	if id.Path() == "" {
		return "", errors.New("names a trust domain, and no workload in it")
	}
	return id.String(), nil
}

func uriOf(value string) (string, error) {
	uri, err := url.Parse(value)
	switch {
	case err != nil || !uri.IsAbs():
		return "", errors.New("is not an absolute URI")
	case uri.Scheme == "spiffe":
		return "", errors.New("is a SPIFFE ID: use spiffe_id")
	}
	return uri.String(), nil
}

// dnsNameOf accepts the DNS name of one host.
func dnsNameOf(value string) (string, error) {
	const maxName, maxLabel = 253, 63
	const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
	if len(value) > maxName {
		return "", errors.New("is too long for a DNS name")
	}
	for label := range strings.SplitSeq(value, ".") {
		if label == "" || len(label) > maxLabel || strings.Trim(label, letters) != "" {
			return "", errors.New("is not a DNS name: letters, digits, '-' and dots between; no wildcard")
		}
	}
	return strings.ToLower(value), nil
}
