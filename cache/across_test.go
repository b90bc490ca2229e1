package cache

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var acrossTags = NewTags("org_1", "a")

// tableLeases are leases in memory that expire.
type tableLeases struct {
	mu         sync.Mutex
	of         map[Key]*tableLease
	generation int
	fails      bool
}

type tableLease struct {
	table      *tableLeases
	key        Key
	class      int
	departed   bool
	generation int
	ttl        time.Duration
	until      time.Time
}

func newTableLeases() *tableLeases { return &tableLeases{of: map[Key]*tableLease{}} }

func (l *tableLeases) Acquire(_ context.Context, claim Claim, ttl time.Duration) (Lease, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails {
		return nil, false, ErrUnavailable
	}
	if held := l.of[claim.Key]; held != nil && time.Now().Before(held.until) && held.generation == l.generation &&
		(held.departed || held.class <= claim.Class) {
		return nil, false, nil
	}
	lease := &tableLease{table: l, key: claim.Key, class: claim.Class, generation: l.generation, ttl: ttl, until: time.Now().Add(ttl)}
	l.of[claim.Key] = lease
	return lease, true, nil
}

func (l *tableLease) Renew(_ context.Context, class int, departed bool) (bool, error) {
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	held := l.table.of[l.key]
	departs := departed && (held == nil || (!held.departed && held.generation == l.generation))
	if held != l && !departs {
		return false, nil
	}
	l.table.of[l.key] = l
	l.class, l.departed, l.until = class, departed, time.Now().Add(l.ttl)
	return true, nil
}

func (l *tableLease) Release(ctx context.Context) error {
	l.table.mu.Lock()
	defer l.table.mu.Unlock()
	if ctx.Err() == nil && l.table.of[l.key] == l {
		delete(l.table.of, l.key)
	}
	return nil
}

// rival is a replica that fetches.
type rival struct {
	class int
	// wait is how long it waits for the budget, and takes how long its request takes.
	wait, takes time.Duration
	err         error
}

// acrossTest counts requests that were sent.
type acrossTest struct {
	t      *testing.T
	leases *tableLeases
	saved  atomic.Pointer[string]
	sent   atomic.Int64
	all    sync.WaitGroup
}

// begin lets a replica miss, and returns the time after which it had an answer.
func (a *acrossTest) begin(r rival) (took *time.Duration) {
	began := time.Now()
	took = new(time.Duration)
	a.all.Go(func() {
		got, err := Across(a.t.Context(), Shared[string]{
			Leases: a.leases, Key: flightTestKey, Tags: acrossTags, Class: func() int { return r.class },
			Load: func(context.Context) (string, bool) {
				if body := a.saved.Load(); body != nil {
					return *body, true
				}
				return "", false
			},
			Fetch: func(ctx context.Context) (string, error) {
				select {
				case <-time.After(r.wait):
				case <-ctx.Done():
					return "", ctx.Err()
				}
				Depart(ctx)
				a.sent.Add(1)
				time.Sleep(r.takes) //nolint:forbidigo // A bubble's clock.
				if r.err != nil {
					return "", r.err
				}
				body := "body"
				a.saved.Store(&body)
				return body, nil
			},
		})
		if (err == nil && got != "body") || !errors.Is(err, r.err) {
			a.t.Errorf("Across = %q, %v", got, err)
		}
		*took = time.Since(began)
	})
	synctest.Wait()
	return took
}

func TestAcross(t *testing.T) {
	t.Parallel()
	failed := errors.New("upstream")
	for name, test := range map[string]struct {
		broken bool
		rivals []rival
		sent   int64
		// last is the longest that the last one may take.
		last time.Duration
	}{
		"one fetches": {rivals: []rival{{takes: time.Second}, {}, {}}, sent: 1, last: 2 * time.Second},
		// The lease is renewed for as long as it takes.
		"one waits for a minute": {rivals: []rival{{wait: time.Minute}, {}, {}}, sent: 1, last: 62 * time.Second},
		"the first fails":        {rivals: []rival{{err: failed}, {takes: time.Second}, {}}, sent: 2, last: 3 * time.Second},
		"nobody gives leases":    {broken: true, rivals: []rival{{}, {}, {}}, sent: 3, last: time.Second},
		// The inventory's request is not sent any more, and its replica gets the answer.
		"a more urgent one":   {rivals: []rival{{class: 3, wait: time.Minute}, {class: 2, takes: time.Second}}, sent: 1, last: 2 * time.Second},
		"the most urgent one": {rivals: []rival{{class: 3, wait: time.Minute}, {class: 2, wait: 30 * time.Second}, {class: 1}}, sent: 1, last: time.Second},
		"a less urgent one":   {rivals: []rival{{class: 2, wait: 10 * time.Second}, {class: 3}}, sent: 1, last: 12 * time.Second},
		// An answer that is under way comes sooner than another one.
		"a more urgent one, after the departure": {rivals: []rival{{class: 3, takes: 8 * time.Second}, {class: 1}}, sent: 1, last: 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := &acrossTest{t: t, leases: newTableLeases()}
				a.leases.fails = test.broken
				var took *time.Duration
				for _, r := range test.rivals {
					took = a.begin(r)
				}
				a.all.Wait()
				if a.sent.Load() != test.sent {
					t.Errorf("%d requests, want %d", a.sent.Load(), test.sent)
				}
				if *took > test.last {
					t.Errorf("the last one waited for %v, want %v", *took, test.last)
				}
				if len(a.leases.of) != 0 {
					t.Error("a lease was not given back")
				}
			})
		})
	}
}

// A replica that came after a write does not wait for a fetch from before it.
func TestAcrossNewer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &acrossTest{t: t, leases: newTableLeases()}
		a.begin(rival{class: 1, takes: time.Minute})
		a.leases.mu.Lock()
		a.leases.generation++
		a.leases.mu.Unlock()
		if took := a.begin(rival{class: 3}); *took > time.Second {
			t.Errorf("waited for %v", *took)
		}
		a.all.Wait()
	})
}

// A replica that dies keeps the others waiting for a lease.
func TestAcrossDeadHolder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &acrossTest{t: t, leases: newTableLeases()}
		if _, ok, err := a.leases.Acquire(t.Context(), Claim{Key: flightTestKey, Tags: acrossTags}, DefaultFetchLease); !ok || err != nil {
			t.Fatal(ok, err)
		}
		took := a.begin(rival{class: 1})
		a.all.Wait()
		if *took > DefaultFetchLease+time.Second {
			t.Errorf("waited for %v", *took)
		}
	})
}

func TestAcrossCallerLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leases := newTableLeases()
		if _, ok, err := leases.Acquire(t.Context(), Claim{Key: flightTestKey}, time.Hour); !ok || err != nil {
			t.Fatal(ok, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := Across(ctx, Shared[string]{
			Leases: leases, Key: flightTestKey, Tags: acrossTags, Class: func() int { return 0 },
			Load:  func(context.Context) (string, bool) { return "", false },
			Fetch: func(context.Context) (string, error) { t.Error("fetched without a lease"); return "", nil },
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Across = %v", err)
		}
	})
}

// The lease may be free because another replica saved a response after the miss.
func TestAcrossLooksAgain(t *testing.T) {
	t.Parallel()
	got, err := Across(t.Context(), Shared[string]{
		Leases: newTableLeases(), Key: flightTestKey, Tags: acrossTags, Class: func() int { return 0 },
		Load:  func(context.Context) (string, bool) { return "saved", true },
		Fetch: func(context.Context) (string, error) { return "fetched again", nil },
	})
	if got != "saved" || err != nil {
		t.Errorf("Across = %q, %v", got, err)
	}
}
