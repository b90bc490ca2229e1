package pace

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ledger is a shared budget in the process that counts as Redis does, and that can be
// lost: for a time, or with what it knows.
type ledger struct {
	mu   sync.Mutex
	down bool
	full map[string]time.Time // when a bucket is full again
	due  map[string]time.Time // closed until
	last Refusal
}

func newLedger() *ledger {
	return &ledger{full: make(map[string]time.Time), due: make(map[string]time.Time)}
}

func (l *ledger) set(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

// forget loses the state of all buckets.
func (l *ledger) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.full)
}

func (l *ledger) Take(_ context.Context, ask Ask) (Answer, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return Answer{}, ErrUnavailable
	}
	now := time.Now()
	wait := func(terms Terms, debt Debt) time.Duration {
		price, full, known := ask.Rules.priceOf(terms.Limit, terms.Limit.Calls), now, false
		if at, ok := l.full[terms.Bucket]; ok {
			known = true
			if at.After(now) {
				full = at
			}
		}
		spent := full.Add(debt.Unsettled)
		if own := now.Add(debt.Own); own.After(spent) && (!known || own.After(full.Add(price.interval))) {
			spent = own
		}
		full = spent
		l.full[terms.Bucket] = full
		return max(full.Add(-time.Duration(price.burst-1)*price.interval).Sub(now), l.due[terms.Bucket].Sub(now))
	}
	answer := Answer{BucketWait: wait(ask.Bucket, ask.BucketDebt), OrganizationWait: wait(ask.Organization, ask.OrganizationDebt)}
	answer.Granted = answer.BucketWait <= 0 && answer.OrganizationWait <= 0
	for i, terms := range []Terms{ask.Bucket, ask.Organization} {
		price := ask.Rules.priceOf(terms.Limit, terms.Limit.Calls)
		if answer.Granted {
			l.full[terms.Bucket] = l.full[terms.Bucket].Add(price.interval)
		}
		left := l.full[terms.Bucket].Sub(now)
		state := State{
			Rate: terms.Limit.Calls, Refused: -1, Closed: max(0, l.due[terms.Bucket].Sub(now)),
			Tokens: max(0, math.Floor(float64(price.burst)-float64(left)/float64(price.interval))),
		}
		next := max(0, left-time.Duration(price.burst-1)*price.interval)
		if i == 0 {
			answer.Bucket, answer.BucketWait = state, max(next, answer.BucketWait)
		} else {
			answer.Organization, answer.OrganizationWait = state, max(next, answer.OrganizationWait)
		}
	}
	return answer, nil
}

func (l *ledger) Return(context.Context, Ask, Answer) error { return nil }

func (l *ledger) Refuse(_ context.Context, refusal Refusal) (State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return State{}, ErrUnavailable
	}
	l.last = refusal
	l.due[refusal.Bucket.Bucket] = time.Now().Add(refusal.Closed)
	return State{Rate: refusal.Bucket.Limit.Calls, Closed: refusal.Closed}, nil
}

func (l *ledger) Look(context.Context, Rules, []Terms) ([]State, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, ErrUnavailable
	}
	return nil, nil
}

// within makes a call that waits for at most limit, and returns how long it waited.
func within(t *testing.T, p *Pacer, bucket string, class Class, limit time.Duration) (time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(as(t.Context(), "f", class), limit)
	defer cancel()
	began := time.Now()
	_, err := p.Wait(ctx, bucket)
	return time.Since(began), err
}

// atOnce fails unless a call may be made without a wait.
func atOnce(t *testing.T, p *Pacer, bucket string, class Class) {
	t.Helper()
	if took, err := within(t, p, bucket, class, 10*time.Second); took != 0 || err != nil {
		t.Errorf("%s in %q waited for %s: %v", class, bucket, took, err)
	}
}

// A replica that loses the shared budget goes on from what it knew: a bucket that it has
// not used has a call, one that it has used has one for a revocation, and after that
// each call waits for the replica's share.
func TestLostBudgetGoesOnFromWhatWasKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLedger()
		p := newPacer(t, Options{Shared: shared})
		atOnce(t, p, "used", Interactive)
		shared.set(true)
		atOnce(t, p, "unused", Interactive)
		atOnce(t, p, "used", Revocation)
		<-time.After(5 * time.Second)
		for _, bucket := range []string{"used", "unused"} {
			for _, class := range []Class{Revocation, Interactive} {
				took, err := within(t, p, bucket, class, 10*time.Second)
				if e := exhausted(t, err, TooLate); took > time.Second || e.RetryAfter < 20*time.Second {
					t.Errorf("%s in %q is refused after %s: %v", class, bucket, took, err)
				}
			}
		}
		// Two of seven calls a minute, as of the loss.
		if took, err := within(t, p, "used", Interactive, time.Minute); err != nil || took < 20*time.Second || took > 26*time.Second {
			t.Errorf("waited for %s: %v", took, err)
		}
	})
}

// Of the tokens that were there, a replica has its share.
func TestLostBudgetSharesWhatWasThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLedger()
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{40, 9}, Share: 0.5})
		for range 5 {
			atOnce(t, p, "b", Interactive)
		}
		shared.set(true)
		for range 2 { // Half of the four.
			atOnce(t, p, "b", Interactive)
		}
		if took, err := within(t, p, "b", Interactive, time.Minute); err != nil || took == 0 {
			t.Errorf("waited for %s: %v", took, err)
		}
	})
}

// The loss of one answer refuses nobody: the call waits until the budget is asked again.
func TestHiccupOfTheSharedBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLedger()
		p := newPacer(t, Options{Shared: shared})
		atOnce(t, p, "b", Interactive)
		<-time.After(8 * time.Second)
		shared.set(true)
		time.AfterFunc(150*time.Millisecond, func() { shared.set(false) })
		took, err := within(t, p, "b", Interactive, 5*time.Second)
		if err != nil || took > 1100*time.Millisecond {
			t.Errorf("waited for %s: %v", took, err)
		}
		<-time.After(30 * time.Second)
		shared.set(true)
		atOnce(t, p, "b", Revocation)
		shared.set(false)
		<-time.After(time.Second)
		// What was spent is settled, and no more: one call in the time of seven.
		if took, err := within(t, p, "b", Revocation, 10*time.Second); err != nil || took > 8790*time.Millisecond {
			t.Errorf("waited for %s: %v", took, err)
		}
		<-time.After(time.Minute)
		shared.set(true)
		atOnce(t, p, "b", Interactive)
		<-time.After(26 * time.Second) // Its share has earned that call again.
		shared.set(false)
		<-time.After(time.Second)
		atOnce(t, p, "b", Interactive)
	})
}

// A refusal while replicas count alone closes the bucket, for all of them, and says
// nothing of the rate.
func TestRefusalWhileTheBudgetIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := newLedger()
		shared.set(true)
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 1}, Share: 1})
		grant := drain(t, p, "b")
		p.Limited(t.Context(), grant, 30*time.Second)
		if s := stateOf(t, p); s.Rate != 10 || time.Until(s.ClosedUntil) != 30*time.Second {
			t.Errorf("%+v", s)
		}
		for _, class := range []Class{Revocation, Interactive} {
			if took, err := within(t, p, "b", class, 20*time.Second); took != 0 {
				t.Errorf("%s waited for %s", class, took)
			} else if e := exhausted(t, err, TooLate); e.RetryAfter < 29*time.Second {
				t.Errorf("%s: %v", class, err)
			}
		}
		<-time.After(10 * time.Second)
		shared.set(false)
		drain(t, p, "b")
		if r := shared.last; !r.Unlearned || r.Rate != 0 || r.Closed < 18*time.Second || r.Closed > 20*time.Second {
			t.Errorf("reported %+v", r)
		}
		if s := stateOf(t, p); s.Rate != 10 {
			t.Errorf("%+v", s)
		}
	})
}

// Replicas lose the shared budget and find it again, with and without what it knew, for
// a moment and for minutes. In no window they make more calls than the budget, and for
// each replica one over it, and its share of the tokens that a burst leaves, rounded up.
func TestBudgetHoldsWhileItIsLost(t *testing.T) {
	const replicas = 3
	for seed := range uint64(60) {
		test := []struct {
			limit Limit
			most  int
		}{
			{Limit{7, 1}, 7 + replicas}, {Limit{10, 3}, 10 + replicas*(1+1)},
			{Limit{60, 5}, 60 + replicas*(1+2)}, {Limit{20, 8}, 20 + replicas*(1+3)},
		}[seed%4]
		limit := test.limit
		t.Run(fmt.Sprintf("%g calls, burst %d, seed %d", limit.Calls, limit.Burst, seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 14))
				shared, m := newLedger(), newModel(0, time.Minute)
				ctx, stop := context.WithCancel(t.Context())
				var all sync.WaitGroup
				for replica := range replicas {
					p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: limit})
					for i, class := range []Class{Revocation, Interactive, FanOut} {
						pause := time.Duration(random.IntN(40)) * time.Second
						all.Go(func() {
							busyAs(as(ctx, fmt.Sprint(replica, i), class), p, m, pause)
						})
					}
				}
				back := time.Now()
				for range 40 {
					settled := time.Since(back) > time.Minute
					shared.set(true)
					<-time.After(time.Duration(random.ExpFloat64() * float64(30*time.Second)))
					if settled && random.IntN(2) == 0 {
						shared.forget() // With what it was told of the last loss, if that was just now.
					}
					shared.set(false)
					back = time.Now()
					<-time.After(time.Duration(random.ExpFloat64() * float64(60*time.Second)))
				}
				stop()
				all.Wait()
				m.check(t, test.most)
				if total, _ := m.count(); total < 100 {
					t.Errorf("%d calls", total)
				}
			})
		})
	}
}

// busyAs makes calls until ctx ends, each within ten seconds, and pauses in between.
func busyAs(ctx context.Context, p *Pacer, m *model, pause time.Duration) {
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, 10*time.Second)
		if _, err := p.Wait(limited, "b"); err == nil {
			m.arrive("b")
		}
		cancel()
		select {
		case <-ctx.Done():
		case <-time.After(pause + time.Second):
		}
	}
}
