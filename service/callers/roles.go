package callers

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/strictyaml"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// The part of the policy file that is about leases.
type (
	roleEntry struct {
		Name           string         `yaml:"name"`
		Project        string         `yaml:"project"`
		Kind           string         `yaml:"kind"`
		ServiceAccount string         `yaml:"service_account"`
		Scopes         []string       `yaml:"scopes"`
		All            bool           `yaml:"all"`
		TTL            *time.Duration `yaml:"ttl"`
		MaxTTL         *time.Duration `yaml:"max_ttl"`
		Grace          *time.Duration `yaml:"grace"`
		MaxLive        *int           `yaml:"max_live"`
		Share          *int           `yaml:"share"`
		Spares         *int           `yaml:"spares"`
		Static         *staticEntry   `yaml:"static"`
	}
	staticEntry struct {
		RotationPeriod *time.Duration `yaml:"rotation_period"`
		Overlap        *time.Duration `yaml:"overlap"`
	}
	leasesEntry struct {
		MaxLive      *int `yaml:"max_live"`
		MintsPerHour *int `yaml:"mints_per_hour"`
	}
)

// LeaseLimits bound the leases of one caller.
type LeaseLimits struct {
	// MaxLive is how many leases it may have at a time.
	MaxLive int
	// MintsPerHour is how many it may ask for within an hour.
	MintsPerHour int
}

// defaultLeaseLimits hold for a caller that the policy gives none: enough for a small
// team, and far less than a crash loop asks for.
var defaultLeaseLimits = LeaseLimits{MaxLive: 20, MintsPerHour: 60}

// maxLeases bounds both limits.
const maxLeases = 100_000

// resolve fills in the defaults, and returns the faults by key.
func (l leasesEntry) resolve() (limits LeaseLimits, faults map[string]string) {
	limits = defaultLeaseLimits
	for _, limit := range []struct {
		key   string
		given *int
		to    *int
	}{
		{"max_live", l.MaxLive, &limits.MaxLive},
		{"mints_per_hour", l.MintsPerHour, &limits.MintsPerHour},
	} {
		if limit.given == nil {
			continue
		}
		*limit.to = *limit.given
		if *limit.given < 1 || *limit.given > maxLeases {
			if faults == nil {
				faults = make(map[string]string)
			}
			faults[limit.key] = fmt.Sprintf("%s must be 1 to %d", limit.key, maxLeases)
		}
	}
	return limits, faults
}

// compileRoles compiles the roles, and returns what decisions know of them, whether
// they are good or not: a grant of a faulty role is no second fault.
func compileRoles(doc *strictyaml.Document, entries []roleEntry) (*roles.Set, []authz.Role, []error) {
	definitions := make([]roles.Definition, len(entries))
	known := make([]authz.Role, len(entries))
	for i, e := range entries {
		definitions[i] = roles.Definition{
			Name: e.Name, Project: e.Project, Kind: e.Kind, ServiceAccount: e.ServiceAccount, Scopes: e.Scopes, All: e.All,
			TTL: e.TTL, MaxTTL: e.MaxTTL, Grace: e.Grace, MaxLive: e.MaxLive, Share: e.Share, Spares: e.Spares,
		}
		if e.Static != nil {
			definitions[i].Static, definitions[i].RotationPeriod, definitions[i].Overlap = true, e.Static.RotationPeriod, e.Static.Overlap
		}
		known[i] = authz.Role{Name: e.Name, Project: e.Project}
	}
	set, err := roles.New(definitions)
	if err != nil {
		return nil, known, roleFaults(doc, err)
	}
	for i, role := range set.All() {
		known[i] = authz.Role{
			Name: role.Name, Project: role.Project, Kind: string(role.Kind), ServiceAccount: role.ServiceAccount,
			Scopes: role.Scopes, TTL: role.TTL, MaxTTL: role.MaxTTL,
		}
	}
	return set, known, nil
}

// roleFaults gives the faults of roles their places in the file.
func roleFaults(doc *strictyaml.Document, err error) []error {
	var places []error
	for _, one := range unjoin(err) {
		fault, ok := errors.AsType[*roles.Fault](one)
		if !ok {
			places = append(places, doc.Fault(one.Error(), "roles"))
			continue
		}
		path := []any{"roles", fault.Index}
		for name := range strings.SplitSeq(fault.Field, ".") {
			path = append(path, name)
		}
		if fault.Item >= 0 {
			path = append(path, fault.Item)
		}
		places = append(places, doc.Fault(labelled(fault.Field, fault.Reason), path...))
	}
	return places
}
