package sandbox

import (
	"math/rand/v2"
	"strings"
)

// organization is the whole state behind the API. It has no lock of its own:
// Sandbox holds one around every call.
type organization struct {
	id     string
	random *rand.Rand

	adminKeys *collection[*adminKey]
	// credentials finds the admin key by its secret.
	credentials map[string]*adminKey

	users        *collection[*user]
	groups       *collection[*group]
	roles        *collection[*role]
	invites      *collection[*invite]
	projects     *collection[*project]
	certificates *collection[*certificate]
	alerts       *collection[*spendAlert]
	spendLimit   *spendLimit
	retention    string

	assignments map[principal]*collection[*assignment]
	audit       *auditLog
	ledger      *ledger
}

func newOrganization(random *rand.Rand) *organization {
	return &organization{
		random:       random,
		adminKeys:    newCollection[*adminKey](),
		credentials:  make(map[string]*adminKey),
		users:        newCollection[*user](),
		groups:       newCollection[*group](),
		roles:        newCollection[*role](),
		invites:      newCollection[*invite](),
		projects:     newCollection[*project](),
		certificates: newCollection[*certificate](),
		alerts:       newCollection[*spendAlert](),
		retention:    "modified_abuse_monitoring",
		assignments:  make(map[principal]*collection[*assignment]),
		audit:        newAuditLog(maxAuditEvents),
	}
}

const idAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func (o *organization) randomText(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(idAlphabet[o.random.IntN(len(idAlphabet))])
	}
	return b.String()
}

func (o *organization) newID(prefix string) string {
	return prefix + o.randomText(24)
}

// newSecret is a secret value and what remains visible of it.
func (o *organization) newSecret(prefix string) (value, redacted string) {
	value = prefix + o.randomText(48)
	return value, redact(value)
}

// redact keeps the ends of a secret, and nothing of one too short to have ends.
func redact(secret string) string {
	if len(secret) < 24 {
		return "sk-...redacted"
	}
	return secret[:8] + "..." + secret[len(secret)-4:]
}
