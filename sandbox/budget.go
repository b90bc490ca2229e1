package sandbox

import (
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// maxArrivals bounds how many requests of one operation a window remembers.
const maxArrivals = 10_000

// Budget limits requests per operation in a sliding window.
type Budget struct {
	// Requests is the number of requests of an operation that a window admits; 0
	// admits all.
	Requests int
	// Operations are the numbers of single operations, by the names that Operations
	// of [Sandbox] returns. They take the place of Requests.
	Operations map[string]int
	// Window is the length of the window; default one minute. Tests scale time
	// with it.
	Window time.Duration
	// Now is the budget's clock; default time.Now. The organization has another
	// clock, which may stand still.
	Now func() time.Time
	// InMessage states the wait in the message alone, without Retry-After.
	InMessage bool
}

// budget is a log of arrivals per operation.
type budget struct {
	Budget
	mu       sync.Mutex
	admitted map[string][]time.Time
	arrived  map[string][]time.Time
	most     map[string]int
}

func newBudget(b Budget) *budget {
	if b.Window <= 0 {
		b.Window = time.Minute
	}
	if b.Now == nil {
		b.Now = time.Now
	}
	out := &budget{Budget: b}
	out.clear()
	return out
}

func (b *budget) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.admitted, b.arrived, b.most = make(map[string][]time.Time), make(map[string][]time.Time), make(map[string]int)
}

// spend counts a request. If the request is over the budget, spend returns the
// wait until one would be admitted.
func (b *budget) spend(op string) (wait time.Duration, over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.Now()
	b.arrived[op] = slide(b.arrived[op], now.Add(-b.Window))
	if len(b.arrived[op]) < maxArrivals {
		b.arrived[op] = append(b.arrived[op], now)
	}
	b.most[op] = max(b.most[op], len(b.arrived[op]))
	limit, single := b.Operations[op]
	if !single {
		limit = b.Requests
	}
	if limit <= 0 {
		return 0, false
	}
	b.admitted[op] = slide(b.admitted[op], now.Add(-b.Window))
	if len(b.admitted[op]) >= limit {
		return b.admitted[op][0].Add(b.Window).Sub(now), true
	}
	b.admitted[op] = append(b.admitted[op], now)
	return 0, false
}

// slide drops the times that are not after since.
func slide(times []time.Time, since time.Time) []time.Time {
	for len(times) > 0 && !times[0].After(since) {
		times = times[1:]
	}
	return times
}

func (b *budget) refusal(wait time.Duration) answer {
	e := rateLimited(fmt.Sprintf("%.3fs", wait.Seconds()))
	if !b.InMessage {
		seconds := max(1, int((wait+time.Second-1)/time.Second))
		e.header = http.Header{"Retry-After": {strconv.Itoa(seconds)}}
	}
	return refusal(e)
}

func rateLimited(wait string) *apiError {
	return &apiError{
		status: http.StatusTooManyRequests, kind: "requests", code: "rate_limit_exceeded",
		message: "Rate limit reached for requests. Please try again in " + wait + ".",
	}
}

// Peaks returns for each operation the largest number of requests in any window,
// admitted or not; at most 10000. It counts with and without a limit.
func (s *Sandbox) Peaks() map[string]int {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	return maps.Clone(s.budget.most)
}
