package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

func newMemoryOutcomesSubject(tb testing.TB) (outcomesSubject, *MemoryOutcomes) {
	tb.Helper()
	c := timetest.NewClock()
	m, err := NewMemoryOutcomes(MemoryOutcomesOptions{MaxBytes: 8 << 20, Life: outcomesLife, Now: c.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return outcomesSubject{
		replica:   func(testing.TB) Outcomes { return m },
		endLeases: func(testing.TB) { c.Advance(outcomesLease) },
		endLives:  func(testing.TB) { c.Advance(outcomesLife) },
		clocked:   true,
	}, m
}

func newRedisOutcomesSubject(server *redisServer, prefix string) outcomesSubject {
	each := func(tb testing.TB, change func(name string) error) {
		tb.Helper()
		names, err := server.client.Keys(tb.Context(), prefix+":{*}:o:*").Result()
		if err != nil {
			tb.Fatal(err)
		}
		for _, name := range names {
			if err := change(name); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return outcomesSubject{
		replica: func(tb testing.TB) Outcomes {
			tb.Helper()
			return NewRedisOutcomes(newReplica(tb, server.addr, RedisOptions{Prefix: prefix}), outcomesLife)
		},
		endLeases: func(tb testing.TB) {
			tb.Helper()
			each(tb, func(name string) error {
				// In one step: a claim may be ended at the same time.
				return server.client.Eval(tb.Context(), `
					local held = redis.call('GET', KEYS[1])
					if held and held:sub(2, 2) == 'R' then redis.call('SET', KEYS[1], held:sub(1, 60) .. '1', 'KEEPTTL') end
					return 0`, []string{name}).Err()
			})
		},
		endLives: func(tb testing.TB) {
			tb.Helper()
			each(tb, func(name string) error {
				if left, err := server.client.PTTL(tb.Context(), name).Result(); err != nil || left <= 0 || left > outcomesLife {
					return fmt.Errorf("%s lives for another %v, %w", name, left, err)
				}
				return server.client.Del(tb.Context(), name).Err()
			})
		},
	}
}

func (s outcomesSubject) sealed(keys ...byte) outcomesSubject {
	replica := s.replica
	s.replica = func(tb testing.TB) Outcomes { tb.Helper(); return newSealedOutcomes(tb, replica(tb), nil, keys...) }
	return s
}

func newSealedOutcomes(tb testing.TB, o Outcomes, metrics Metrics, keys ...byte) *SealedOutcomes {
	tb.Helper()
	var raw [][]byte
	for _, n := range keys {
		raw = append(raw, sealKey(n))
	}
	sealed, err := NewSealedOutcomes(o, raw, metrics)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// outcomesSubjects are all that there are.
func outcomesSubjects(t *testing.T) map[string]func(t *testing.T) outcomesSubject {
	t.Helper()
	server := newRedisServer(t)
	var stores atomic.Int64
	memory := func(t *testing.T) outcomesSubject { t.Helper(); s, _ := newMemoryOutcomesSubject(t); return s }
	shared := func(*testing.T) outcomesSubject {
		return newRedisOutcomesSubject(server, fmt.Sprint("test", stores.Add(1)))
	}
	return map[string]func(t *testing.T) outcomesSubject{
		"memory":        memory,
		"redis":         shared,
		"sealed memory": func(t *testing.T) outcomesSubject { t.Helper(); return memory(t).sealed(1, 2) },
		"sealed redis":  func(t *testing.T) outcomesSubject { t.Helper(); return shared(t).sealed(1, 2) },
	}
}

func TestOutcomesContract(t *testing.T) {
	t.Parallel()
	for name, newSubject := range outcomesSubjects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testOutcomesContract(t, newSubject)
		})
	}
}

// TestOutcomesBounds: what is full refuses new keys, and forgets none.
func TestOutcomesBounds(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]MemoryOutcomesOptions{
		"bytes": {MaxBytes: MinOutcomesMemory, Share: 1},
		"count": {MaxBytes: 64 << 20, MaxCount: 40, Share: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := timetest.NewClock()
			options.Life, options.Now = outcomesLife, c.Now
			m, err := NewMemoryOutcomes(options)
			if err != nil {
				t.Fatal(err)
			}
			body := strings.Repeat("x", MaxOutcomeBytes/2)
			n := 0
			for ; ; n++ {
				outcome, err := m.Begin(t.Context(), outcomeKey(fmt.Sprint(n)), fingerprint(1), outcomesLease)
				if errors.Is(err, ErrOutcomesFull) {
					break
				} else if err != nil {
					t.Fatal(err)
				}
				finish(t, outcome, body)
				if m.bytes > options.MaxBytes {
					t.Fatalf("%d bytes of %d", m.bytes, options.MaxBytes)
				}
			}
			if n < 15 || n > 40 {
				t.Errorf("%d outcomes", n)
			}
			for i := range n {
				wantState(t, begin(t, m, fmt.Sprint(i), 1), OutcomeKept, body)
			}
			c.Advance(outcomesLife)
			finish(t, wantState(t, begin(t, m, "new", 1), OutcomeBegun, ""), "one")
			if len(m.named) != 1 || m.order.Len() != 1 || m.bytes != outcomeOverhead+3 {
				t.Errorf("%d, %d, %d bytes are left of what is over", len(m.named), m.order.Len(), m.bytes)
			}
		})
	}
	if _, err := NewMemoryOutcomes(MemoryOutcomesOptions{MaxBytes: MinOutcomesMemory - 1}); err == nil {
		t.Error("too little memory is accepted")
	}
}

// TestSealedOutcomes: a dump of Redis shows neither outcomes nor keys, an outcome
// under another's key is none, and keys can be exchanged.
func TestSealedOutcomes(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	shared := newRedisOutcomesSubject(server, "gw").replica(t)
	var counted counts
	finish(t, begin(t, newSealedOutcomes(t, shared, nil, 1), "kim's key", 1), "sk-admin-secret")
	finish(t, begin(t, newSealedOutcomes(t, shared, nil, 1), "lee's key", 1), "sk-admin-other")
	names, err := server.client.Keys(t.Context(), "*").Result()
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		held, err := server.client.Get(t.Context(), name).Result()
		if err != nil || strings.Contains(name+held, "sk-") || strings.Contains(name+held, "kim") || strings.Contains(name+held, "lee") {
			t.Errorf("in the clear: %q: %q, %v", name, held, err)
		}
	}
	for _, keys := range [][]byte{{1}, {2, 1}, {1, 2}} {
		wantState(t, begin(t, newSealedOutcomes(t, shared, nil, keys...), "kim's key", 1), OutcomeKept, "sk-admin-secret")
	}
	wantState(t, begin(t, newSealedOutcomes(t, shared, &counted, 2), "kim's key", 1), OutcomeLost, "")
	swap(t, server, names[0], names[1])
	wantState(t, begin(t, newSealedOutcomes(t, shared, &counted, 1), "kim's key", 1), OutcomeLost, "")
	if n := counted.get("sealed tampered"); n != 2 {
		t.Errorf("%d alerts, want 2", n)
	}
}

func swap(t *testing.T, server *redisServer, a, b string) {
	t.Helper()
	for _, pair := range [][2]string{{a, "c"}, {b, a}, {"c", b}} {
		if err := server.client.Rename(t.Context(), pair[0], pair[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRedisOutcomesUnreadable: what cannot be read is not done again.
func TestRedisOutcomesUnreadable(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	var events redisEvents
	r := newReplica(t, server.addr, RedisOptions{Metrics: &events})
	o := NewRedisOutcomes(r, outcomesLife)
	finish(t, begin(t, o, "a", 1), "one")
	name := newRedisOrg("gw", "org_1").outcomeKey(outcomeKey("a").Key)
	held, err := server.client.Get(t.Context(), name).Result()
	if err != nil {
		t.Fatal(err)
	}
	f := fingerprint(1)
	for _, other := range []string{"2" + held[1:], "1X" + held[2:], "", "1"} {
		if err := server.client.Set(t.Context(), name, other, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := o.Begin(t.Context(), outcomeKey("a"), f, outcomesLease)
		if err != nil || got.State != OutcomeLost && got.State != OutcomeOther {
			t.Errorf("%q: state %d, %v", other, got.State, err)
		}
	}
	if events[Malformed].Load() == 0 {
		t.Error("nothing was counted")
	}
}

// TestRedisOutcomesFaults: without Redis nothing is claimed, and a claim whose
// end cannot be told is lost.
func TestRedisOutcomesFaults(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	proxy := faultproxy.New(t, server.addr)
	o := NewRedisOutcomes(newHasty(t, proxy.Addr(), RedisOptions{BreakerPause: time.Millisecond}), outcomesLife)
	subject := newRedisOutcomesSubject(server, "gw")
	other := subject.replica(t)
	tries := 0
	hasty := func() (name string, outcome Outcome) {
		timetest.Eventually(t, "something is begun", func() bool {
			var err error
			tries++ // One that was too slow may be lost.
			name = fmt.Sprint("try ", tries)
			outcome, err = o.Begin(t.Context(), outcomeKey(name), fingerprint(1), outcomesLease)
			return err == nil
		})
		return name, outcome
	}
	unendedName, unended := hasty()
	ungivenName, ungiven := hasty()
	proxy.Refuse()
	if _, err := o.Begin(t.Context(), outcomeKey("b"), fingerprint(1), outcomesLease); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Begin: %v", err)
	}
	if err := unended.Claim.Finish(t.Context(), []byte("one")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Finish: %v", err)
	}
	if err := ungiven.Claim.Abandon(t.Context()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Abandon: %v", err)
	}
	subject.endLeases(t)
	for _, name := range []string{unendedName, ungivenName} {
		wantState(t, begin(t, other, name, 1), OutcomeLost, "")
	}
	wantState(t, begin(t, other, "b", 1), OutcomeBegun, "")

	// A claim that was made, and whose answer was lost, is given back or lost,
	// and never somebody's.
	proxy.Listen(t)
	hasty()
	proxy.Set(faultproxy.Hold)
	_, err := o.Begin(t.Context(), outcomeKey("held"), fingerprint(1), outcomesLease)
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("Begin without an answer: %v", err)
	}
	proxy.Set(faultproxy.None)
	subject.endLeases(t)
	if got := begin(t, other, "held", 1); got.State != OutcomeBegun && got.State != OutcomeLost {
		t.Errorf("state %d", got.State)
	}
}

// lostReply loses the reply to the next command.
type lostReply struct{ armed atomic.Bool }

func (*lostReply) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*lostReply) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (l *lostReply) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if l.armed.CompareAndSwap(true, false) {
			err = io.ErrUnexpectedEOF
			cmd.SetErr(err)
		}
		return err
	}
}

// TestRedisOutcomesLostReplies: a claim that was made, and whose reply was lost,
// is nobody's and is given back; an end whose reply was lost is told again.
func TestRedisOutcomesLostReplies(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r := newReplica(t, server.addr, RedisOptions{})
	lost := new(lostReply)
	r.client.AddHook(lost)
	o := NewRedisOutcomes(r, outcomesLife)
	finish(t, begin(t, o, "the scripts are there", 1), "")
	lost.armed.Store(true)
	if _, err := o.Begin(t.Context(), outcomeKey("a"), fingerprint(1), outcomesLease); !errors.Is(err, ErrUnavailable) {
		t.Errorf("Begin without a reply: %v", err)
	}
	claim := wantState(t, begin(t, o, "a", 2), OutcomeBegun, "")
	lost.armed.Store(true)
	finish(t, claim, "one")
	wantState(t, begin(t, o, "a", 2), OutcomeKept, "one")
}

// TestRedisOutcomesForgotten: what Redis lost while an operation was under way is
// put back by its end; and a claim that somebody else got meanwhile is not.
func TestRedisOutcomesForgotten(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	o := newRedisOutcomesSubject(server, "gw").replica(t)
	first, second := begin(t, o, "a", 1), begin(t, o, "b", 1)
	if err := server.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	again := wantState(t, begin(t, o, "b", 1), OutcomeBegun, "")
	finish(t, first, "one")
	wantState(t, begin(t, o, "a", 1), OutcomeKept, "one")
	if err := second.Claim.Finish(t.Context(), []byte("first")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("the first of two claims: %v", err)
	}
	finish(t, again, "second")
	wantState(t, begin(t, o, "b", 1), OutcomeKept, "second")
}

// A claim and its end, against the bare commands that the least careful keeping
// of a key would need: SET NX before, SET after.
func BenchmarkOutcomes(b *testing.B) {
	server := newRedisServer(b)
	r := newReplica(b, server.addr, RedisOptions{})
	shared := NewRedisOutcomes(r, outcomesLife)
	memory, err := NewMemoryOutcomes(MemoryOutcomesOptions{MaxBytes: 4 << 30, MaxCount: 1 << 30, Share: 1})
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(strings.Repeat("x", 500))
	b.Run("bare SET twice", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			name := fmt.Sprint("gw:{org_1}:bare:", i)
			if err := r.client.SetArgs(b.Context(), name, body, redis.SetArgs{Mode: "NX", TTL: time.Minute}).Err(); err != nil {
				b.Fatal(err)
			}
			if err := r.client.Set(b.Context(), name, body, time.Minute).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, o := range map[string]Outcomes{
		"redis": shared, "sealed redis": newSealedOutcomes(b, shared, nil, 1), "memory": memory, "sealed memory": newSealedOutcomes(b, memory, nil, 1),
	} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				outcome, err := o.Begin(b.Context(), outcomeKey(fmt.Sprint(b.Name(), b.N, i)), fingerprint(1), outcomesLease)
				if err != nil || outcome.State != OutcomeBegun {
					b.Fatal(outcome.State, err)
				}
				if err := outcome.Claim.Finish(b.Context(), body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
