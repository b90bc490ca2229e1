package spending

import (
	"context"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"connectrpc.com/connect/v2"

	"github.com/admin-gateway/admin-gateway/service/accounting"
	"github.com/admin-gateway/admin-gateway/service/audit"
)

const (
	// MaxCallers is the number of callers that are told apart. What others do is counted
	// together, as that of [Others].
	MaxCallers = 1000
	// Gateway is the name of the gateway itself, for calls that it makes for nobody.
	Gateway = "(gateway)"
	// Others is the name of the callers beyond MaxCallers together.
	Others = "(others)"

	// idle is after how long a caller gives its place to another one, where there are
	// more than there are places.
	idle = 10 * time.Minute
)

// Options are the settings of an [Account].
type Options struct {
	// Known reports whether the policy names a caller. One that it does not name any
	// more is forgotten. Nil forgets nobody.
	Known func(caller string) bool
	// MaxCallers is [MaxCallers] if not positive.
	MaxCallers int
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Account is the account of all callers. A nil one counts nothing. It may be used from
// any goroutine.
type Account struct {
	options     Options
	own, others *caller

	// callers is replaced when a caller comes or goes, so that calls need no lock.
	callers atomic.Pointer[map[string]*caller]
	mu      sync.Mutex // of those who replace it
}

// New returns an Account.
func New(o Options) *Account {
	if o.MaxCallers <= 0 {
		o.MaxCallers = MaxCallers
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &Account{options: o, own: &caller{name: Gateway}, others: &caller{name: Others}}
	a.callers.Store(&map[string]*caller{})
	return a
}

// of is the account of a caller; "" is the gateway.
func (a *Account) of(name string) *caller {
	switch name {
	case "", Gateway:
		return a.own
	case Others:
		return a.others
	}
	if c := (*a.callers.Load())[name]; c != nil {
		return c
	}
	return a.add(name)
}

func (a *Account) add(name string) *caller {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := *a.callers.Load()
	if c := now[name]; c != nil {
		return c
	}
	if len(now) >= a.options.MaxCallers {
		return a.others
	}
	next := maps.Clone(now)
	c := &caller{name: name}
	c.touch(a.options.Now())
	next[name] = c
	a.callers.Store(&next)
	return c
}

// sweep forgets callers that left the policy, and where places are short, those that have
// done nothing for a while. Nobody is forgotten whose calls wait.
func (a *Account) sweep(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	before := *a.callers.Load()
	short := len(before) >= a.options.MaxCallers*9/10
	goes := func(c *caller) bool {
		gone := a.options.Known != nil && !a.options.Known(c.name)
		return (gone || short && now.Sub(time.Unix(c.last.Load(), 0)) >= idle) && !c.busy()
	}
	after := make(map[string]*caller, len(before))
	for name, c := range before {
		if !goes(c) {
			after[name] = c
		}
	}
	if len(after) < len(before) {
		a.callers.Store(&after)
	}
}

// WithCalls is the interceptor that counts the calls of callers, by their end. Those of
// strangers are nobody's.
func (a *Account) WithCalls(next connect.ServerFunc) connect.ServerFunc {
	if a == nil {
		return next
	}
	return func(ctx context.Context, spec connect.Spec, stream connect.ServerStream) error {
		err := next(ctx, spec, stream)
		if call := accounting.From(ctx); call.Admission.Identity.Caller != "" {
			a.of(call.Admission.Identity.Caller).called(a.options.Now(), endOf(call, err))
		}
		return err
	}
}

func endOf(call *accounting.Call, err error) outcome {
	switch {
	case err == nil && (call.Cache.Outcome == accounting.CacheHit || call.Cache.Outcome == accounting.CacheStale):
		return cached
	case err == nil:
		return answered
	case call.Admission.Verdict != audit.DecisionAllowed:
		return refused
	default:
		return failed
	}
}

// Waits notes that a request begins to wait for a budget, on behalf of a caller. Spent
// must follow.
func (a *Account) Waits(name, bucket string) {
	if a != nil {
		a.of(name).with(bucket, func(b *budget) { b.waiting++ })
	}
}

// Spent notes that the wait of a request is over, and whether the request may be sent.
func (a *Account) Spent(name, bucket string, waited time.Duration, granted bool) {
	if a == nil {
		return
	}
	now, c := a.options.Now(), a.of(name)
	c.touch(now)
	millis := uint64(max(0, waited.Milliseconds()))
	c.with(bucket, func(b *budget) {
		// One whose account began between the two has a wait that was not noted.
		b.waiting = max(0, b.waiting-1)
		b.waited += millis
		b.waitMinute.add(now, millis)
		if granted {
			b.requests++
			b.requestsMinute.add(now, 1)
		}
	})
}
