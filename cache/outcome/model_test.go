package outcome

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is the reference of a Store: for each key its state, its claim and its
// waiters. Callers of several replicas begin, end claims, leave or die, in an order
// that rapid draws.
type model struct {
	t        *rapid.T
	tb       testing.TB
	subject  subject
	replicas []Store
	keys     map[string]*modelKey
	claims   []*modelClaim
	numbers  int
	deaths   int
}

type modelKey struct {
	state       State // 0: nothing is known
	fingerprint byte
	body        string
	claim       *modelClaim
	waiting     []*modelWaiter
	// done is the number of claims that were not abandoned.
	done int
}

type modelClaim struct {
	key   string
	claim Claim
	// dead is set if the lease ended before the claim.
	dead bool
}

type modelWaiter struct {
	leave context.CancelFunc
	got   chan Result
}

// begin begins a key, and waits if it is claimed.
func (m *model) begin(t *rapid.T) {
	name := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
	n := rapid.SampledFrom([]byte{1, 1, 1, 2}).Draw(t, "fingerprint")
	o := rapid.SampledFrom(m.replicas).Draw(t, "replica")
	key := m.keys[name]
	ctx, leave := context.WithCancel(m.tb.Context())
	w := &modelWaiter{leave, make(chan Result, 1)}
	go func() {
		outcome, err := o.Begin(ctx, testKey(name), fingerprint(n), testLease)
		if err != nil && !errors.Is(err, context.Canceled) {
			m.tb.Errorf("Begin: %v", err)
		}
		w.got <- outcome
	}()
	switch {
	case key.state == 0:
		key.fingerprint = n
		m.claimed(name, m.receive(w, Claimed, ""))
	case key.fingerprint != n:
		m.receive(w, Mismatch, "")
	case key.state == Claimed && key.claim.dead:
		key.state = Lost
		m.receive(w, Lost, "")
		m.release(key)
	case key.state == Claimed:
		key.waiting = append(key.waiting, w)
	default:
		m.receive(w, key.state, key.body)
	}
}

func (m *model) receive(w *modelWaiter, state State, body string) Result {
	got := <-w.got
	w.leave()
	if got.State != state || string(got.Body) != body {
		m.t.Fatalf("got state %d, %q, want %d, %q", got.State, got.Body, state, body)
	}
	return got
}

func (m *model) claimed(name string, got Result) {
	key := m.keys[name]
	if key.done++; key.done > 1 {
		m.t.Fatalf("%s is done a second time", name)
	}
	key.state, key.claim = Claimed, &modelClaim{key: name, claim: got.Claim}
	m.claims = append(m.claims, key.claim)
}

// release lets all waiters receive the state.
func (m *model) release(key *modelKey) {
	for _, w := range key.waiting {
		m.receive(w, key.state, key.body)
	}
	key.waiting = nil
}

// claim draws a claim that has not ended, with or without a lease left.
func (m *model) claim(t *rapid.T) (*modelClaim, *modelKey) {
	if len(m.claims) == 0 {
		t.Skip("there is no claim")
	}
	i := rapid.IntRange(0, len(m.claims)-1).Draw(t, "claim")
	c := m.claims[i]
	m.claims = append(m.claims[:i], m.claims[i+1:]...)
	return c, m.keys[c.key]
}

func (m *model) finish(t *rapid.T) {
	c, key := m.claim(t)
	m.numbers++
	body := fmt.Sprint("outcome ", m.numbers)
	err := c.claim.Finish(m.tb.Context(), []byte(body))
	if key.state == Lost && key.claim == c {
		if !errors.Is(err, ErrClaimOver) {
			t.Fatalf("finishing what was lost: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	key.state, key.body = Completed, body
	// Waiters may not have noticed the end of a lease.
	m.release(key)
}

func (m *model) abandon(t *rapid.T) {
	c, key := m.claim(t)
	if err := c.claim.Abandon(m.tb.Context()); err != nil {
		t.Fatalf("Abandon: %v", err)
	}
	if key.state == Lost {
		return
	}
	key.done--
	key.state = 0
	if len(key.waiting) == 0 {
		return
	}
	// Any one of them takes over.
	next := make(chan int)
	stop := make(chan struct{})
	defer close(stop)
	for i, w := range key.waiting {
		go func() {
			select {
			case got := <-w.got:
				w.got <- got
				select {
				case next <- i:
				case <-stop:
				}
			case <-stop:
			}
		}()
	}
	i := <-next
	w := key.waiting[i]
	key.waiting = append(key.waiting[:i], key.waiting[i+1:]...)
	m.claimed(c.key, m.receive(w, Claimed, ""))
}

// leave ends the context of a waiter.
func (m *model) leave(t *rapid.T) {
	for _, name := range []string{"a", "b"} {
		key := m.keys[name]
		if len(key.waiting) > 0 {
			w := key.waiting[0]
			key.waiting = key.waiting[1:]
			w.leave()
			m.receive(w, 0, "")
			return
		}
	}
	t.Skip("nobody waits")
}

// die ends the leases of all claims. Waiters notice it at once, and otherwise the
// next caller does.
func (m *model) die(t *rapid.T) {
	if m.deaths++; time.Duration(m.deaths)*testLease >= testLife {
		t.Skip("lives would end, too")
	}
	m.subject.endLeases(m.tb)
	for _, name := range []string{"a", "b"} {
		key := m.keys[name]
		if key.state != Claimed {
			continue
		}
		key.claim.dead = true
		if len(key.waiting) == 0 {
			continue
		}
		if m.subject.clocked {
			got, err := m.replicas[0].Begin(m.tb.Context(), testKey(name), fingerprint(key.fingerprint), testLease)
			if err != nil || got.State != Lost {
				t.Fatalf("after its lease: state %d, %v", got.State, err)
			}
		}
		key.state = Lost
		m.release(key)
	}
}

func (m *model) close() {
	for _, key := range m.keys {
		for _, w := range key.waiting {
			w.leave()
			<-w.got
		}
	}
}

// TestOutcomesModel: in any order of events, an operation is done at most once, and
// all callers get the same result.
func TestOutcomesModel(t *testing.T) {
	t.Parallel()
	for name, newSubject := range subjects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := newSubject(t)
			replicas := []Store{pool.replica(t), pool.replica(t), pool.replica(t)}
			rapid.Check(t, func(rt *rapid.T) {
				pool.endLives(t) // Of the run before.
				m := &model{t: rt, tb: t, subject: pool, replicas: replicas, keys: map[string]*modelKey{"a": {}, "b": {}}}
				defer m.close()
				rt.Repeat(map[string]func(*rapid.T){
					"begin": m.begin, "begin too": m.begin, "finish": m.finish, "abandon": m.abandon, "leave": m.leave, "die": m.die,
				})
			})
		})
	}
}
