package callers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// The structure of the policy file.
type (
	policyFile struct {
		Callers []callerEntry `yaml:"callers"`
		Roles   []roleEntry   `yaml:"roles"`
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
}

// Set is a policy file, compiled. It is immutable but for the counts of its
// limiters, and safe for concurrent use.
type Set struct {
	// Table authenticates callers.
	Table *authn.Table
	// Policy decides on their calls.
	Policy *authz.Policy

	warnings []error
	names    []string
	limits   map[string]Limits
	limiters map[string]*Limiter
	inForce  force

	roles       *roles.Set
	leaseLimits map[string]LeaseLimits
}

// Limiter is the limiter of a caller; nil for one that the policy does not
// name.
func (s *Set) Limiter(caller string) *Limiter { return s.limiters[caller] }

// Warnings are the places that the author of the file may have meant otherwise, each
// with file, line and column ([strictyaml.Error]). They change nothing.
func (s *Set) Warnings() []error { return s.warnings }

// Callers are the names, in the order of the file.
func (s *Set) Callers() []string { return s.names }

// maxCallers bounds a policy.
const maxCallers = 10_000

// Parse compiles the text of a policy file. All faults come at once, each with
// file, line and column ([strictyaml.Error]). A file that names no caller is a
// fault: it is more often an accident than intended.
func Parse(file string, text []byte, rules Rules) (*Set, error) {
	var policy policyFile
	doc, err := strictyaml.Unmarshal(file, text, &policy)
	if err != nil {
		return nil, err
	}
	if n := len(policy.Callers); n == 0 || n > maxCallers {
		return nil, doc.Fault(fmt.Sprintf("must name 1 to %d callers", maxCallers), "callers")
	}
	known := make([]authn.Caller, len(policy.Callers))
	granted := make([]authz.Caller, len(policy.Callers))
	set := &Set{
		limits: make(map[string]Limits), limiters: make(map[string]*Limiter), inForce: newForce(), leaseLimits: make(map[string]LeaseLimits),
	}
	roleSet, knownRoles, faults := compileRoles(doc, policy.Roles)
	set.roles = roleSet
	for i := range policy.Callers {
		entry := &policy.Callers[i]
		known[i] = authn.Caller{Name: entry.Name, Credentials: entry.credentials()}
		granted[i] = authz.Caller{Name: entry.Name, Labels: entry.Labels, Grants: grants(entry.Grants), Denies: grants(entry.Denies)}
		faults = append(faults, labelFaults(doc, i, entry.Labels)...)
		faults = append(faults, emptyConditions(doc, i, "grants", entry.Grants)...)
		faults = append(faults, emptyConditions(doc, i, "denies", entry.Denies)...)
		if len(entry.Authenticate) == 0 {
			faults = append(faults, doc.Fault("a caller needs at least one way to authenticate", "callers", i, "authenticate"))
		}
		limits, field, fault := entry.Limits.resolve()
		if fault != "" {
			faults = append(faults, doc.Fault(fault, "callers", i, "limits", field))
		}
		leases, leaseFaults := entry.Leases.resolve()
		for _, key := range slices.Sorted(maps.Keys(leaseFaults)) {
			faults = append(faults, doc.Fault(leaseFaults[key], "callers", i, "leases", key))
		}
		set.leaseLimits[entry.Name] = leases
		set.names = append(set.names, entry.Name)
		set.limits[entry.Name] = limits
		set.limiters[entry.Name] = newLimiter(limits)
	}
	set.Table, err = authn.NewTable(known, rules.Issuers)
	faults = append(faults, located(doc, err)...)
	set.Policy, err = authz.Compile(granted, rules.Methods, knownRoles...)
	faults = append(faults, located(doc, err)...)
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	for _, warning := range set.Policy.Warnings() {
		set.warnings = append(set.warnings, located(doc, warning)...)
	}
	return set, nil
}

// inherit takes over the counts of callers that the old policy has too.
func (s *Set) inherit(before *Set) {
	for name := range s.limiters {
		if old := before.limiters[name]; old != nil {
			old.set(s.limits[name])
			s.limiters[name] = old
		}
	}
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

// located gives the faults that the compilers found their places in the file.
func located(doc *strictyaml.Document, err error) []error {
	if err == nil {
		return nil
	}
	var places []error
	for _, fault := range unjoin(err) {
		var (
			credential *authn.Fault
			grant      *authz.Fault
		)
		switch {
		case errors.As(fault, &credential):
			path := []any{"callers", credential.Caller}
			if credential.Credential >= 0 {
				path = append(path, "authenticate", credential.Credential)
			}
			places = append(places, doc.Fault(labelled(credential.Field, credential.Reason), append(path, keyPath(credential.Field)...)...))
		case errors.As(fault, &grant):
			places = append(places, doc.Fault(labelled(grant.Field, grant.Reason), grantPath(grant)...))
		default:
			places = append(places, doc.Fault(fault.Error()))
		}
	}
	return places
}

func labelled(field, reason string) string {
	if field == "" {
		return reason
	}
	return field + ": " + reason
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// keyPath is a dotted key as the steps of a path.
func keyPath(key string) []any {
	var path []any
	for step := range strings.SplitSeq(key, ".") {
		if step != "" {
			path = append(path, step)
		}
	}
	return path
}

func grantPath(f *authz.Fault) []any {
	path := []any{"callers", f.Index}
	if f.List != "" {
		path = append(path, f.List, f.Grant)
	}
	if f.Field != "" {
		path = append(path, f.Field)
	}
	if f.Item >= 0 {
		path = append(path, f.Item)
	}
	return path
}
