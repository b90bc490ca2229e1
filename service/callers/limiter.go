package callers

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits bound the calls of one caller.
type Limits struct {
	// RequestsPerSecond is the sustained rate of calls.
	RequestsPerSecond float64
	// Burst is how many calls may come at once.
	Burst int
	// Concurrent is how many calls may be under way at the same time.
	Concurrent int
}

// defaultLimits hold for a caller without limits in the policy: far more than
// the upstream's budget, and little enough that one caller cannot occupy a
// gateway.
var defaultLimits = Limits{RequestsPerSecond: 50, Burst: 100, Concurrent: 64}

// busyRetry is the retry delay for a caller with too many calls under way: one
// of them may end at any moment.
const busyRetry = 100 * time.Millisecond

// Limiter counts the calls of one caller. It outlives a reload, so that a reload
// gives no caller a fresh burst. It is safe for concurrent use.
type Limiter struct {
	rate *rate.Limiter

	mu         sync.Mutex
	concurrent int
	running    int
}

func newLimiter(l Limits) *Limiter {
	return &Limiter{rate: rate.NewLimiter(rate.Limit(l.RequestsPerSecond), l.Burst), concurrent: l.Concurrent}
}

func (l *Limiter) set(limits Limits) {
	l.rate.SetLimit(rate.Limit(limits.RequestsPerSecond))
	l.rate.SetBurst(limits.Burst)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.concurrent = limits.Concurrent
}

// Start admits a call, and Done must follow; or it refuses it, and returns
// after how long another attempt may succeed. A refused call costs nothing.
func (l *Limiter) Start() (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running >= l.concurrent {
		return busyRetry, false
	}
	reservation := l.rate.Reserve()
	if delay := reservation.Delay(); delay > 0 {
		reservation.Cancel()
		return delay, false
	}
	l.running++
	return 0, true
}

// Done ends a call that Start admitted.
func (l *Limiter) Done() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
}
