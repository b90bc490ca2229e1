package authn

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"
)

// The ways in which a caller may have been authenticated: [Identity].Method.
const (
	MethodToken    = "token"
	MethodJWT      = "jwt"
	MethodSPIFFEID = "spiffe_id"
	MethodURISAN   = "uri_san"
	MethodDNSSAN   = "dns_san"
	// MethodSession is a token that was made of a JWT (NewSession).
	MethodSession = "session"
)

// Evidence holds the credentials of a call. Printing or logging it shows
// nothing of them.
type Evidence struct {
	// Authorization has the values of the header, as they came.
	Authorization []string
	// TLS is the connection's state; nil without TLS.
	TLS *tls.ConnectionState
}

// Format implements [fmt.Formatter]: it writes no credential, whatever the verb.
func (e Evidence) Format(state fmt.State, _ rune) {
	_, _ = fmt.Fprintf(state, "authn.Evidence{%d authorization values [redacted], TLS: %t}", len(e.Authorization), e.TLS != nil)
}

// LogValue implements [slog.LogValuer]: it shows no credential.
func (e Evidence) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("authorization_values", len(e.Authorization)), slog.Bool("tls", e.TLS != nil))
}

// MarshalJSON implements [encoding/json.Marshaler]: it shows no credential.
func (e Evidence) MarshalJSON() ([]byte, error) { return []byte(`"[redacted]"`), nil }

// Identity is an authenticated caller.
type Identity struct {
	// Caller is the name that the policy gives to the caller.
	Caller string
	// Method is how the caller was authenticated: [MethodToken], [MethodJWT],
	// [MethodSPIFFEID], [MethodURISAN], [MethodDNSSAN] or [MethodSession].
	Method string
	// CredentialID names the credential among those of the caller, and is not secret:
	// the first 12 hex digits of the SHA-256 of a token, as the policy has it;
	// "issuer#subject" of a JWT, and of a session made of one; the name by which a certificate was found, "#", and
	// its serial number in hex.
	CredentialID string
	// Expires is when the credential ceases to be accepted by itself; zero: never.
	Expires time.Time

	credential credential
}
