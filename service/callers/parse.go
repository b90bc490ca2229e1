package callers

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/many"
	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
)

// maxCallers bounds a policy, beside the size of its file.
const maxCallers = 1_000_000

// Parse compiles the text of a policy file. The faults come at once, the first hundred of
// them, each with file, line and column ([strictyaml.Error]). A file that names no caller
// is a fault: it is more often an accident than intended.
func Parse(file string, text []byte, rules Rules) (*Set, error) {
	set, err := parse(file, string(text), rules, strictyaml.Pace{})
	if err != nil {
		return nil, err
	}
	set.begin(nil)
	return set, nil
}

// parse compiles a policy, which has no limiters yet.
func parse(file, text string, rules Rules, pace strictyaml.Pace) (*Set, error) {
	var policy policyFile
	doc, err := pace.Unmarshal(file, text, &policy)
	if err != nil {
		return nil, err
	}
	c, err := newCompiler(doc, policy.Roles, rules)
	if err != nil {
		return nil, err
	}
	for i, entry := range policy.Callers.All() {
		if i == maxCallers {
			return nil, doc.Fault(fmt.Sprintf("must name 1 to %d callers", maxCallers), "callers")
		}
		c.add(i, entry)
	}
	if err := policy.Callers.Err(); err != nil {
		return nil, err
	}
	if len(c.set.names) == 0 {
		return nil, doc.Fault(fmt.Sprintf("must name 1 to %d callers", maxCallers), "callers")
	}
	c.set.sum = sumOf(text)
	return c.finish()
}

// sumOf is the SHA-256 of a text in hex. A large one lets others run in between.
func sumOf(text string) string {
	const block = 256 << 10
	hash := sha256.New()
	for len(text) > 0 {
		n := min(block, len(text))
		_, _ = io.WriteString(hash, text[:n]) // It never fails.
		text = text[n:]
		runtime.Gosched()
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// compiler compiles one policy file, caller by caller, and keeps nothing of an entry but
// what it compiled of it.
type compiler struct {
	doc    *strictyaml.Document
	set    *Set
	names  many.Texts // of callers
	table  *authn.TableBuilder
	policy *authz.Compiler
	faults []error

	noCertificates bool
	now            time.Time
}

func newCompiler(doc *strictyaml.Document, entries []roleEntry, rules Rules) (*compiler, error) {
	c := &compiler{
		doc:   doc,
		set:   newSet(),
		table: authn.NewTableBuilder(rules.Issuers),

		noCertificates: rules.NoCertificates, now: time.Now(),
	}
	set, known, faults := compileRoles(doc, entries)
	c.set.roles = set
	c.fault(faults...)
	var err error
	c.policy, err = authz.NewCompiler(rules.Methods, known...)
	return c, err
}

func (c *compiler) fault(faults ...error) {
	c.faults = append(c.faults, faults[:min(len(faults), maxFaults-len(c.faults))]...)
}

// add compiles the caller with a number.
func (c *compiler) add(i int, entry *callerEntry) {
	c.table.Add(authn.Caller{Name: entry.Name, Credentials: entry.credentials()})
	c.policy.Add(authz.Caller{Name: entry.Name, Labels: entry.Labels, Grants: grants(entry.Grants), Denies: grants(entry.Denies)})
	c.lookAtCredentials(i, entry.Authenticate)
	c.fault(labelFaults(c.doc, i, entry.Labels)...)
	c.fault(emptyConditions(c.doc, i, "grants", entry.Grants)...)
	c.fault(emptyConditions(c.doc, i, "denies", entry.Denies)...)
	if len(entry.Authenticate) == 0 {
		c.fault(c.doc.Fault("a caller needs at least one way to authenticate", "callers", i, "authenticate"))
	}
	limits, field, fault := entry.Limits.resolve()
	if fault != "" {
		c.fault(c.doc.Fault(fault, "callers", i, "limits", field))
	}
	leases, leaseFaults := entry.Leases.resolve()
	for _, key := range slices.Sorted(maps.Keys(leaseFaults)) {
		c.fault(c.doc.Fault(leaseFaults[key], "callers", i, "leases", key))
	}
	c.set.add(c.names.Keep(entry.Name), limits, leases)
}

// soon is how long before its end a token is worth a warning.
const soon = 14 * 24 * time.Hour

// lookAtCredentials finds those that nobody can authenticate with: because no caller can
// show a certificate, or because the token has expired, which is no fault, or a gateway
// would refuse to start one day because nobody has changed anything.
func (c *compiler) lookAtCredentials(caller int, entries []credentialEntry) {
	for i, e := range entries {
		at := func(text string, path ...any) error {
			return c.doc.Fault(text, append([]any{"callers", caller, "authenticate", i}, path...)...)
		}
		if field := e.certificateField(); field != "" && c.noCertificates {
			c.fault(at(field+": no caller can show a certificate: set tls.client_ca_file or tls.spiffe_socket in the config", field))
		}
		left := e.Expires.Sub(c.now)
		switch {
		case e.Expires.IsZero() || left >= soon:
		case left <= 0 && len(c.set.expired) < maxFaults:
			c.set.expired = append(c.set.expired, at("expires: the token has expired: nobody can authenticate with it any more", "expires"))
		case left > 0 && len(c.set.warnings) < maxFaults:
			c.set.warnings = append(c.set.warnings, at(fmt.Sprintf("expires: the token expires on %s", e.Expires.UTC().Format(time.DateOnly)), "expires"))
		}
	}
}

// certificateField is the field of a credential that is a name in a certificate; "" for
// another one.
func (e *credentialEntry) certificateField() string {
	switch {
	case e.SPIFFEID != "":
		return "spiffe_id"
	case e.URISAN != "":
		return "uri_san"
	case e.DNSSAN != "":
		return "dns_san"
	}
	return ""
}

// finish returns the set, or the faults.
func (c *compiler) finish() (*Set, error) {
	var err error
	c.set.Table, err = c.table.Table()
	c.fault(located(c.doc, err)...)
	c.set.Policy, err = c.policy.Policy()
	c.fault(located(c.doc, err)...)
	if err := errors.Join(c.faults...); err != nil {
		return nil, err
	}
	for _, warning := range c.set.Policy.Warnings() {
		c.set.warnings = append(c.set.warnings, located(c.doc, warning)...)
	}
	return c.set, nil
}
