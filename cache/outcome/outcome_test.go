package outcome

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

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

func newMemorySubject(tb testing.TB) (subject, *Memory) {
	tb.Helper()
	c := timetest.NewClock()
	m, err := NewMemory(MemoryOptions{MaxBytes: 8 << 20, Life: testLife, Now: c.Now})
	if err != nil {
		tb.Fatal(err)
	}
	return subject{
		replica:   func(testing.TB) Store { return m },
		endLeases: func(testing.TB) { c.Advance(testLease) },
		endLives:  func(testing.TB) { c.Advance(testLife) },
		clocked:   true,
	}, m
}

func newRedisSubject(server *testServer, prefix string) subject {
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
	return subject{
		replica: func(tb testing.TB) Store {
			tb.Helper()
			return newReplica(tb, server.addr, RedisOptions{Prefix: prefix})
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
				if left, err := server.client.PTTL(tb.Context(), name).Result(); err != nil || left <= 0 || left > testLife {
					return fmt.Errorf("%s lives for another %v, %w", name, left, err)
				}
				return server.client.Del(tb.Context(), name).Err()
			})
		},
	}
}

func (s subject) sealed(keys ...byte) subject {
	replica := s.replica
	s.replica = func(tb testing.TB) Store { tb.Helper(); return newSealed(tb, replica(tb), nil, keys...) }
	return s
}

func newSealed(tb testing.TB, o Store, metrics cache.Metrics, keys ...byte) *Sealed {
	tb.Helper()
	var raw [][]byte
	for _, n := range keys {
		raw = append(raw, sealKey(n))
	}
	sealed, err := NewSealed(o, raw, metrics)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// subjects are all implementations.
func subjects(t *testing.T) map[string]func(t *testing.T) subject {
	t.Helper()
	server := newServer(t)
	var stores atomic.Int64
	memory := func(t *testing.T) subject { t.Helper(); s, _ := newMemorySubject(t); return s }
	shared := func(*testing.T) subject {
		return newRedisSubject(server, fmt.Sprint("test", stores.Add(1)))
	}
	return map[string]func(t *testing.T) subject{
		"memory":        memory,
		"redis":         shared,
		"sealed memory": func(t *testing.T) subject { t.Helper(); return memory(t).sealed(1, 2) },
		"sealed redis":  func(t *testing.T) subject { t.Helper(); return shared(t).sealed(1, 2) },
	}
}

func TestOutcomesContract(t *testing.T) {
	t.Parallel()
	for name, newSubject := range subjects(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testContract(t, newSubject)
		})
	}
}

// TestOutcomesBounds: a full store refuses new keys, and forgets none.
func TestOutcomesBounds(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]MemoryOptions{
		"bytes": {MaxBytes: MinMemory, Share: 1},
		"count": {MaxBytes: 64 << 20, MaxCount: 40, Share: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := timetest.NewClock()
			options.Life, options.Now = testLife, c.Now
			m, err := NewMemory(options)
			if err != nil {
				t.Fatal(err)
			}
			body := strings.Repeat("x", MaxBodyBytes/2)
			n := 0
			for ; ; n++ {
				outcome, err := m.Begin(t.Context(), testKey(fmt.Sprint(n)), fingerprint(1), testLease)
				if errors.Is(err, ErrFull) {
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
				wantState(t, begin(t, m, fmt.Sprint(i), 1), Completed, body)
			}
			c.Advance(testLife)
			finish(t, wantState(t, begin(t, m, "new", 1), Claimed, ""), "one")
			if len(m.named) != 1 || m.order.Len() != 1 || m.bytes != overhead+3 {
				t.Errorf("%d, %d, %d bytes are left of what is over", len(m.named), m.order.Len(), m.bytes)
			}
		})
	}
	if _, err := NewMemory(MemoryOptions{MaxBytes: MinMemory - 1}); err == nil {
		t.Error("too little memory is accepted")
	}
}

// TestSealedOutcomes: a dump of Redis shows neither outcomes nor keys, an outcome
// under another key is lost, and encryption keys can be exchanged.
func TestSealedOutcomes(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	shared := newRedisSubject(server, "gw").replica(t)
	var counted counts
	finish(t, begin(t, newSealed(t, shared, nil, 1), "kim's key", 1), "sk-admin-secret")
	finish(t, begin(t, newSealed(t, shared, nil, 1), "lee's key", 1), "sk-admin-other")
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
		wantState(t, begin(t, newSealed(t, shared, nil, keys...), "kim's key", 1), Completed, "sk-admin-secret")
	}
	wantState(t, begin(t, newSealed(t, shared, &counted, 2), "kim's key", 1), Lost, "")
	swap(t, server, names[0], names[1])
	wantState(t, begin(t, newSealed(t, shared, &counted, 1), "kim's key", 1), Lost, "")
	if n := counted.get("sealed tampered"); n != 2 {
		t.Errorf("%d alerts, want 2", n)
	}
}

func swap(t *testing.T, server *testServer, a, b string) {
	t.Helper()
	for _, pair := range [][2]string{{a, "c"}, {b, a}, {"c", b}} {
		if err := server.client.Rename(t.Context(), pair[0], pair[1]).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestRedisOutcomesUnreadable: an operation with an unreadable outcome is not done
// again.
func TestRedisOutcomesUnreadable(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	var counted counts
	o := newReplica(t, server.addr, RedisOptions{Metrics: &counted})
	finish(t, begin(t, o, "a", 1), "one")
	name := o.name(testKey("a"))
	held, err := server.client.Get(t.Context(), name).Result()
	if err != nil {
		t.Fatal(err)
	}
	f := fingerprint(1)
	for _, other := range []string{"2" + held[1:], "1X" + held[2:], "", "1"} {
		if err := server.client.Set(t.Context(), name, other, time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		got, err := o.Begin(t.Context(), testKey("a"), f, testLease)
		if err != nil || got.State != Lost && got.State != Mismatch {
			t.Errorf("%q: state %d, %v", other, got.State, err)
		}
	}
	if counted.get("redis malformed") == 0 {
		t.Error("nothing was counted")
	}
}

// TestRedisOutcomesFaults: without Redis no operation is claimed, and a claim whose
// end does not reach Redis is lost.
func TestRedisOutcomesFaults(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	proxy := faultproxy.New(t, server.addr)
	o := newHasty(t, proxy.Addr(), RedisOptions{BreakerPause: time.Millisecond})
	subject := newRedisSubject(server, "gw")
	other := subject.replica(t)
	tries := 0
	hasty := func() (name string, outcome Result) {
		timetest.Eventually(t, "something is begun", func() bool {
			var err error
			tries++ // One that was too slow may be lost.
			name = fmt.Sprint("try ", tries)
			outcome, err = o.Begin(t.Context(), testKey(name), fingerprint(1), testLease)
			return err == nil
		})
		return name, outcome
	}
	unendedName, unended := hasty()
	ungivenName, ungiven := hasty()
	proxy.Refuse()
	if _, err := o.Begin(t.Context(), testKey("b"), fingerprint(1), testLease); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Begin: %v", err)
	}
	if err := unended.Claim.Finish(t.Context(), []byte("one")); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Finish: %v", err)
	}
	if err := ungiven.Claim.Abandon(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Abandon: %v", err)
	}
	subject.endLeases(t)
	for _, name := range []string{unendedName, ungivenName} {
		wantState(t, begin(t, other, name, 1), Lost, "")
	}
	wantState(t, begin(t, other, "b", 1), Claimed, "")

	// A claim whose reply was lost is given back or lost, and no caller has it.
	proxy.Listen(t)
	hasty()
	proxy.Set(faultproxy.Hold)
	_, err := o.Begin(t.Context(), testKey("held"), fingerprint(1), testLease)
	if !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Begin without an answer: %v", err)
	}
	proxy.Set(faultproxy.None)
	subject.endLeases(t)
	if got := begin(t, other, "held", 1); got.State != Claimed && got.State != Lost {
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

// TestRedisOutcomesLostReplies: a claim whose reply was lost is given back; an end
// whose reply was lost is sent again.
func TestRedisOutcomesLostReplies(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	o := newReplica(t, server.addr, RedisOptions{})
	lost := new(lostReply)
	o.client.AddHook(lost)
	finish(t, begin(t, o, "the scripts are there", 1), "")
	lost.armed.Store(true)
	if _, err := o.Begin(t.Context(), testKey("a"), fingerprint(1), testLease); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Begin without a reply: %v", err)
	}
	claim := wantState(t, begin(t, o, "a", 2), Claimed, "")
	lost.armed.Store(true)
	finish(t, claim, "one")
	wantState(t, begin(t, o, "a", 2), Completed, "one")
}

// TestRedisOutcomesForgotten: if Redis loses a claim, its end still stores the outcome,
// unless another caller has claimed the operation meanwhile.
func TestRedisOutcomesForgotten(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	o := newRedisSubject(server, "gw").replica(t)
	first, second := begin(t, o, "a", 1), begin(t, o, "b", 1)
	if err := server.client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	again := wantState(t, begin(t, o, "b", 1), Claimed, "")
	finish(t, first, "one")
	wantState(t, begin(t, o, "a", 1), Completed, "one")
	if err := second.Claim.Finish(t.Context(), []byte("first")); !errors.Is(err, ErrClaimOver) {
		t.Errorf("the first of two claims: %v", err)
	}
	finish(t, again, "second")
	wantState(t, begin(t, o, "b", 1), Completed, "second")
}

func TestRedisOutcomesDefaults(t *testing.T) {
	t.Parallel()
	r := NewRedis(nil, RedisOptions{Life: -1})
	if r.life != DefaultLife || r.name(testKey("a"))[:len("gw:{org_1}:o:")] != "gw:{org_1}:o:" {
		t.Errorf("%v, %s", r.life, r.name(testKey("a")))
	}
	if _, err := NewSealed(r, nil, nil); err == nil {
		t.Error("no keys are accepted")
	}
}

// A claim and its end, against the two bare commands of the simplest implementation:
// SET NX before the operation, SET after it.
func BenchmarkOutcomes(b *testing.B) {
	server := newServer(b)
	shared := newReplica(b, server.addr, RedisOptions{})
	memory, err := NewMemory(MemoryOptions{MaxBytes: 4 << 30, MaxCount: 1 << 30, Share: 1})
	if err != nil {
		b.Fatal(err)
	}
	body := []byte(strings.Repeat("x", 500))
	b.Run("bare SET twice", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			name := fmt.Sprint("gw:{org_1}:bare:", i)
			if err := shared.client.SetArgs(b.Context(), name, body, redis.SetArgs{Mode: "NX", TTL: time.Minute}).Err(); err != nil {
				b.Fatal(err)
			}
			if err := shared.client.Set(b.Context(), name, body, time.Minute).Err(); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, o := range map[string]Store{
		"redis": shared, "sealed redis": newSealed(b, shared, nil, 1), "memory": memory, "sealed memory": newSealed(b, memory, nil, 1),
	} {
		b.Run(name, func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				outcome, err := o.Begin(b.Context(), testKey(fmt.Sprint(b.Name(), b.N, i)), fingerprint(1), testLease)
				if err != nil || outcome.State != Claimed {
					b.Fatal(outcome.State, err)
				}
				if err := outcome.Claim.Finish(b.Context(), body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
