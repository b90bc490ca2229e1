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
	// Concurrent is how many calls with a single answer may be under way at the same
	// time.
	Concurrent int
	// Streams is how many streams may. A stream lasts for hours and holds memory all
	// the while, so they are counted apart.
	Streams int
}

// defaultLimits hold for a caller without limits in the policy: far more than
// the upstream's budget, and little enough that one caller cannot occupy a
// gateway.
var defaultLimits = Limits{RequestsPerSecond: 50, Burst: 100, Concurrent: 64, Streams: 4}

// busyRetry is the retry delay for a caller with too many calls under way: one
// of them may end at any moment.
const busyRetry = 100 * time.Millisecond

// Kind is a kind of calls that has places of its own.
type Kind int

// The kinds of calls.
const (
	// Single is a call with one request and one answer.
	Single Kind = iota
	// Stream is any other call.
	Stream

	kinds
)

// Limiter counts the calls of one caller. It outlives a reload, so that a reload
// gives no caller a fresh burst. It is safe for concurrent use.
type Limiter struct {
	rate *rate.Limiter

	mu       sync.Mutex
	policy   Limits
	number   uint64    // of the policy
	override *Override // nil: none
	most     [kinds]int
	running  [kinds]int
}

func newLimiter(l Limits, number uint64) *Limiter {
	return &Limiter{rate: rate.NewLimiter(rate.Limit(l.RequestsPerSecond), l.Burst), policy: l, number: number, most: l.places()}
}

func (l Limits) places() [kinds]int { return [kinds]int{Single: l.Concurrent, Stream: l.Streams} }

// Start admits a call, and Done must follow; or it refuses it, and returns
// after how long another attempt may succeed. A refused call costs nothing.
func (l *Limiter) Start(kind Kind) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.running[kind] >= l.most[kind] {
		return busyRetry, false
	}
	if now := time.Now(); !l.rate.AllowN(now, 1) {
		reservation := l.rate.ReserveN(now, 1)
		reservation.CancelAt(now)
		return reservation.DelayFrom(now), false
	}
	l.running[kind]++
	return 0, true
}

// Done ends a call that Start admitted.
func (l *Limiter) Done(kind Kind) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[kind]--
}
