package authn

import (
	"crypto/x509"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/digest"
)

// credential is what was verified of a credential: enough to look its caller up
// again, in a table that has changed and at a later time. It is not the credential
// itself: nobody can call with it.
type credential interface {
	// lookUp finds the caller as at the beginning of a call, with an [*Error] for a
	// credential that has none any more.
	lookUp(t *Table, now time.Time) (Identity, error)
}

// tokenDigest is a caller token.
type tokenDigest digest.Digest

func (d *tokenDigest) lookUp(t *Table, now time.Time) (Identity, error) {
	return t.known(digest.Digest(*d), now)
}

// verifiedJWT is a JWT whose signature, audience and beginning were checked: these do
// not change.
type verifiedJWT struct {
	subject JWTSubject
	expires float64 // seconds since 1970, without the skew
}

func (j *verifiedJWT) lookUp(t *Table, now time.Time) (Identity, error) { return t.subject(j, now) }

// verifiedCertificate is a client certificate, with all chains to an authority.
type verifiedCertificate struct{ chains [][]*x509.Certificate }

func (c *verifiedCertificate) lookUp(t *Table, now time.Time) (Identity, error) {
	return t.certificate(c, now)
}

// Stands fails with an [*Error] when the credential of an identity is not one of its
// caller any more: it was taken out of the policy, or given to another caller, or has
// expired. The table holds the callers of the policy that is in force.
//
// It is the look-up of [Authenticator.Authenticate] again, without its cryptography
// and without a wait. Whatever else of the policy has changed does not matter to it.
func (a *Authenticator) Stands(table *Table, identity Identity) error {
	if table == nil || identity.credential == nil {
		return &Error{Reason: ReasonWithdrawn}
	}
	found, err := identity.credential.lookUp(table, a.now())
	switch {
	case err != nil:
		return &Error{Reason: ReasonWithdrawn, Err: err}
	case found.Caller != identity.Caller:
		return &Error{Reason: ReasonWithdrawn}
	default:
		return nil
	}
}
