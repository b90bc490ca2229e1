package spending

import (
	"sync"
	"sync/atomic"
	"time"
)

// outcome is how a call has ended.
type outcome uint8

const (
	answered outcome = iota
	cached
	refused
	failed
	outcomes
)

// names of outcomes, as labels have them.
var outcomeNames = [outcomes]string{"answered", "cached", "refused", "failed"} //nolint:gochecknoglobals // A table.

// maxBudgets bounds the budgets of a caller.
const maxBudgets = 128

// caller is the account of one caller.
type caller struct {
	name   string
	total  [outcomes]atomic.Uint64
	minute [outcomes]window
	// last is when it last did anything, in Unix seconds.
	last atomic.Int64

	mu      sync.Mutex
	budgets map[string]*budget
}

// budget is what a caller spends of a budget. Requests to the upstream are few, so that a
// lock is good enough.
type budget struct {
	waiting                    int64
	requests, waited           uint64 // waited in milliseconds
	requestsMinute, waitMinute window
}

func (c *caller) called(now time.Time, end outcome) {
	c.total[end].Add(1)
	c.minute[end].add(now, 1)
	c.touch(now)
}

// touch writes rarely: what is written by all processors all the time costs each of them.
func (c *caller) touch(now time.Time) {
	if at := now.Unix(); c.last.Load() != at {
		c.last.Store(at)
	}
}

// with calls f with the account of a budget; without one where there is no room.
func (c *caller) with(name string, f func(*budget)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.budgets[name]
	if b == nil {
		if len(c.budgets) >= maxBudgets {
			return
		}
		if c.budgets == nil {
			c.budgets = make(map[string]*budget)
		}
		b = new(budget)
		c.budgets[name] = b
	}
	f(b)
}

// busy reports whether calls of the caller wait.
func (c *caller) busy() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.budgets {
		if b.waiting > 0 {
			return true
		}
	}
	return false
}
