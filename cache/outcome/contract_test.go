package outcome

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

	"github.com/admin-gateway/admin-gateway/cache"
)

// subject is a Store under the contract test.
type subject struct {
	// replica returns a Store over the same data, as another replica has one.
	replica func(tb testing.TB) Store
	// endLeases ends all leases, as time would, and endLives all lives.
	endLeases, endLives func(tb testing.TB)
	// clocked is false if time is real: then waits end without a step of the test.
	clocked bool
}

const (
	testLease = time.Minute
	testLife  = time.Hour
)

func testKey(name string) Key {
	return Key{Key: cache.Key{Org: "org_1", Canonical: name}, Owner: "kim"}
}

func fingerprint(n byte) Fingerprint { return Fingerprint{n, 1, 0, '\n', 0xff} }

func begin(tb testing.TB, o Store, name string, n byte) Result {
	tb.Helper()
	outcome, err := o.Begin(tb.Context(), testKey(name), fingerprint(n), testLease)
	if err != nil {
		tb.Fatalf("Begin(%s): %v", name, err)
	}
	return outcome
}

func wantState(tb testing.TB, got Result, state State, body string) Result {
	tb.Helper()
	if got.State != state || string(got.Body) != body || (got.Claim != nil) != (state == Claimed) {
		tb.Fatalf("state %d with %.40q and claim %v, want state %d with %.40q", got.State, got.Body, got.Claim, state, body)
	}
	return got
}

func finish(tb testing.TB, o Result, body string) {
	tb.Helper()
	if err := o.Claim.Finish(tb.Context(), []byte(body)); err != nil {
		tb.Fatalf("Finish: %v", err)
	}
}

// testContract is what every Store must pass.
func testContract(t *testing.T, newSubject func(t *testing.T) subject) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s subject)
	}{
		{"done once, and one outcome for all", contractOnce},
		{"outcomes come back whole", contractWhole},
		{"other keys, organizations and fingerprints", contractOthers},
		{"given back", contractAbandon},
		{"a runner that died", contractDead},
		{"a wait ends with the outcome", contractWait},
		{"a wait ends with its context", contractWaitCancelled},
		{"a wait takes over what is given back", contractTakeOver},
		{"a wait ends with the other's lease", contractWaitLease},
		{"a claim is ended once", contractEndedOnce},
		{"ends are not stopped by their context", contractEndCancelled},
		{"a life ends", contractLives},
		{"what is refused", contractRefused},
		{"many at once", contractMany},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, newSubject(t))
		})
	}
}

func contractOnce(t *testing.T, s subject) {
	first, second := s.replica(t), s.replica(t)
	finish(t, wantState(t, begin(t, first, "a", 1), Claimed, ""), "outcome of a")
	for range 3 {
		wantState(t, begin(t, first, "a", 1), Completed, "outcome of a")
		wantState(t, begin(t, second, "a", 1), Completed, "outcome of a")
	}
}

func contractWhole(t *testing.T, s subject) {
	o := s.replica(t)
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for i, body := range []string{"", "\x00", string(all), strings.Repeat("\r\n", 20_000)} {
		name := fmt.Sprint(i)
		// Each byte value at each place of a fingerprint.
		var f Fingerprint
		copy(f[:], all[i*32:])
		outcome, err := o.Begin(t.Context(), testKey(name), f, testLease)
		if err != nil {
			t.Fatal(err)
		}
		given := []byte(body)
		if err := outcome.Claim.Finish(t.Context(), given); err != nil {
			t.Fatal(err)
		}
		copy(given, "it may be used again")
		if outcome, err = o.Begin(t.Context(), testKey(name), f, testLease); err != nil {
			t.Fatal(err)
		}
		wantState(t, outcome, Completed, body)
	}
}

func contractOthers(t *testing.T, s subject) {
	o := s.replica(t)
	running := wantState(t, begin(t, o, "a", 1), Claimed, "")
	wantState(t, begin(t, o, "a", 2), Mismatch, "") // At once, and not after a wait.
	other, err := o.Begin(t.Context(), Key{Key: cache.Key{Org: "org_2", Canonical: "a"}}, fingerprint(1), testLease)
	if err != nil {
		t.Fatal(err)
	}
	wantState(t, other, Claimed, "")
	wantState(t, begin(t, o, "b", 1), Claimed, "")
	finish(t, running, "one")
	wantState(t, begin(t, o, "a", 2), Mismatch, "")
	wantState(t, begin(t, o, "a", 1), Completed, "one")
}

func contractAbandon(t *testing.T, s subject) {
	o := s.replica(t)
	for n := range byte(3) { // With any fingerprint.
		if err := wantState(t, begin(t, o, "a", n), Claimed, "").Claim.Abandon(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	finish(t, wantState(t, begin(t, o, "a", 9), Claimed, ""), "at last")
}

func contractDead(t *testing.T, s subject) {
	o, other := s.replica(t), s.replica(t)
	late := wantState(t, begin(t, o, "seen", 1), Claimed, "")
	unseen := wantState(t, begin(t, o, "unseen", 1), Claimed, "")
	s.endLeases(t)
	for range 2 {
		wantState(t, begin(t, other, "seen", 1), Lost, "")
		wantState(t, begin(t, o, "seen", 1), Lost, "")
		wantState(t, begin(t, o, "seen", 2), Mismatch, "")
	}
	// A reported result stays true.
	if err := late.Claim.Finish(t.Context(), []byte("late")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("finishing what was lost: %v", err)
	}
	if err := late.Claim.Abandon(t.Context()); err != nil {
		t.Errorf("giving back what was lost: %v", err)
	}
	wantState(t, begin(t, o, "seen", 1), Lost, "")
	finish(t, unseen, "late, and nobody knows")
	wantState(t, begin(t, other, "unseen", 1), Completed, "late, and nobody knows")
}

// waiting begins "a", which another caller has claimed.
func waiting(ctx context.Context, t *testing.T, o Store) <-chan Result {
	t.Helper()
	got := make(chan Result, 1)
	go func() {
		outcome, err := o.Begin(ctx, testKey("a"), fingerprint(1), testLease)
		if err != nil && ctx.Err() == nil {
			t.Errorf("Begin: %v", err)
		}
		got <- outcome
	}()
	return got
}

func contractWait(t *testing.T, s subject) {
	o, other := s.replica(t), s.replica(t)
	claim := wantState(t, begin(t, o, "a", 1), Claimed, "")
	here, there := waiting(t.Context(), t, o), waiting(t.Context(), t, other)
	finish(t, claim, "one")
	wantState(t, <-here, Completed, "one")
	wantState(t, <-there, Completed, "one")
}

func contractWaitCancelled(t *testing.T, s subject) {
	o := s.replica(t)
	claim := wantState(t, begin(t, o, "a", 1), Claimed, "")
	ctx, cancel := context.WithCancel(t.Context())
	got := waiting(ctx, t, o)
	cancel()
	wantState(t, <-got, 0, "")
	finish(t, claim, "one")
	if _, err := o.Begin(cancelled(t), testKey("b"), fingerprint(1), testLease); !errors.Is(err, context.Canceled) {
		t.Errorf("Begin by who has left: %v", err)
	}
	wantState(t, begin(t, o, "b", 2), Claimed, "")
}

func contractTakeOver(t *testing.T, s subject) {
	o, other := s.replica(t), s.replica(t)
	claim := wantState(t, begin(t, o, "a", 1), Claimed, "")
	here, there := waiting(t.Context(), t, o), waiting(t.Context(), t, other)
	if err := claim.Claim.Abandon(t.Context()); err != nil {
		t.Fatal(err)
	}
	var next Result
	select {
	case next = <-here:
		here = there
	case next = <-there:
	}
	finish(t, wantState(t, next, Claimed, ""), "two")
	wantState(t, <-here, Completed, "two")
}

func contractWaitLease(t *testing.T, s subject) {
	o, other := s.replica(t), s.replica(t)
	wantState(t, begin(t, o, "a", 1), Claimed, "")
	here, there := waiting(t.Context(), t, o), waiting(t.Context(), t, other)
	s.endLeases(t)
	if s.clocked { // Its timers go by real time: somebody else has to come.
		wantState(t, begin(t, o, "a", 1), Lost, "")
	}
	wantState(t, <-here, Lost, "")
	wantState(t, <-there, Lost, "")
}

func contractEndedOnce(t *testing.T, s subject) {
	o := s.replica(t)
	done := wantState(t, begin(t, o, "done", 1), Claimed, "")
	finish(t, done, "one")
	if err := done.Claim.Finish(t.Context(), []byte("two")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("a second end: %v", err)
	}
	if err := done.Claim.Abandon(t.Context()); err != nil {
		t.Errorf("a second end: %v", err)
	}
	wantState(t, begin(t, o, "done", 1), Completed, "one")

	back := wantState(t, begin(t, o, "back", 1), Claimed, "")
	if err := errors.Join(back.Claim.Abandon(t.Context()), back.Claim.Abandon(t.Context())); err != nil {
		t.Fatal(err)
	}
	if err := back.Claim.Finish(t.Context(), []byte("one")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("finishing what was given back: %v", err)
	}
	next := wantState(t, begin(t, o, "back", 1), Claimed, "")
	_ = back.Claim.Abandon(t.Context())
	wantState(t, begin(t, o, "back", 2), Mismatch, "")
	finish(t, next, "two")
}

func contractEndCancelled(t *testing.T, s subject) {
	o := s.replica(t)
	if err := begin(t, o, "a", 1).Claim.Finish(cancelled(t), []byte("one")); err != nil {
		t.Fatal(err)
	}
	wantState(t, begin(t, o, "a", 1), Completed, "one")
	if err := begin(t, o, "b", 1).Claim.Abandon(cancelled(t)); err != nil {
		t.Fatal(err)
	}
	wantState(t, begin(t, o, "b", 1), Claimed, "")
}

func contractLives(t *testing.T, s subject) {
	o := s.replica(t)
	finish(t, begin(t, o, "done", 1), "one")
	begin(t, o, "lost", 1)
	s.endLeases(t)
	wantState(t, begin(t, o, "lost", 1), Lost, "")
	begin(t, o, "never looked at", 1)
	s.endLives(t)
	for _, name := range []string{"done", "lost", "never looked at"} {
		wantState(t, begin(t, o, name, 2), Claimed, "")
	}
}

func contractRefused(t *testing.T, s subject) {
	o := s.replica(t)
	for what, try := range map[string]func() error{
		"no organization": func() error {
			_, err := o.Begin(t.Context(), Key{Key: cache.Key{Canonical: "a"}}, fingerprint(1), time.Second)
			return err
		},
		"no name": func() error {
			_, err := o.Begin(t.Context(), Key{Key: cache.Key{Org: "org_1"}}, fingerprint(1), time.Second)
			return err
		},
		"a key too long": func() error {
			_, err := o.Begin(t.Context(), testKey(strings.Repeat("x", cache.MaxKeyBytes)), fingerprint(1), time.Second)
			return err
		},
		"no lease": func() error { _, err := o.Begin(t.Context(), testKey("a"), fingerprint(1), 0); return err },
		"a lease as long as a life": func() error {
			_, err := o.Begin(t.Context(), testKey("a"), fingerprint(1), testLife)
			return err
		},
	} {
		if err := try(); err == nil {
			t.Errorf("%s is accepted", what)
		}
	}
	claim := begin(t, o, "a", 1)
	if err := claim.Claim.Finish(t.Context(), bytes.Repeat([]byte{1}, MaxBodyBytes+1)); !errors.Is(err, cache.ErrTooLarge) {
		t.Errorf("an outcome too large: %v", err)
	}
	finish(t, claim, "it was too large")
	wantState(t, begin(t, o, "a", 1), Completed, "it was too large")
}

// contractMany lets many callers of several replicas begin few keys at once. Each
// operation is done once, also if the first callers abandon their claims.
func contractMany(t *testing.T, s subject) {
	const keys, callers = 4, 24
	replicas := []Store{s.replica(t), s.replica(t), s.replica(t)}
	var done, gaveBack [keys]atomic.Int32
	var all sync.WaitGroup
	for i := range keys * callers {
		key, o := i%keys, replicas[i%len(replicas)]
		all.Go(func() {
			outcome, err := o.Begin(t.Context(), testKey(fmt.Sprint(key)), fingerprint(1), testLease)
			switch {
			case err != nil:
				t.Error(err)
			case outcome.State == Claimed && gaveBack[key].Add(1) <= 2:
				if err := outcome.Claim.Abandon(t.Context()); err != nil {
					t.Error(err)
				}
			case outcome.State == Claimed:
				done[key].Add(1)
				if err := outcome.Claim.Finish(t.Context(), fmt.Append(nil, "outcome of ", key)); err != nil {
					t.Error(err)
				}
			case outcome.State != Completed || string(outcome.Body) != fmt.Sprint("outcome of ", key):
				t.Errorf("got state %d, %q", outcome.State, outcome.Body)
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
