package authn

import (
	"time"
)

// Credential is one way in which a caller may show who it is. Exactly one kind
// is set.
type Credential struct {
	// TokenSHA256 is the SHA-256 of a caller token, 64 hex digits.
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

// JWTSubject is whom a JWT is about. Both are compared exactly.
type JWTSubject struct{ Issuer, Subject string }

// Caller is somebody who may be authenticated.
type Caller struct {
	// Name is what the policy calls it.
	Name string
	// Credentials are those with which it may show that; any one is enough.
	Credentials []Credential
}

// Table finds the caller to whom a credential belongs. It is immutable, and is
// used by many goroutines at once. The zero Table knows nobody.
type Table struct {
	tokens   map[uint64][]tokenEntry
	subjects map[JWTSubject]string // → caller
	// What names a caller in a client certificate, and the caller. SPIFFE IDs are
	// as spiffeid.ID.String gives them, URIs as url.URL.String does, DNS names in
	// lower case.
	spiffe, uris, dns map[string]string
}

type tokenEntry struct {
	digest  [32]byte
	expires time.Time // zero: never
	caller  string
}
