package callers

import (
	"runtime"
	"strings"
	"sync"
)

// limiters are those of the callers that have called. A policy and the one that replaces
// it share them, so that a reload gives no caller a fresh burst; a caller that never calls
// has none. They are safe for concurrent use.
type limiters struct {
	mu     sync.Mutex
	byName map[string]*Limiter
}

func newLimiters() *limiters { return &limiters{byName: make(map[string]*Limiter)} }

// of is the limiter of a caller, with its limits in the policy with a number.
func (l *limiters) of(caller string, limits Limits, number uint64) *Limiter {
	l.mu.Lock()
	defer l.mu.Unlock()
	known := l.byName[caller]
	if known == nil {
		known = newLimiter(limits, number)
		l.byName[strings.Clone(caller)] = known // The name is of a policy, which need not stay.
	}
	known.set(limits, number)
	return known
}

// yieldEvery is after how many callers a loop over all of them lets others run.
const yieldEvery = 1024

// keep drops the limiters of callers that a policy does not have.
func (l *limiters) keep(has func(caller string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seen := 0
	for name := range l.byName {
		if seen++; seen%yieldEvery == 0 {
			l.mu.Unlock()
			runtime.Gosched()
			l.mu.Lock()
		}
		if !has(name) {
			delete(l.byName, name)
		}
	}
}
