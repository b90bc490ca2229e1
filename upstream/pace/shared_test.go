package pace

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// fakeShared is a shared budget in the process whose answers the test sets.
type fakeShared struct {
	take func(Ask) (Answer, error)

	mu       sync.Mutex
	asks     []Ask
	returned []Answer
	refusals []Refusal
	refuse   error
}

func (f *fakeShared) Take(_ context.Context, ask Ask) (Answer, error) {
	f.mu.Lock()
	f.asks = append(f.asks, ask)
	f.mu.Unlock()
	answer, err := f.take(ask)
	if answer.Bucket.Rate == 0 {
		answer.Bucket.Rate = ask.Bucket.Limit.Calls
	}
	answer.Organization.Rate = ask.Organization.Limit.Calls
	answer.Bucket.Refused, answer.Organization.Refused = -1, -1
	return answer, err
}

func (f *fakeShared) Return(_ context.Context, _ Ask, answer Answer) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.returned = append(f.returned, answer)
	return nil
}

func (f *fakeShared) Refuse(_ context.Context, refusal Refusal) (State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return State{}, f.refuse
	}
	f.refusals = append(f.refusals, refusal)
	return State{Rate: refusal.Bucket.Limit.Calls, Closed: refusal.Closed}, nil
}

func (f *fakeShared) Look(context.Context, Rules, []Terms) ([]State, error) {
	return nil, ErrUnavailable
}

// The next call is chosen when the token arrives, also if that took time.
func TestRevocationThatComesWhileRedisIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		shared := &fakeShared{take: func(Ask) (Answer, error) {
			<-answer
			return Answer{Granted: true}, nil
		}}
		p, s := newPacer(t, Options{Shared: shared}), newScript(t)
		s.wait(as(t.Context(), "f", FanOut), p, "b", "f")
		s.wait(as(t.Context(), "r", Revocation), p, "b", "r")
		answer <- struct{}{}
		s.want("r")
		answer <- struct{}{}
		s.want("f")
	})
}

func TestTokenOfACallThatLeftGoesToTheNextOrBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		shared := &fakeShared{take: func(Ask) (Answer, error) {
			<-answer
			return Answer{Granted: true, Receipt: "1:2:3:4"}, nil
		}}
		p, s := newPacer(t, Options{Shared: shared}), newScript(t)
		for _, stays := range []bool{true, false} {
			ctx, leave := context.WithCancel(t.Context())
			s.wait(ctx, p, "b", "leaving")
			if stays {
				s.wait(t.Context(), p, "b", "staying")
			}
			leave()
			if got := <-s.results; !errors.Is(got.err, context.Canceled) {
				t.Fatal(got)
			}
			answer <- struct{}{}
			if stays {
				s.want("staying")
			}
			synctest.Wait()
		}
		if len(shared.asks) != 2 || len(shared.returned) != 1 || shared.returned[0].Receipt != "1:2:3:4" {
			t.Errorf("asked %d times, returned %+v", len(shared.asks), shared.returned)
		}
	})
}

// A lost answer may have been a token. The replica asks for no other one before the
// budget has earned it again.
func TestLostAnswerCountsAsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &fakeShared{take: func(Ask) (Answer, error) { return Answer{}, ErrUnavailable }}
		p, s := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 5}, Share: 0.5, Margin: 0.01}), newScript(t)
		start := time.Now()
		s.wait(t.Context(), p, "b", "f")
		s.want("f")
		// Half of ten a minute, and from an empty bucket.
		if took := time.Since(start).Round(time.Second); took != 12*time.Second {
			t.Errorf("the first after %s", took)
		}
		if s := stateOf(t, p); s.Rate != 5 || s.Burst != 1 || s.Shared {
			t.Errorf("%+v", s)
		}
		if n := len(shared.asks); n < 12 || n > 14 {
			t.Errorf("asked %d times in 12 s", n)
		}
	})
}

func TestShareIsNeverExceededAndReturnIsPaidFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down bool
		var next time.Time
		m := newModel(0, time.Minute)
		shared := &fakeShared{}
		shared.take = func(ask Ask) (Answer, error) {
			if down {
				return Answer{}, ErrUnavailable
			}
			wait := time.Until(next)
			if ask.BucketDebt != DebtOwed && wait > 0 {
				return Answer{BucketWait: wait}, nil
			}
			next = time.Now().Add(6 * time.Second)
			return Answer{Granted: ask.BucketDebt != DebtOwed, BucketWait: 6 * time.Second}, nil
		}
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 1}, Share: 0.35})
		down = true
		busy(t, p, m, 3, 20*time.Minute)
		m.check(t, 3)
		if total, _ := m.count(); total < 50 {
			t.Errorf("%d calls in 20 minutes", total)
		}
		// A call that cannot wait for the share finds the shared budget again.
		shared.asks, down = nil, false
		time.Sleep(time.Second) //nolint:forbidigo // the time of the bubble
		busy(t, p, m, 1, 13*time.Second)
		if d := shared.asks[0]; d.BucketDebt != DebtOwed || d.OrganizationDebt != DebtOwed {
			t.Errorf("came back without a debt: %+v", d)
		}
		if d := shared.asks[1]; d.BucketDebt != DebtIfLost {
			t.Errorf("pays twice: %+v", d)
		}
	})
}

// A call that cannot wait for the share is refused, also when it is used to ask for
// the shared budget.
func TestShortDeadlinesWhileSharedIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &fakeShared{take: func(Ask) (Answer, error) { return Answer{}, ErrUnavailable }}
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 1}})
		for range 3 {
			start := time.Now()
			for _, bucket := range []string{"a", "b", "a"} {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				_, err := p.Wait(ctx, bucket)
				exhausted(t, err, TooLate)
				cancel()
			}
			if took := time.Since(start); took != 0 {
				t.Errorf("waited for %s", took)
			}
			time.Sleep(time.Second) //nolint:forbidigo // the time of the bubble
		}
		if n := len(shared.asks); n != 3 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestRefusalIsReportedWhenSharedIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &fakeShared{take: func(Ask) (Answer, error) { return Answer{Granted: true}, nil }}
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 1}})
		grant := drain(t, p, "b")
		shared.refuse = ErrUnavailable
		p.Limited(t.Context(), grant, time.Second)
		if s := stateOf(t, p); s.Rate != 7 {
			t.Errorf("rate %g, want 7", s.Rate)
		}
		shared.refuse = nil
		drain(t, p, "b")
		if len(shared.refusals) != 1 || shared.refusals[0].Rate != 7 {
			t.Errorf("got %+v", shared.refusals)
		}
		drain(t, p, "b")
		if len(shared.refusals) != 1 {
			t.Error("reported twice")
		}
	})
}

func TestCloseWhileSharedIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := make(chan struct{})
		shared := &fakeShared{take: func(Ask) (Answer, error) {
			<-answer
			return Answer{Granted: true}, nil
		}}
		p, s := newPacer(t, Options{Shared: shared}), newScript(t)
		s.wait(t.Context(), p, "b", "f")
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			p.Close()
		}()
		if got := <-s.results; !errors.Is(got.err, ErrClosed) {
			t.Error(got.err)
		}
		close(answer)
		<-closed
		p.Close()
	})
}
