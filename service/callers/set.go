package callers

import (
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/many"
	"github.com/admin-gateway/admin-gateway/service/authn"
	"github.com/admin-gateway/admin-gateway/service/authz"
	"github.com/admin-gateway/admin-gateway/service/roles"
)

// Set is a policy file, compiled. It is immutable but for the counts of its
// limiters, and safe for concurrent use.
type Set struct {
	// Table authenticates callers.
	Table *authn.Table
	// Policy decides on their calls.
	Policy *authz.Policy

	warnings []error
	expired  []error
	names    []string
	numbers  map[string]uint32 // of bounds, by name
	bounds   many.List[bounds]
	inForce  force
	roles    *roles.Set
	sum      string
	loaded   time.Time
	limiters *limiters
	number   uint64 // among the sets that share limiters
}

func newSet() *Set { return &Set{numbers: make(map[string]uint32), inForce: newForce()} }

// bounds are what bounds one caller.
type bounds struct {
	limits  Limits
	leases  LeaseLimits
	limiter atomic.Pointer[Limiter] // nil: nobody has asked for it
}

// add adds the bounds of a caller, whose name stays.
func (s *Set) add(caller string, limits Limits, leases LeaseLimits) {
	number, b := s.bounds.Add()
	b.limits, b.leases = limits, leases
	s.names = append(s.names, caller)
	s.numbers[caller] = uint32(number)
}

// of are the bounds of a caller; nil for one that the policy does not name.
func (s *Set) of(caller string) *bounds {
	if number, known := s.numbers[caller]; known {
		return s.bounds.At(int(number))
	}
	return nil
}

// Has says whether the policy names a caller.
func (s *Set) Has(caller string) bool { return s.of(caller) != nil }

// Limiter is the limiter of a caller; nil for one that the policy does not
// name.
func (s *Set) Limiter(caller string) *Limiter {
	b := s.of(caller)
	if b == nil {
		return nil
	}
	if limiter := b.limiter.Load(); limiter != nil {
		return limiter
	}
	limiter := s.limiters.of(caller, b.limits, s.number)
	b.limiter.Store(limiter)
	return limiter
}

// SHA256 is that of the policy's text, in hex: replicas with the same one have the same
// policy.
func (s *Set) SHA256() string { return s.sum }

// Loaded is when the policy was put into force, by the clock of this machine.
func (s *Set) Loaded() time.Time { return s.loaded }

// Limits are those of a caller in the policy; zero for one that it does not name.
func (s *Set) Limits(caller string) Limits {
	if b := s.of(caller); b != nil {
		return b.limits
	}
	return Limits{}
}

// Warnings are the places that the author of the file may have meant otherwise, the first
// hundred of them, each with file, line and column ([strictyaml.Error]). They change
// nothing.
func (s *Set) Warnings() []error { return s.warnings }

// Expired are the tokens that had expired when the policy was compiled, the first hundred
// of them, as Warnings are. A policy with them is in force all the same.
func (s *Set) Expired() []error { return s.expired }

// Callers are the names, in the order of the file. The slice is the set's own: it is not
// changed.
func (s *Set) Callers() []string { return s.names }

// Roles are the roles of leases.
func (s *Set) Roles() *roles.Set { return s.roles }

// LeaseLimits are those of a caller in the policy; zero for one that it does not name.
func (s *Set) LeaseLimits(caller string) LeaseLimits {
	if b := s.of(caller); b != nil {
		return b.leases
	}
	return LeaseLimits{}
}

// LeaseLimitsInForce are those of a caller, with its override ([Limiter.Override]); zero,
// which allows nothing, for one that the policy does not name.
func (s *Set) LeaseLimitsInForce(caller string) LeaseLimits {
	if b := s.of(caller); b != nil {
		return s.Limiter(caller).leases(b.leases)
	}
	return LeaseLimits{}
}

// begin takes over the limiters of the policy before, with their counts, but for those of
// callers that it has no more. before is nil for the first policy.
func (s *Set) begin(before *Set) {
	s.loaded = time.Now()
	if before == nil {
		s.limiters = newLimiters()
		return
	}
	s.limiters, s.number = before.limiters, before.number+1
	s.limiters.keep(s.Has)
}
