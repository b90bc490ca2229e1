package authn

import (
	"fmt"
	"sync"
	"time"
)

const (
	// maxRevoked bounds the revoked sessions that are remembered, and maxRevokedOf those
	// of a caller. Each is forgotten at its end.
	maxRevoked   = 1 << 16
	maxRevokedOf = 1 << 10
)

// SessionLimitError says that a session cannot be revoked now, because as many are
// remembered as may be.
type SessionLimitError struct {
	// RetryAfter is when the next one is forgotten.
	RetryAfter time.Duration
}

// Error says how long the wait is.
func (e *SessionLimitError) Error() string {
	return fmt.Sprintf("authn: too many sessions were revoked; the next is forgotten in %s", e.RetryAfter)
}

// revocations are the sessions that were revoked before their end, by caller. A session
// stays at most [MaxSession].
type revocations struct {
	mu    sync.RWMutex
	of    map[string]map[[sessionIDBytes]byte]time.Time // → end
	total int
}

// has says whether a session was revoked.
func (r *revocations) has(s *session) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, revoked := r.of[s.caller][s.id]
	return revoked
}

// add revokes a session. Where there is no place it forgets none that still counts, but
// fails with a [*SessionLimitError].
func (r *revocations) add(s *session, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, already := r.of[s.caller][s.id]; already {
		return nil
	}
	if len(r.of[s.caller]) >= maxRevokedOf {
		r.forget(s.caller, now)
	}
	if r.total >= maxRevoked {
		for caller := range r.of {
			r.forget(caller, now)
		}
	}
	switch {
	case len(r.of[s.caller]) >= maxRevokedOf:
		return &SessionLimitError{RetryAfter: next(r.of[s.caller], now)}
	case r.total >= maxRevoked:
		wait := MaxSession
		for _, ended := range r.of {
			wait = min(wait, next(ended, now))
		}
		return &SessionLimitError{RetryAfter: wait}
	}
	if r.of == nil {
		r.of = map[string]map[[sessionIDBytes]byte]time.Time{}
	}
	if r.of[s.caller] == nil {
		r.of[s.caller] = map[[sessionIDBytes]byte]time.Time{}
	}
	r.of[s.caller][s.id] = s.ends
	r.total++
	return nil
}

// forget drops the sessions of a caller that have ended. The lock is held.
func (r *revocations) forget(caller string, now time.Time) {
	for id, ends := range r.of[caller] {
		if !now.Before(ends) {
			delete(r.of[caller], id)
			r.total--
		}
	}
	if len(r.of[caller]) == 0 {
		delete(r.of, caller)
	}
}

// next is how long it takes until one of some sessions ends.
func next(of map[[sessionIDBytes]byte]time.Time, now time.Time) time.Duration {
	soonest := MaxSession
	for _, ends := range of {
		soonest = min(soonest, ends.Sub(now))
	}
	return max(soonest, time.Second)
}
