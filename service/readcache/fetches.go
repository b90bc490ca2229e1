package readcache

import (
	"context"
	"sync"
	"time"

	"github.com/admin-gateway/admin-gateway/cache"
)

// fetches are those under way, by key. Two of one key overlap when one asks for fresh
// data, or does not join a flight from before a loss of Redis. Which of them shows the
// later state is not known, so the one that ends first overtakes the other: what the
// other shows may be older, or newer than what is stored by then.
type fetches struct {
	mu       sync.Mutex
	underway map[cache.Key]*fetchesOfKey
}

// fetchesOfKey are as many as ask the upstream at the time: the map holds no others.
type fetchesOfKey struct {
	underway int
	ended    int
}

// fetch is one of them.
type fetch struct {
	all *fetches
	key cache.Key
	now func() time.Time

	// The lock of all guards these.
	departed time.Time // or when it began
	left     bool
	before   int // ended before it departed
}

func newFetches() *fetches { return &fetches{underway: make(map[cache.Key]*fetchesOfKey)} }

// begin begins a fetch, whose calls are made with the context that it returns. It has to
// be ended.
func (f *fetches) begin(ctx context.Context, key cache.Key, now func() time.Time) (*fetch, context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	of := f.underway[key]
	if of == nil {
		of = new(fetchesOfKey)
		f.underway[key] = of
	}
	of.underway++
	one := &fetch{all: f, key: key, now: now, departed: now(), before: of.ended}
	return one, cache.WithDeparture(ctx, one.depart)
}

// depart notes that its request goes out. The first one counts.
func (f *fetch) depart(context.Context) {
	f.all.mu.Lock()
	defer f.all.mu.Unlock()
	if of := f.all.underway[f.key]; of != nil && !f.left {
		f.departed, f.before, f.left = f.now(), of.ended, true
	}
}

// end ends a fetch. It returns as of when its answer is, and whether another one of the
// key ended since. A fetch without an answer overtakes none.
func (f *fetch) end(answered bool) (asOf time.Time, overtaken bool) {
	f.all.mu.Lock()
	defer f.all.mu.Unlock()
	of := f.all.underway[f.key]
	overtaken = of.ended != f.before
	if answered {
		of.ended++
	}
	if of.underway--; of.underway == 0 {
		delete(f.all.underway, f.key)
	}
	return f.departed, overtaken
}
