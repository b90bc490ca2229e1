package callers

import (
	"fmt"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// The structure of the policy file.
type (
	policyFile struct {
		Callers strictyaml.List[callerEntry] `yaml:"callers"`
		Roles   []roleEntry                  `yaml:"roles"`
	}
	callerEntry struct {
		Name         string            `yaml:"name"`
		Authenticate []credentialEntry `yaml:"authenticate"`
		Grants       []grantEntry      `yaml:"grants"`
		Denies       []grantEntry      `yaml:"denies"`
		Limits       limitsEntry       `yaml:"limits"`
		Labels       map[string]string `yaml:"labels"`
		Leases       leasesEntry       `yaml:"leases"`
	}
	credentialEntry struct {
		TokenSHA256 string    `yaml:"token_sha256"`
		Expires     time.Time `yaml:"expires"`
		JWT         *jwtEntry `yaml:"jwt"`
		SPIFFEID    string    `yaml:"spiffe_id"`
		URISAN      string    `yaml:"uri_san"`
		DNSSAN      string    `yaml:"dns_san"`
	}
	jwtEntry struct {
		Issuer  string `yaml:"issuer"`
		Subject string `yaml:"subject"`
	}
	grantEntry struct {
		Permissions []string `yaml:"permissions"`
		Projects    []string `yaml:"projects"`
		Roles       []string `yaml:"roles"`
		When        *string  `yaml:"when"`
	}
	limitsEntry struct {
		RequestsPerSecond *float64 `yaml:"requests_per_second"`
		Burst             *int     `yaml:"burst"`
		Concurrent        *int     `yaml:"concurrent"`
		Streams           *int     `yaml:"streams"`
	}
)

// Rules are the methods and issuers that a policy file is checked against.
type Rules struct {
	// Methods are the methods that grants may open.
	Methods *authz.Methods
	// Issuers are the URLs of the issuers whose JWTs are accepted.
	Issuers []string
	// NoCertificates says that no caller can show a certificate: a credential that is the
	// name in one is a fault.
	NoCertificates bool
}

func (c *callerEntry) credentials() []authn.Credential {
	list := make([]authn.Credential, len(c.Authenticate))
	for i, e := range c.Authenticate {
		list[i] = authn.Credential{TokenSHA256: e.TokenSHA256, Expires: e.Expires, SPIFFEID: e.SPIFFEID, URISAN: e.URISAN, DNSSAN: e.DNSSAN}
		if e.JWT != nil {
			list[i].JWT = &authn.JWTSubject{Issuer: e.JWT.Issuer, Subject: e.JWT.Subject}
		}
	}
	return list
}

func grants(entries []grantEntry) []authz.Grant {
	list := make([]authz.Grant, len(entries))
	for i, e := range entries {
		list[i] = authz.Grant{Permissions: e.Permissions, Projects: e.Projects, Roles: e.Roles}
		if e.When != nil {
			list[i].When = *e.When
		}
	}
	return list
}

// emptyConditions refuses a condition that is present and empty: without it the
// grant would be unlimited, which its author did not mean.
func emptyConditions(doc *strictyaml.Document, caller int, list string, entries []grantEntry) []error {
	var faults []error
	for i, e := range entries {
		if e.When != nil && strings.TrimSpace(*e.When) == "" {
			faults = append(faults, doc.Fault("when: is empty; leave it out for no condition", "callers", caller, list, i, "when"))
		}
	}
	return faults
}

// resolve fills in the defaults, and returns the first key that is at fault and why.
func (l limitsEntry) resolve() (limits Limits, key, fault string) {
	limits = defaultLimits
	if l.RequestsPerSecond != nil {
		limits.RequestsPerSecond = *l.RequestsPerSecond
	}
	if l.Burst != nil {
		limits.Burst = *l.Burst
	}
	if l.Concurrent != nil {
		limits.Concurrent = *l.Concurrent
		limits.Streams = min(limits.Streams, *l.Concurrent)
	}
	if l.Streams != nil {
		limits.Streams = *l.Streams
	}
	switch {
	case limits.RequestsPerSecond <= 0:
		key = "requests_per_second"
	case limits.Burst <= 0:
		key = "burst"
	case limits.Concurrent <= 0:
		key = "concurrent"
	case limits.Streams <= 0:
		key = "streams"
	case limits.Streams > limits.Concurrent:
		return limits, "streams", fmt.Sprintf("streams must be no more than concurrent, which is %d", limits.Concurrent)
	default:
		return limits, "", ""
	}
	return limits, key, key + " must be above 0"
}
