package authn

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"log/slog"
)

// The ways in which a caller may have been authenticated: [Identity].Method.
const (
	MethodToken    = "token"
	MethodJWT      = "jwt"
	MethodSPIFFEID = "spiffe_id"
	MethodURISAN   = "uri_san"
	MethodDNSSAN   = "dns_san"
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
	// [MethodSPIFFEID], [MethodURISAN] or [MethodDNSSAN].
	Method string
	// CredentialID tells the credential from others of the caller, and is none: the
	// beginning of a token's SHA-256, issuer#subject of a JWT, or the name in a
	// certificate with the beginning of the certificate's SHA-256.
	CredentialID string
}

// digestPrefix is the beginning of a digest, in hex: 12 digits.
func digestPrefix(digest [sha256.Size]byte) string { return hex.EncodeToString(digest[:6]) }

// certificateID is the id of a certificate that was accepted for a name in it.
func certificateID(name string, leaf *x509.Certificate) string {
	return name + "#" + digestPrefix(sha256.Sum256(leaf.Raw))
}
