package data

import (
	"math/rand/v2"
	"strings"
)

// Organization is the whole state behind the API. It is not safe for concurrent
// use: the caller holds a lock around everything that it does with one.
type Organization struct {
	ID     string
	random *rand.Rand

	AdminKeys    *Collection[*AdminKey]
	Users        *Collection[*User]
	Groups       *Collection[*Group]
	Roles        *Collection[*Role]
	Invites      *Collection[*Invite]
	Projects     *Collection[*Project]
	Certificates *Collection[*Certificate]
	Alerts       *Collection[*SpendAlert]
	SpendLimit   *SpendLimit // nil: none
	Retention    string
	// LongestKeyLife is the longest life of a project's new key, in seconds; 0: any.
	LongestKeyLife int64

	ExternalKeys    *Collection[*ExternalKey]
	ExternalStorage *Collection[*ExternalStorage]
	Providers       *Collection[*IdentityProvider]
	Ledger          *Ledger

	credentials map[string]*AdminKey // By secret.
	assignments map[Principal]*Collection[*Assignment]
	audit       *auditLog
}

func newOrganization(random *rand.Rand) *Organization {
	return &Organization{
		random:       random,
		AdminKeys:    newCollection[*AdminKey](),
		credentials:  make(map[string]*AdminKey),
		Users:        newCollection[*User](),
		Groups:       newCollection[*Group](),
		Roles:        newCollection[*Role](),
		Invites:      newCollection[*Invite](),
		Projects:     newCollection[*Project](),
		Certificates: newCollection[*Certificate](),
		Alerts:       newCollection[*SpendAlert](),
		Retention:    "modified_abuse_monitoring",
		ExternalKeys: newCollection[*ExternalKey](), ExternalStorage: newCollection[*ExternalStorage](),
		Providers:   newCollection[*IdentityProvider](),
		assignments: make(map[Principal]*Collection[*Assignment]),
		audit:       newAuditLog(maxAuditEvents),
	}
}

// WorkspaceID returns the id of the workspace that belongs to the organization.
func (o *Organization) WorkspaceID() string { return "ws_" + strings.TrimPrefix(o.ID, "org-") }

const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func (o *Organization) randomText(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(idAlphabet[o.random.IntN(len(idAlphabet))])
	}
	return b.String()
}

// NewID returns an id that begins with the prefix.
func (o *Organization) NewID(prefix string) string {
	return prefix + o.randomText(24)
}

// NewSecret returns a secret that begins with the prefix.
func (o *Organization) NewSecret(prefix string) string {
	return prefix + o.randomText(48)
}

// Redact returns the ends of a secret, and nothing of a secret that is too short
// to have ends.
func Redact(secret string) string {
	switch {
	case len(secret) < 12:
		return "sk-...redacted"
	case len(secret) < 24:
		return secret[:3] + "..." + secret[len(secret)-4:]
	}
	return secret[:8] + "..." + secret[len(secret)-4:]
}
