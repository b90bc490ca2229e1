package callers

import "golang.org/x/time/rate"

// Override is other limits for a caller than those of the policy. Fields that are nil leave
// the policy's.
type Override struct {
	// RequestsPerSecond, Burst, Concurrent and Streams are those of [Limits].
	RequestsPerSecond          *float64
	Burst, Concurrent, Streams *int
	// MaxLive and MintsPerHour are those of [LeaseLimits].
	MaxLive, MintsPerHour *int
}

// limits are the limits of a caller with the override.
func (o *Override) limits(policy Limits) Limits {
	if o == nil {
		return policy
	}
	return Limits{
		RequestsPerSecond: or(o.RequestsPerSecond, policy.RequestsPerSecond), Burst: or(o.Burst, policy.Burst),
		Concurrent: or(o.Concurrent, policy.Concurrent), Streams: or(o.Streams, policy.Streams),
	}
}

// leases are the limits of a caller's leases with the override.
func (o *Override) leases(policy LeaseLimits) LeaseLimits {
	if o == nil {
		return policy
	}
	return LeaseLimits{MaxLive: or(o.MaxLive, policy.MaxLive), MintsPerHour: or(o.MintsPerHour, policy.MintsPerHour)}
}

func or[T any](value *T, otherwise T) T {
	if value == nil {
		return otherwise
	}
	return *value
}

// Override puts other limits into force than the policy's, until it is called again or the
// policy no longer names the caller; with nil, the policy's. Calls under way stay.
func (l *Limiter) Override(o *Override) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.override == o {
		return
	}
	l.override = o
	l.apply()
}

// set puts the limits of the policy into force, beneath the override.
func (l *Limiter) set(limits Limits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.policy = limits
	l.apply()
}

// apply puts the limits into force. The caller has the lock.
func (l *Limiter) apply() {
	limits := l.override.limits(l.policy)
	l.rate.SetLimit(rate.Limit(limits.RequestsPerSecond))
	l.rate.SetBurst(limits.Burst)
	l.most = limits.places()
}

// leases are the limits of the caller's leases, with the override.
func (l *Limiter) leases(policy LeaseLimits) LeaseLimits {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.override.leases(policy)
}
