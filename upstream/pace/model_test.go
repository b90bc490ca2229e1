package pace

import (
	"sync"
	"testing"
	"time"
)

// model is an upstream that counts in sliding windows, by bucket.
type model struct {
	budget int // 0 admits all
	window time.Duration

	mu       sync.Mutex
	admitted map[string][]time.Time
	arrived  map[string][]time.Time
	most     map[string]int
	refusals int
	total    int
}

func newModel(budget int, window time.Duration) *model {
	return &model{
		budget: budget, window: window,
		admitted: make(map[string][]time.Time), arrived: make(map[string][]time.Time), most: make(map[string]int),
	}
}

// arrive counts a call. Over the budget it returns the time to wait.
func (m *model) arrive(bucket string) (retryAfter time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.total++
	m.arrived[bucket] = append(slide(m.arrived[bucket], now.Add(-m.window)), now)
	m.most[bucket] = max(m.most[bucket], len(m.arrived[bucket]))
	recent := slide(m.admitted[bucket], now.Add(-m.window))
	if m.budget > 0 && len(recent) >= m.budget {
		m.refusals++
		return recent[0].Add(m.window).Sub(now)
	}
	m.admitted[bucket] = append(recent, now)
	return 0
}

func slide(times []time.Time, since time.Time) []time.Time {
	for len(times) > 0 && !times[0].After(since) {
		times = times[1:]
	}
	return times
}

// check fails the test if a window had more calls than it may.
func (m *model) check(tb testing.TB, most int) {
	tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for bucket, n := range m.most {
		if n > most {
			tb.Errorf("%s: %d calls in a window, want at most %d", bucket, n, most)
		}
	}
}

// forget restarts the measurement. Earlier calls still count for the budget.
func (m *model) forget() (refusals int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	refusals, m.refusals = m.refusals, 0
	m.most = make(map[string]int)
	m.arrived = make(map[string][]time.Time)
	return refusals
}

func (m *model) count() (total, refusals int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total, m.refusals
}
