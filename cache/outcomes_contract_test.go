package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// outcomesSubject is an Outcomes under the contract test.
type outcomesSubject struct {
	// replica gives an Outcomes over the same store, as another replica has one.
	replica func(tb testing.TB) Outcomes
	// endLeases lets all leases end that have begun, as time would, and
	// endLives all lives.
	endLeases, endLives func(tb testing.TB)
	// clocked is false where time is real, and a wait is over by itself.
	clocked bool
}

const (
	outcomesLease = time.Minute
	outcomesLife  = time.Hour
)

func outcomeKey(name string) OutcomeKey {
	return OutcomeKey{Key: Key{Org: "org_1", Canonical: name}, Owner: "kim"}
}

func fingerprint(n byte) Fingerprint { return Fingerprint{n, 1, 0, '\n', 0xff} }

func begin(tb testing.TB, o Outcomes, name string, n byte) Outcome {
	tb.Helper()
	outcome, err := o.Begin(tb.Context(), outcomeKey(name), fingerprint(n), outcomesLease)
	if err != nil {
		tb.Fatalf("Begin(%s): %v", name, err)
	}
	return outcome
}

func wantState(tb testing.TB, got Outcome, state OutcomeState, body string) Outcome {
	tb.Helper()
	if got.State != state || string(got.Body) != body || (got.Claim != nil) != (state == OutcomeBegun) {
		tb.Fatalf("state %d with %.40q and claim %v, want state %d with %.40q", got.State, got.Body, got.Claim, state, body)
	}
	return got
}

func finish(tb testing.TB, o Outcome, body string) {
	tb.Helper()
	if err := o.Claim.Finish(tb.Context(), []byte(body)); err != nil {
		tb.Fatalf("Finish: %v", err)
	}
}

// testOutcomesContract is what every Outcomes must pass.
func testOutcomesContract(t *testing.T, newSubject func(t *testing.T) outcomesSubject) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s outcomesSubject)
	}{
		{"done once, told to all", outcomesOnce},
		{"outcomes come back whole", outcomesWhole},
		{"other keys, organizations and fingerprints", outcomesOthers},
		{"given back", outcomesAbandon},
		{"a runner that died", outcomesDead},
		{"a wait ends with the outcome", outcomesWait},
		{"a wait ends with its context", outcomesWaitCancelled},
		{"a wait takes over what is given back", outcomesTakeOver},
		{"a wait ends with the other's lease", outcomesWaitLease},
		{"a claim is ended once", outcomesEndedOnce},
		{"ends are not stopped by their context", outcomesEndCancelled},
		{"a life ends", outcomesLives},
		{"what is refused", outcomesRefused},
		{"many at once", outcomesMany},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newSubject(t))
		})
	}
}

func outcomesOnce(t *testing.T, s outcomesSubject) {
	first, second := s.replica(t), s.replica(t)
	finish(t, wantState(t, begin(t, first, "a", 1), OutcomeBegun, ""), "outcome of a")
	for range 3 {
		wantState(t, begin(t, first, "a", 1), OutcomeKept, "outcome of a")
		wantState(t, begin(t, second, "a", 1), OutcomeKept, "outcome of a")
	}
}

func outcomesWhole(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i, body := range []string{"", "\x00", string(all), strings.Repeat("\r\n", 20_000)} {
		name := fmt.Sprint(i)
		// Every byte at every place of a fingerprint.
		var f Fingerprint
		copy(f[:], all[i*32:])
		outcome, err := o.Begin(t.Context(), outcomeKey(name), f, outcomesLease)
		if err != nil {
			t.Fatal(err)
		}
		given := []byte(body)
		if err := outcome.Claim.Finish(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		copy(given, "it may be used again")
		if outcome, err = o.Begin(t.Context(), outcomeKey(name), f, outcomesLease); err != nil {
			t.Fatal(err)
		}
		wantState(t, outcome, OutcomeKept, body)
	}
}

func outcomesOthers(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	running := wantState(t, begin(t, o, "a", 1), OutcomeBegun, "")
	wantState(t, begin(t, o, "a", 2), OutcomeOther, "") // At once, and not after a wait.
	other, err := o.Begin(t.Context(), OutcomeKey{Key: Key{Org: "org_2", Canonical: "a"}}, fingerprint(1), outcomesLease)
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, other, OutcomeBegun, "")
	wantState(t, begin(t, o, "b", 1), OutcomeBegun, "")
	finish(t, running, "one")
	wantState(t, begin(t, o, "a", 2), OutcomeOther, "")
	wantState(t, begin(t, o, "a", 1), OutcomeKept, "one")
}

func outcomesAbandon(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	for n := range byte(3) { // With any fingerprint.
		if err := wantState(t, begin(t, o, "a", n), OutcomeBegun, "").Claim.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, wantState(t, begin(t, o, "a", 9), OutcomeBegun, ""), "at last")
}

func outcomesDead(t *testing.T, s outcomesSubject) {
	o, other := s.replica(t), s.replica(t)
	late := wantState(t, begin(t, o, "seen", 1), OutcomeBegun, "")
	unseen := wantState(t, begin(t, o, "unseen", 1), OutcomeBegun, "")
	s.endLeases(t)
	for range 2 {
		wantState(t, begin(t, other, "seen", 1), OutcomeLost, "")
		wantState(t, begin(t, o, "seen", 1), OutcomeLost, "")
		wantState(t, begin(t, o, "seen", 2), OutcomeOther, "")
	}
	// What was told stays true.
	if err := late.Claim.Finish(t.Context(), []byte("late")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("finishing what was lost: %v", err)
	}
	if err := late.Claim.Abandon(t.Context()); err != nil {
		t.Errorf("giving back what was lost: %v", err)
	}
	wantState(t, begin(t, o, "seen", 1), OutcomeLost, "")
	finish(t, unseen, "late, and nobody knows")
	wantState(t, begin(t, other, "unseen", 1), OutcomeKept, "late, and nobody knows")
}

// waiting begins "a", which is under way.
func waiting(ctx context.Context, t *testing.T, o Outcomes) <-chan Outcome {
	t.Helper()
	got := make(chan Outcome, 1)
	go func() {
		outcome, err := o.Begin(ctx, outcomeKey("a"), fingerprint(1), outcomesLease)
		if err != nil && ctx.Err() == nil {
			t.Errorf("Begin: %v", err)
		}
		got <- outcome
	}()
	return got
}

func outcomesWait(t *testing.T, s outcomesSubject) {
	o, other := s.replica(t), s.replica(t)
	claim := wantState(t, begin(t, o, "a", 1), OutcomeBegun, "")
	here, there := waiting(t.Context(), t, o), waiting(t.Context(), t, other)
	finish(t, claim, "one")
	wantState(t, <-here, OutcomeKept, "one")
	wantState(t, <-there, OutcomeKept, "one")
}

func outcomesWaitCancelled(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	claim := wantState(t, begin(t, o, "a", 1), OutcomeBegun, "")
	ctx, cancel := context.WithCancel(t.Context())
	got := waiting(ctx, t, o)
	cancel()
	wantState(t, <-got, 0, "")
	finish(t, claim, "one")
	if _, err := o.Begin(cancelled(t), outcomeKey("b"), fingerprint(1), outcomesLease); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin by who has left: %v", err)
	}
	wantState(t, begin(t, o, "b", 2), OutcomeBegun, "")
}

func outcomesTakeOver(t *testing.T, s outcomesSubject) {
	o, other := s.replica(t), s.replica(t)
	claim := wantState(t, begin(t, o, "a", 1), OutcomeBegun, "")
	here, there := waiting(t.Context(), t, o), waiting(t.Context(), t, other)
	if err := claim.Claim.Abandon(t.Context()); err != nil {
		t.Fatal(err)
	}
	var next Outcome
	select {
	case next = <-here:
		here = there
	case next = <-there:
	}
	finish(t, wantState(t, next, OutcomeBegun, ""), "two")
	wantState(t, <-here, OutcomeKept, "two")
}

func outcomesWaitLease(t *testing.T, s outcomesSubject) {
	o, other := s.replica(t), s.replica(t)
	wantState(t, begin(t, o, "a", 1), OutcomeBegun, "")
	here, there := waiting(t.Context(), t, o), waiting(t.Context(), t, other)
	s.endLeases(t)
	if s.clocked { // Its timers go by real time: somebody else has to come.
		wantState(t, begin(t, o, "a", 1), OutcomeLost, "")
	}
	wantState(t, <-here, OutcomeLost, "")
	wantState(t, <-there, OutcomeLost, "")
}

func outcomesEndedOnce(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	done := wantState(t, begin(t, o, "done", 1), OutcomeBegun, "")
	finish(t, done, "one")
	if err := done.Claim.Finish(t.Context(), []byte("two")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("a second end: %v", err)
	}
	if err := done.Claim.Abandon(t.Context()); err != nil {
		t.Errorf("a second end: %v", err)
	}
	wantState(t, begin(t, o, "done", 1), OutcomeKept, "one")

	back := wantState(t, begin(t, o, "back", 1), OutcomeBegun, "")
	if err := errors.Join(back.Claim.Abandon(t.Context()), back.Claim.Abandon(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := back.Claim.Finish(t.Context(), []byte("one")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("finishing what was given back: %v", err)
	}
	next := wantState(t, begin(t, o, "back", 1), OutcomeBegun, "")
	_ = back.Claim.Abandon(t.Context())
	wantState(t, begin(t, o, "back", 2), OutcomeOther, "")
	finish(t, next, "two")
}

func outcomesEndCancelled(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	if err := begin(t, o, "a", 1).Claim.Finish(cancelled(t), []byte("one")); err != nil {
		t.Fatal(err)
	}
	wantState(t, begin(t, o, "a", 1), OutcomeKept, "one")
	if err := begin(t, o, "b", 1).Claim.Abandon(cancelled(t)); err != nil {
		t.Fatal(err)
	}
	wantState(t, begin(t, o, "b", 1), OutcomeBegun, "")
}

func outcomesLives(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	finish(t, begin(t, o, "done", 1), "one")
	begin(t, o, "lost", 1)
	s.endLeases(t)
	wantState(t, begin(t, o, "lost", 1), OutcomeLost, "")
	begin(t, o, "never looked at", 1)
	s.endLives(t)
	for _, name := range []string{"done", "lost", "never looked at"} {
		wantState(t, begin(t, o, name, 2), OutcomeBegun, "")
	}
}

func outcomesRefused(t *testing.T, s outcomesSubject) {
	o := s.replica(t)
	for what, try := range map[string]func() error{
		"no organization": func() error {
			_, err := o.Begin(t.Context(), OutcomeKey{Key: Key{Canonical: "a"}}, fingerprint(1), time.Second)
			return err
		},
		"no name": func() error {
			_, err := o.Begin(t.Context(), OutcomeKey{Key: Key{Org: "org_1"}}, fingerprint(1), time.Second)
			return err
		},
		"a key too long": func() error {
			_, err := o.Begin(t.Context(), outcomeKey(strings.Repeat("x", MaxKeyBytes)), fingerprint(1), time.Second)
			return err
		},
		"no lease": func() error { _, err := o.Begin(t.Context(), outcomeKey("a"), fingerprint(1), 0); return err },
		"a lease as long as a life": func() error {
			_, err := o.Begin(t.Context(), outcomeKey("a"), fingerprint(1), outcomesLife)
			return err
		},
	} {
		if err := try(); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	claim := begin(t, o, "a", 1)
	if err := claim.Claim.Finish(t.Context(), bytes.Repeat([]byte{1}, MaxOutcomeBytes+1)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an outcome too large: %v", err)
	}
	finish(t, claim, "it was too large")
	wantState(t, begin(t, o, "a", 1), OutcomeKept, "it was too large")
}

// outcomesMany lets many callers of several replicas go for few keys at once.
// Each operation is done once, also where the first ones who get it give it
// back.
func outcomesMany(t *testing.T, s outcomesSubject) {
	const keys, callers = 4, 24
	replicas := []Outcomes{s.replica(t), s.replica(t), s.replica(t)}
	var done, gaveBack [keys]atomic.Int32
	var all sync.WaitGroup
	for i := range keys * callers {
		key, o := i%keys, replicas[i%len(replicas)]
		all.Go(func() {
			outcome, err := o.Begin(t.Context(), outcomeKey(fmt.Sprint(key)), fingerprint(1), outcomesLease)
			switch {
			case err != nil:
				t.Error(err)
			case outcome.State == OutcomeBegun && gaveBack[key].Add(1) <= 2:
				if err := outcome.Claim.Abandon(t.Context()); err != nil {
					t.Error(err)
				}
			case outcome.State == OutcomeBegun:
				done[key].Add(1)
				if err := outcome.Claim.Finish(t.Context(), fmt.Append(nil, "outcome of ", key)); err != nil {
					t.Error(err)
				}
			case outcome.State != OutcomeKept || string(outcome.Body) != fmt.Sprint("outcome of ", key):
				t.Errorf("told %d, %q", outcome.State, outcome.Body)
			}
		})
	}
	all.Wait()
	for key := range keys {
		if n := done[key].Load(); n != 1 {
			t.Errorf("operation %d was done %d times", key, n)
		}
	}
}
