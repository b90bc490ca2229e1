package roles

import (
	"slices"
	"time"
)

// Kind is how a role makes credentials.
type Kind string

// The kinds of roles.
const (
	// Key makes keys on the role's own service account.
	Key Kind = "key"
	// Account makes a service account for each credential, with one key.
	Account Kind = "account"
)

// What a definition that is silent means.
const (
	// DefaultGrace is long enough for the upstream to hear of a renewal late.
	DefaultGrace = 2 * time.Minute
	// DefaultMaxLive is what a small team needs.
	DefaultMaxLive = 20
	// DefaultOverlap is enough for programs that read their key now and then.
	DefaultOverlap = time.Hour
)

// The bounds of a role.
const (
	// MaxRoles bounds a policy.
	MaxRoles = 1000
	// MaxNameBytes lets the mark of a key, agw.<role>.<id>.<mac>, stay below 128 bytes
	// with ids of 26 characters and a MAC of up to 32. The upstream documents no limit
	// for names of keys; the one that it documents for a name is 255.
	MaxNameBytes = 63
	// MaxAccountBytes bounds the name of the service account, for the same reason.
	MaxAccountBytes = 128
	// MaxScopes bounds the list of scopes.
	MaxScopes = 64
	// MinTTL is the shortest life of a key that the upstream takes, and MaxLife the
	// longest, the grace with it.
	MinTTL  = time.Second
	MaxLife = 365 * 24 * time.Hour
	// MinGrace covers the seconds that the upstream's expiry is cut to: it would end a
	// key up to two seconds before its lease.
	MinGrace = 2 * time.Second
	// MaxGrace bounds how long a key may outlive its lease.
	MaxGrace = time.Hour
	// MinRotationPeriod and MaxOverlap bound the schedule of a static role.
	MinRotationPeriod = time.Minute
	MaxOverlap        = 7 * 24 * time.Hour
	// MaxLive bounds the credentials of a role, and MaxShare the leases of one.
	MaxLive  = 100_000
	MaxShare = 10_000
)

// Role is one role.
type Role struct {
	// Name is what callers ask for.
	Name string
	// Project is the project that its credentials are in, by id.
	Project string
	// Kind is how they are made.
	Kind Kind
	// ServiceAccount is the name of the account of a Key; "" for an Account.
	ServiceAccount string
	// Scopes restrict its keys. None means everything, which the definition has spelled.
	Scopes []string
	// TTL is the life of a lease that asks for none, MaxTTL the longest with all
	// renewals.
	TTL, MaxTTL time.Duration
	// Grace is how long after a lease's end the upstream ends its key.
	Grace time.Duration
	// MaxLive is how many credentials it has at a time, at the most.
	MaxLive int
	// Share is how many leases may share a credential.
	Share int
	// Spares is how many credentials are made ahead of demand.
	Spares int
	// Static says that the role has one key, which is replaced on schedule, and no
	// leases. Nil: it has leases.
	Static *Static
}

// Static is the schedule of a static role.
type Static struct {
	// RotationPeriod is how long its key stays the current one.
	RotationPeriod time.Duration
	// Overlap is how long the one before goes on working, at the least.
	Overlap time.Duration
}

// Set holds the roles of a policy. It is immutable and safe for concurrent use. A nil
// Set has none.
type Set struct {
	list   []Role
	byName map[string]int
}

// Lookup finds a role by its name.
func (s *Set) Lookup(name string) (Role, bool) {
	if s == nil {
		return Role{}, false
	}
	i, ok := s.byName[name]
	if !ok {
		return Role{}, false
	}
	return s.list[i].copied(), true
}

// All returns the roles in the order of their definitions.
func (s *Set) All() []Role {
	if s == nil {
		return nil
	}
	all := make([]Role, len(s.list))
	for i, role := range s.list {
		all[i] = role.copied()
	}
	return all
}

func (r Role) copied() Role {
	r.Scopes = slices.Clone(r.Scopes)
	if r.Static != nil {
		r.Static = new(*r.Static)
	}
	return r
}
