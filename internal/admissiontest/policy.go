package admissiontest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/admin-gateway/admin-gateway/service/callers"
	"github.com/admin-gateway/admin-gateway/service/catalog"
)

// RootPolicy has one caller, root, that may do everything without limits.
const RootPolicy = `
callers:
  - name: root
    authenticate: [{token_sha256: $root}]
    grants: [{permissions: ["*"]}]
    limits: $free
`

// unlimited are limits that no test reaches.
const unlimited = "{requests_per_second: 1e9, burst: 1000000000, concurrent: 1000000, streams: 1000000}"

// Issuer is the issuer of JWTs that every policy knows.
const Issuer = "https://issuer.example"

// TokenOf is the token of the caller with a name.
func TokenOf(name string) string {
	digest := sha256.Sum256([]byte(name))
	return "agw_" + base64.RawURLEncoding.EncodeToString(digest[:])
}

var policyVariable = regexp.MustCompile(`\$(\w+)`)

// ParsePolicy compiles a policy in which "$free" are limits that no test reaches,
// and any other "$name" is the hash of that caller's token.
func ParsePolicy(tb testing.TB, methods *catalog.Catalog, text string) *callers.Set {
	tb.Helper()
	text = strings.ReplaceAll(text, "$free", unlimited)
	text = policyVariable.ReplaceAllStringFunc(text, func(name string) string {
		digest := sha256.Sum256([]byte(TokenOf(name[1:])))
		return hex.EncodeToString(digest[:])
	})
	set, err := callers.Parse("policy.yaml", []byte(text), callers.Rules{Methods: methods.Access(), Issuers: []string{Issuer}})
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

// Policy is a policy that a test can replace.
type Policy struct {
	methods *catalog.Catalog
	current atomic.Pointer[callers.Set]
}

// NewPolicy makes one, in the form of [ParsePolicy].
func NewPolicy(tb testing.TB, methods *catalog.Catalog, text string) *Policy {
	tb.Helper()
	p := &Policy{methods: methods}
	p.Set(tb, text)
	return p
}

// Current is the policy in force.
func (p *Policy) Current() *callers.Set { return p.current.Load() }

// Set replaces the policy in force.
func (p *Policy) Set(tb testing.TB, text string) {
	tb.Helper()
	if old := p.current.Swap(ParsePolicy(tb, p.methods, text)); old != nil {
		old.Supersede()
	}
}
