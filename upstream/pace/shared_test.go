package pace

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// fakeShared is a shared budget in the process whose answers the test sets.
type fakeShared struct {
	take func(Ask) (Answer, error)

	mu       sync.Mutex
	asks     []Ask
	looks    int
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

func (f *fakeShared) asked() []Ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asks)
}

// Look finds no states where take finds no token.
func (f *fakeShared) Look(context.Context, Rules, []Terms) ([]State, error) {
	f.mu.Lock()
	f.looks++
	f.mu.Unlock()
	_, err := f.take(Ask{})
	return nil, err
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

// A lost answer may have been a token: that of the call that asked for it. The replica
// makes no other one before its share has earned it.
func TestLostAnswerCountsAsSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &fakeShared{take: func(Ask) (Answer, error) { return Answer{}, ErrUnavailable }}
		p, s := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 1}, Share: 0.5, Margin: 0.01}), newScript(t)
		start := time.Now()
		s.wait(t.Context(), p, "b", "f")
		s.want("f")
		if took := time.Since(start); took != 0 {
			t.Errorf("the first after %s", took)
		}
		s.wait(t.Context(), p, "b", "g")
		s.want("g")
		// Half of ten a minute.
		if took := time.Since(start).Round(time.Second); took != 12*time.Second {
			t.Errorf("the second after %s", took)
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
		m := newModel(0, time.Minute)
		var down atomic.Bool
		down.Store(true)
		shared := &fakeShared{take: func(Ask) (Answer, error) {
			if down.Load() {
				return Answer{}, ErrUnavailable
			}
			return Answer{Granted: true, BucketWait: 6 * time.Second}, nil
		}}
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 1}, Share: 0.5})
		busy(t, p, m, 3, 20*time.Minute)
		m.check(t, 5)
		if total, _ := m.count(); total < 90 {
			t.Errorf("%d calls in 20 minutes", total)
		}
		drain(t, p, "b")
		// The next call finds the shared budget again, and tells it of the last one.
		before := len(shared.asked())
		down.Store(false)
		time.Sleep(time.Second) //nolint:forbidigo // the time of the bubble
		drain(t, p, "b")
		debt := shared.asked()[before].BucketDebt
		// The call is as old as it is in the debt of all calls. In a share of a half it
		// takes twice the time to earn it again.
		interval := p.rules.priceOf(Limit{10, 1}, 10).interval
		age, early := interval-debt.Own, debt.Unsettled-(interval-(interval-debt.Own)/2)
		if age < time.Second || age > 2*time.Second || early < -time.Microsecond || early > 250*time.Millisecond {
			t.Errorf("came back with a debt of %+v", debt)
		}
		if d := shared.asked()[before].OrganizationDebt; d.Own != 0 || d.Unsettled != 0 {
			t.Errorf("owes the organization %+v, with room for 1,000 at once", d)
		}
		drain(t, p, "b")
		if d := shared.asked()[before+1].BucketDebt; d.Unsettled != 0 || d.Own == 0 {
			t.Errorf("pays twice: %+v", d)
		}
	})
}

// A call that cannot wait for the share is refused, at once when the loss has lasted and
// it is not used to ask for the shared budget.
func TestShortDeadlinesWhileSharedIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := &fakeShared{take: func(Ask) (Answer, error) { return Answer{}, ErrUnavailable }}
		p := newPacer(t, Options{Shared: shared, Organization: roomy, Default: Limit{10, 1}})
		ask := func(bucket string) (time.Duration, error) {
			return within(t, p, bucket, Interactive, 10*time.Second)
		}
		for _, bucket := range []string{"a", "b"} {
			if took, err := ask(bucket); took > 10*time.Millisecond || err != nil { // For the organization's second.
				t.Errorf("waited for %s: %v", took, err)
			}
		}
		for i := range 4 {
			for _, bucket := range []string{"a", "b", "a"} {
				took, err := ask(bucket)
				exhausted(t, err, TooLate)
				if i > 0 && took != 0 {
					t.Errorf("waited for %s", took)
				}
			}
			time.Sleep(time.Second) //nolint:forbidigo // the time of the bubble
		}
		synctest.Wait()
		if n := len(shared.asked()) + shared.looks; n < 4 || n > 6 {
			t.Errorf("asked %d times in 4 s", n)
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
