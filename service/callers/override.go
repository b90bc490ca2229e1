package callers

import "golang.org/x/time/rate"

// Override is other limits for a caller than those of the policy, whose names it has. Fields
// that are nil leave the policy's.
type Override struct {
	RequestsPerSecond *float64 `json:"requests_per_second,omitempty"`
	Burst             *int32   `json:"burst,omitempty"`
	Concurrent        *int32   `json:"concurrent,omitempty"`
	Streams           *int32   `json:"streams,omitempty"`
	MaxLiveLeases     *int32   `json:"max_live_leases,omitempty"`
	LeaseMintsPerHour *int32   `json:"lease_mints_per_hour,omitempty"`
}

// limits are the limits of a caller with the override.
func (o *Override) limits(policy Limits) Limits {
	if o == nil {
		return policy
	}
	if o.RequestsPerSecond != nil {
		policy.RequestsPerSecond = *o.RequestsPerSecond
	}
	return Limits{
		RequestsPerSecond: policy.RequestsPerSecond, Burst: or(o.Burst, policy.Burst),
		Concurrent: or(o.Concurrent, policy.Concurrent), Streams: or(o.Streams, policy.Streams),
	}
}

// leases are the limits of a caller's leases with the override.
func (o *Override) leases(policy LeaseLimits) LeaseLimits {
	if o == nil {
		return policy
	}
	return LeaseLimits{MaxLive: or(o.MaxLiveLeases, policy.MaxLive), MintsPerHour: or(o.LeaseMintsPerHour, policy.MintsPerHour)}
}

func or(value *int32, otherwise int) int {
	if value == nil {
		return otherwise
	}
	return int(*value)
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

// set puts the limits of the policy with a number into force, beneath the override, unless
// they are those of a later one: calls that began under one policy go on under the next.
func (l *Limiter) set(limits Limits, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if number <= l.number {
		return
	}
	l.policy, l.number = limits, number
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
