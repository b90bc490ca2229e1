package config

import (
	"strings"
	"time"
)

// Leases configures where leases are kept. The zero value keeps none.
type Leases struct {
	// Path is the file of a gateway that is alone. Replicas share the Redis of the cache.
	Path string `yaml:"path"`
	// Organization names the organization of the admin key among those whose leases the
	// same Redis has. It is a part of the marks of keys.
	Organization string `yaml:"organization"`
	// SweepInterval is the time between two comparisons with the keys upstream.
	SweepInterval time.Duration `yaml:"sweep_interval"`
	// KeepEnded is how long a lease that has ended stays in the ledger.
	KeepEnded time.Duration `yaml:"keep_ended"`
}

func defaultLeases(d Defaults) Leases {
	return Leases{SweepInterval: d.SweepInterval, KeepEnded: d.KeepEnded}
}

func (l *Leases) settings() []setting {
	return []setting{
		{"leases.path", &l.Path},
		{"leases.organization", &l.Organization},
		{"leases.sweep_interval", &l.SweepInterval},
		{"leases.keep_ended", &l.KeepEnded},
	}
}

// maxOrganization bounds the name of an organization, in bytes.
const maxOrganization = 63

// isOrganization says whether a name may be a part of the keys of Redis.
func isOrganization(name string) bool {
	const first, all = "abcdefghijklmnopqrstuvwxyz0123456789", "abcdefghijklmnopqrstuvwxyz0123456789_-"
	return len(name) <= maxOrganization && strings.ContainsAny(name[:1], first) && strings.Trim(name, all) == ""
}

// check reports values that contradict each other, or are beyond their bounds.
func (l *Leases) check(fault func(key, format string, args ...any), redis bool) {
	switch {
	case l.Path != "" && redis:
		fault("leases.path", "is for a gateway without Redis: with cache.redis_url, leases are kept there, under leases.organization")
	case l.Organization != "" && l.Path == "" && !redis:
		fault("leases.organization", "goes with cache.redis_url or leases.path")
	}
	if l.Organization != "" && !isOrganization(l.Organization) {
		fault("leases.organization", "is not 1 to %d of a-z, 0-9, _ and -, beginning with a letter or a digit", maxOrganization)
	}
	within(fault, "leases.sweep_interval", l.SweepInterval, time.Minute, 24*time.Hour)
	// The hour is that of the limit of leases that a caller asks for: the ledger counts
	// those that it has.
	within(fault, "leases.keep_ended", l.KeepEnded, time.Hour, 30*24*time.Hour)
}
