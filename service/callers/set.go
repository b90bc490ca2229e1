package callers

import (
	"runtime"
	"time"

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
	bounds   map[string]*bounds
	inForce  force
	roles    *roles.Set
	sum      string
	loaded   time.Time
}

// bounds are what bounds one caller.
type bounds struct {
	limits  Limits
	leases  LeaseLimits
	limiter *Limiter
}

// Limiter is the limiter of a caller; nil for one that the policy does not
// name.
func (s *Set) Limiter(caller string) *Limiter {
	if b := s.bounds[caller]; b != nil {
		return b.limiter
	}
	return nil
}

// SHA256 is that of the policy's text, in hex: replicas with the same one have the same
// policy.
func (s *Set) SHA256() string { return s.sum }

// Loaded is when the policy was put into force, by the clock of this machine.
func (s *Set) Loaded() time.Time { return s.loaded }

// Limits are those of a caller in the policy; zero for one that it does not name.
func (s *Set) Limits(caller string) Limits {
	if b := s.bounds[caller]; b != nil {
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
	if b := s.bounds[caller]; b != nil {
		return b.leases
	}
	return LeaseLimits{}
}

// LeaseLimitsInForce are those of a caller, with its override ([Limiter.Override]); zero,
// which allows nothing, for one that the policy does not name.
func (s *Set) LeaseLimitsInForce(caller string) LeaseLimits {
	if b := s.bounds[caller]; b != nil {
		return b.limiter.leases(b.leases)
	}
	return LeaseLimits{}
}

// yieldEvery is after how many callers a loop over all of them lets others run.
const yieldEvery = 1024

// begin makes the limiters, but for those of callers that the policy before has too: it
// takes over these, with their counts. before is nil for the first policy.
func (s *Set) begin(before *Set) {
	s.loaded = time.Now()
	for i, name := range s.names {
		if i%yieldEvery == 0 {
			runtime.Gosched()
		}
		b := s.bounds[name]
		var old *Limiter
		if before != nil {
			old = before.Limiter(name)
		}
		if old == nil {
			b.limiter = newLimiter(b.limits)
			continue
		}
		old.set(b.limits)
		b.limiter = old
	}
}
