package spending

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Counts are numbers of calls, by their end.
type Counts struct{ Answered, Cached, Refused, Failed uint64 }

// All is the number of all calls.
func (c Counts) All() uint64 { return c.Answered + c.Cached + c.Refused + c.Failed }

// Load is what a caller does and spends.
type Load struct {
	Caller string
	// Minute is of the last minute, and Total since the account began.
	Minute, Total Counts
	// Budgets are those that it has spent of, or waits for, by name.
	Budgets []BudgetLoad
}

// BudgetLoad is what a caller has spent of a budget.
type BudgetLoad struct {
	Budget string
	// Waiting is the number of requests that wait now.
	Waiting int64
	// RequestsMinute and Requests are those to the upstream, in the last minute and in all.
	RequestsMinute, Requests uint64
	// WaitedMinute and Waited are how long requests have waited together.
	WaitedMinute, Waited time.Duration
}

// Requests are those to the upstream in the last minute, from all budgets.
func (l *Load) Requests() (n uint64) {
	for _, b := range l.Budgets {
		n += b.RequestsMinute
	}
	return n
}

// Waiting is the number of requests that wait now, for all budgets.
func (l *Load) Waiting() (n int64) {
	for _, b := range l.Budgets {
		n += b.Waiting
	}
	return n
}

// Snapshot returns the accounts of all callers that have done anything, by name. A nil
// Account has none.
func (a *Account) Snapshot() []Load {
	if a == nil {
		return nil
	}
	now := a.options.Now()
	a.sweep(now)
	callers := slices.Collect(maps.Values(*a.callers.Load()))
	var all []Load
	for _, c := range append(callers, a.own, a.others) {
		if l := c.load(now); l.Total.All() > 0 || len(l.Budgets) > 0 {
			all = append(all, l)
		}
	}
	slices.SortFunc(all, func(x, y Load) int { return cmp.Compare(x.Caller, y.Caller) })
	return all
}

func (c *caller) load(now time.Time) Load {
	l := Load{Caller: c.name}
	var minute, total [outcomes]uint64
	for end := range outcomes {
		minute[end], total[end] = c.minute[end].sum(now), c.total[end].Load()
	}
	l.Minute, l.Total = countsOf(minute), countsOf(total)
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, b := range c.budgets {
		l.Budgets = append(l.Budgets, BudgetLoad{
			Budget: name, Waiting: b.waiting, Requests: b.requests, RequestsMinute: b.requestsMinute.sum(now),
			Waited: millis(b.waited), WaitedMinute: millis(b.waitMinute.sum(now)),
		})
	}
	slices.SortFunc(l.Budgets, func(x, y BudgetLoad) int { return cmp.Compare(x.Budget, y.Budget) })
	return l
}

func countsOf(n [outcomes]uint64) Counts {
	return Counts{Answered: n[answered], Cached: n[cached], Refused: n[refused], Failed: n[failed]}
}

func millis(n uint64) time.Duration { return time.Duration(n) * time.Millisecond }
