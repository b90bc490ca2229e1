package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/redistest"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// TestAsk: every replica answers, whoever asks, and the answers have their names.
func TestAsk(t *testing.T) {
	t.Parallel()
	for name, encrypted := range map[string]bool{"clear": false, "sealed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := redistest.Start(t)
			var all []*running
			for _, name := range []string{"a", "b", "c"} {
				o := Options{Replica: name}
				if encrypted {
					o.Seal = sealer(t, 1)
				}
				all = append(all, start(t, addr, o).echo(t))
			}
			for _, r := range all {
				r.see(t, 3)
			}
			for _, r := range all {
				got := r.ask(t, "echo", "who?\n\x00")
				if diff := cmp.Diff([]string{"a: who?\n\x00", "b: who?\n\x00", "c: who?\n\x00"}, texts(got)); diff != "" || !got.Whole() || got.Alone {
					t.Errorf("%s was told %+v: %s", r.Replica(), got, diff)
				}
				if i := slices.IndexFunc(got.ByReplica, func(a Answer) bool { return a.Self }); i < 0 || got.ByReplica[i].Replica != r.Replica() {
					t.Errorf("%s does not know its own answer: %+v", r.Replica(), got.ByReplica)
				}
			}
		})
	}
}

// TestAlone: without Redis this process is all there is, and needs no Run.
func TestAlone(t *testing.T) {
	t.Parallel()
	f, err := New(Options{Replica: "the only one"})
	if err != nil {
		t.Fatal(err)
	}
	r := (&running{Fleet: f}).echo(t)
	if got := r.ask(t, "echo", "x"); !got.Alone || !got.Whole() || len(got.ByReplica) != 1 || string(got.ByReplica[0].Payload) != "the-only-one: x" {
		t.Errorf("%+v", got)
	}
	if got := r.ask(t, "other", "x"); got.Whole() || got.Missing[0].Why != Unsupported {
		t.Errorf("a question that nothing answers: %+v", got)
	}
}

// TestMissing: whoever does not answer is named, with the reason, and the others' answers
// are there.
func TestMissing(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	asking := start(t, addr, Options{Replica: "asking", Wait: 300 * time.Millisecond}).echo(t)
	start(t, addr, Options{Replica: "good"}).echo(t)
	start(t, addr, Options{Replica: "old"})
	hangs, released := start(t, addr, Options{Replica: "hangs"}), make(chan struct{})
	large, fails, panics := start(t, addr, Options{Replica: "large"}), start(t, addr, Options{Replica: "fails"}), start(t, addr, Options{Replica: "panics"})
	t.Cleanup(func() { close(released) })
	for r, answer := range map[*running]Answerer{
		hangs: func(context.Context, []byte) ([]byte, error) {
			<-released
			return nil, nil
		},
		large:  func(context.Context, []byte) ([]byte, error) { return make([]byte, MaxAnswer+1), nil },
		fails:  func(context.Context, []byte) ([]byte, error) { return []byte("half"), errors.New("no") },
		panics: func(context.Context, []byte) ([]byte, error) { panic("oops") },
	} {
		if err := r.Handle("echo", answer); err != nil {
			t.Fatal(err)
		}
	}
	asking.see(t, 7)
	got := asking.ask(t, "echo", "x")
	if diff := cmp.Diff([]string{"asking: x", "good: x"}, texts(got)); diff != "" {
		t.Error(diff)
	}
	want := []Missing{{"fails", Failed}, {"hangs", Silent}, {"large", Oversized}, {"old", Unsupported}, {"panics", Failed}}
	if diff := cmp.Diff(want, got.Missing); diff != "" || got.Whole() {
		t.Error(diff)
	}
}

// TestDeath: a replica that is cut off is named until its time is over; one that ends as
// it should is not.
func TestDeath(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	asking := start(t, addr, Options{Replica: "asking", Wait: 200 * time.Millisecond}).echo(t)
	leaves := start(t, addr, Options{Replica: "leaves"}).echo(t)
	proxy := faultproxy.New(t, addr)
	dies := start(t, proxy.Addr(), Options{Replica: "dies"}).echo(t)
	dies.see(t, 3)
	asking.see(t, 3)
	proxy.Refuse()
	got := asking.ask(t, "echo", "x")
	if diff := cmp.Diff([]Missing{{"dies", Silent}}, got.Missing); diff != "" || len(got.ByReplica) != 2 {
		t.Errorf("%+v: %s", got, diff)
	}
	leaves.stop()
	if got := asking.ask(t, "echo", "x"); slices.ContainsFunc(got.Missing, func(m Missing) bool { return m.Replica == "leaves" }) {
		t.Errorf("%+v", got)
	}
	asking.see(t, 1)
	if got := asking.ask(t, "echo", "x"); !got.Whole() || len(got.ByReplica) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestRedisIsLost: a replica answers for itself, says that there may be others, names
// those of which it knows, and asks all again when Redis is back.
func TestRedisIsLost(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(testing.TB, *faultproxy.Proxy) (undo func()){
		"refused": func(tb testing.TB, p *faultproxy.Proxy) func() {
			tb.Helper()
			p.Refuse()
			return func() { p.Listen(tb) }
		},
		"black hole": func(_ testing.TB, p *faultproxy.Proxy) func() {
			p.Set(faultproxy.BlackHole)
			return func() { p.Set(faultproxy.None) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := redistest.Start(t)
			proxy := faultproxy.New(t, addr)
			asking := start(t, proxy.Addr(), Options{Replica: "asking"}).echo(t)
			start(t, addr, Options{Replica: "other"}).echo(t)
			asking.see(t, 2)
			undo := fault(t, proxy)
			got := asking.ask(t, "echo", "x")
			if diff := cmp.Diff([]Missing{{"other", Silent}}, got.Missing); diff != "" || !got.Unknown || got.Whole() || got.Alone || len(got.ByReplica) != 1 {
				t.Errorf("%+v: %s", got, diff)
			}
			undo()
			timetest.Eventually(t, "both answer again", func() bool {
				got := asking.ask(t, "echo", "x")
				return got.Whole() && len(got.ByReplica) == 2
			})
		})
	}
}

// TestOtherGateways: replicas of another gateway at the same Redis are not asked: neither
// those of another scope, nor those of the same one in another database, which Redis'
// channels reach.
func TestOtherGateways(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	asking := start(t, addr, Options{Replica: "asking"}).echo(t)
	asked := func(context.Context, []byte) ([]byte, error) {
		t.Error("the question reached another gateway")
		return nil, nil
	}
	for other, o := range map[string]Options{addr: {Replica: "scope", Scope: "another"}, addr + "/1": {Replica: "database"}} {
		r := start(t, other, o)
		if err := r.Handle("echo", asked); err != nil {
			t.Fatal(err)
		}
		r.see(t, 1)
	}
	asking.see(t, 1)
	if got := asking.ask(t, "echo", "x"); !got.Whole() || len(got.ByReplica) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestFlood: whoever can write to Redis makes a replica answer no more than so many
// questions at the same time and in a second, and costs it nothing else. Afterwards it
// answers as before.
func TestFlood(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	asking := start(t, addr, Options{Replica: "asking"}).echo(t)
	flooded := start(t, addr, Options{Replica: "flooded"})
	var running, most, calls atomic.Int64
	if err := flooded.Handle("echo", func(context.Context, []byte) ([]byte, error) {
		calls.Add(1)
		n := running.Add(1)
		defer running.Add(-1)
		for {
			if seen := most.Load(); n <= seen || most.CompareAndSwap(seen, n) {
				return nil, nil
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	asking.see(t, 2)
	const flood = 20_000
	hostile := redistest.Client(t, addr)
	pipe := hostile.Pipeline()
	for i := range flood {
		id := fmt.Sprintf("FLOOD%d", i%100)
		if i < 100 {
			pipe.Set(t.Context(), flooded.keys.question+id, `{"v":1,"kind":"echo","wait_ms":1000}`+"\n", 0)
		}
		pipe.Publish(t.Context(), flooded.keys.channel, "q "+id)
	}
	for _, junk := range []string{"", "q", "q ../../x", "a b", "q " + strings.Repeat("x", 1<<20), "a FLOOD1 X", "\x00"} {
		pipe.Publish(t.Context(), flooded.keys.channel, junk)
	}
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	timetest.Eventually(t, "the flood has passed", func() bool { return flooded.Dropped() > flood/2 })
	timetest.Eventually(t, "it answers again", func() bool { got := asking.ask(t, "echo", "x"); return got.Whole() })
	if n := calls.Load(); n > flood/10 || most.Load() > workers {
		t.Errorf("%d questions were answered, %d at the same time", n, most.Load())
	}
}

// TestBounds: what is too long is an error, and so are too many questions at once.
func TestBounds(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	asking := start(t, addr, Options{Replica: "asking", Wait: 300 * time.Millisecond})
	other := start(t, addr, Options{Replica: "other"})
	hang := func(ctx context.Context, _ []byte) ([]byte, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := errors.Join(asking.Handle("hang", hang), other.Handle("hang", hang)); err != nil {
		t.Fatal(err)
	}
	if err := asking.Handle("hang", hang); err == nil {
		t.Error("two handlers of one kind")
	}
	asking.see(t, 2)
	if _, err := asking.Ask(t.Context(), "hang", make([]byte, MaxQuestion+1)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	var busy atomic.Int64
	var all sync.WaitGroup
	for range 2 * maxPending {
		all.Go(func() {
			if _, err := asking.Ask(t.Context(), "hang", nil); errors.Is(err, ErrBusy) {
				busy.Add(1)
			}
		})
	}
	all.Wait()
	if busy.Load() == 0 {
		t.Error("no question was refused")
	}
	if len(asking.pending) != 0 {
		t.Errorf("%d questions were not forgotten", len(asking.pending))
	}
}

// TestMembersAreBounded: more replicas than a fleet may have, or such as a hostile writer
// invents, are not known; that there may be some is.
func TestMembersAreBounded(t *testing.T) {
	t.Parallel()
	addr := redistest.Start(t)
	asking := start(t, addr, Options{Replica: "asking", Wait: 100 * time.Millisecond}).echo(t)
	asking.see(t, 1)
	var list strings.Builder
	list.WriteString("EVIL 99999999999999 \x1b[31mred\nEVIL2 99999999999999 " + strings.Repeat("x", 1000) + "\n")
	for i := range 3 * MaxMembers {
		fmt.Fprintf(&list, "INSTANCE%d 99999999999999 replica-%d\n", i, i)
	}
	hostile := redistest.Client(t, addr)
	timetest.Eventually(t, "the list is there", func() bool {
		if err := hostile.Set(t.Context(), asking.keys.members, list.String(), 0).Err(); err != nil {
			t.Fatal(err)
		}
		got := asking.ask(t, "echo", "x")
		for _, m := range got.Missing {
			if !strings.HasPrefix(m.Replica, "replica-") {
				t.Fatalf("a member %q", m.Replica)
			}
		}
		return got.Unknown && len(got.Missing) == MaxMembers-1 && len(got.ByReplica) == 1
	})
}
