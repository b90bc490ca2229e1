package cache

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
	"github.com/admin-gateway/admin-gateway/internal/timetest"
)

// hearing is a Listener that records its calls.
type hearing struct {
	t      testing.TB
	events chan heardEvent
	heard  atomic.Pointer[time.Time]
}

type heardEvent struct {
	what  string
	slots []Slot
}

// newHearing listens to r until the test ends, and returns once it is up.
func newHearing(tb testing.TB, r *Redis) *hearing {
	tb.Helper()
	h := &hearing{t: tb, events: make(chan heardEvent, 10_000)}
	ctx, cancel := context.WithCancel(context.WithoutCancel(tb.Context()))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Listen(ctx, h)
	}()
	tb.Cleanup(func() {
		cancel()
		<-ended
	})
	h.wait("up")
	return h
}

func (h *hearing) Invalidated(slots []Slot) { h.events <- heardEvent{"invalidated", slots} }
func (h *hearing) InvalidatedAll()          { h.events <- heardEvent{"all", nil} }
func (h *hearing) Up(time.Time)             { h.events <- heardEvent{"up", nil} }
func (h *hearing) Heard(asOf time.Time)     { h.heard.Store(&asOf) }

// wait waits for an event, and skips others.
func (h *hearing) wait(what string) heardEvent {
	h.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case e := <-h.events:
			if e.what == what {
				return e
			}
		case <-deadline:
			h.t.Fatal("never heard: " + what)
		}
	}
}

func (h *hearing) drain() {
	for len(h.events) > 0 {
		<-h.events
	}
}

func TestRedisBus(t *testing.T) {
	t.Parallel()
	for name, options := range map[string]RedisOptions{
		"all organizations": {},
		"one organization":  {Org: redisTestOrg},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := newRedisServer(t)
			writer := newReplica(t, server.addr, RedisOptions{})
			heard, own := newHearing(t, newReplica(t, server.addr, options)), newHearing(t, writer)
			tags, others := NewTags(redisTestOrg, "/a", "/b"), NewTags(redisTestOrg, "/c")

			closed, err := writer.Open(t.Context(), tags)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tags.slots, heard.wait("invalidated").slots); diff != "" {
				t.Error(diff)
			}
			if err := closed(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tags.slots, heard.wait("invalidated").slots); diff != "" {
				t.Error(diff)
			}
			if err := writer.Purge(t.Context(), others); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(others.slots, heard.wait("invalidated").slots); diff != "" {
				t.Error(diff)
			}
			// A replica ignores its messages; an unknown message invalidates all.
			if err := server.client.Publish(t.Context(), newRedisOrg("gw", redisTestOrg).channel, "later build").Err(); err != nil {
				t.Fatal(err)
			}
			if e := <-own.events; e.what != "all" {
				t.Errorf("the writer heard %v", e)
			}
			heard.wait("all")
		})
	}
}

// standing is a Listener that stands still at an invalidation until it is released.
type standing struct {
	hearing
	stopped, release chan struct{}
	once             sync.Once
}

func (s *standing) Invalidated([]Slot) {
	s.once.Do(func() {
		close(s.stopped)
		<-s.release
	})
}

func (s *standing) Up(time.Time) {}

func (s *standing) Heard(asOf time.Time) {
	select {
	case <-s.stopped:
		s.heard.CompareAndSwap(nil, &asOf) // The first after the release.
	default:
	}
}

// A reply that was read after a pause does not say that nothing was missed in the
// pause: it counts as of the time of its ping.
func TestRedisBusIsHeardAsOfThePing(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	r := newReplica(t, server.addr, RedisOptions{Heartbeat: 50 * time.Millisecond})
	l := &standing{hearing: hearing{t: t, events: make(chan heardEvent, 100)}, stopped: make(chan struct{}), release: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Listen(ctx, l)
	}()
	writer := newReplica(t, server.addr, RedisOptions{})
	timetest.Eventually(t, "it stands still", func() bool {
		if err := writer.Purge(t.Context(), NewTags(redisTestOrg, "/a")); err != nil {
			t.Fatal(err)
		}
		select {
		case <-l.stopped:
			return true
		default:
			return false
		}
	})
	seen := newHearing(t, r) // As long as a heartbeat takes there, one waits here.
	timetest.Eventually(t, "another connection is heard", func() bool { return seen.heard.Load() != nil })
	released := time.Now()
	close(l.release)
	timetest.Eventually(t, "it is heard again", func() bool { return l.heard.Load() != nil })
	if asOf := *l.heard.Load(); !asOf.Before(released) {
		t.Errorf("heard as of %v after the pause ended", asOf.Sub(released))
	}
	cancel()
	<-ended
}

func TestRedisBusMessages(t *testing.T) {
	t.Parallel()
	r := &Redis{sender: "me", orgs: map[string]*redisOrg{}}
	tests := map[string]struct {
		payload string
		want    []heardEvent
	}{
		"one":            {"you 00000000000000ff 7:1", []heardEvent{{"invalidated", []Slot{7}}}},
		"two":            {"you 00000000000000ff 7:1 4095:9", []heardEvent{{"invalidated", []Slot{7, 4095}}}},
		"own":            {"me 00000000000000ff 7:1", nil},
		"everything":     {"you *", []heardEvent{{"all", nil}}},
		"empty":          {"", []heardEvent{{"all", nil}}},
		"no slot":        {"you 00000000000000ff 4097:1", []heardEvent{{"all", nil}}},
		"no number":      {"you 00000000000000ff a:1", []heardEvent{{"all", nil}}},
		"no generation":  {"you 00000000000000ff 1", []heardEvent{{"all", nil}}},
		"another format": {"you v2 7:1", []heardEvent{{"all", nil}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hearing{t: t, events: make(chan heardEvent, 10)}
			r.hear(&redis.Message{Payload: test.payload}, h)
			close(h.events)
			got := slices.Collect(func(yield func(heardEvent) bool) {
				for e := range h.events {
					if !yield(e) {
						return
					}
				}
			})
			if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(heardEvent{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A listener is up again after each gap in which it may have missed invalidations,
// also when the connection does not break but falls silent.
func TestRedisBusGaps(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	proxy := faultproxy.New(t, server.addr)
	writer := newReplica(t, server.addr, RedisOptions{})
	heard := newHearing(t, newReplica(t, proxy.Addr(), RedisOptions{Heartbeat: 50 * time.Millisecond}))
	tags := NewTags(redisTestOrg, "/a")
	// Silence is over for the listener when it connects anew.
	silence := func(fault faultproxy.Fault) func() {
		return func() {
			before := proxy.Accepted()
			proxy.Set(fault)
			timetest.Eventually(t, "silence is noticed", func() bool { return proxy.Accepted() > before })
		}
	}
	for _, fault := range []struct {
		name       string
		begin, end func()
	}{
		{"cut", proxy.Cut, func() {}},
		{"refused", proxy.Refuse, func() { proxy.Listen(t) }},
		{"silent", silence(faultproxy.BlackHole), func() { proxy.Set(faultproxy.None) }},
		{"answers lost", silence(faultproxy.Hold), func() { proxy.Set(faultproxy.None) }},
	} {
		heard.drain()
		fault.begin()
		if err := writer.Purge(t.Context(), tags); err != nil {
			t.Fatal(fault.name, err)
		}
		fault.end()
		heard.wait("up")
		if err := writer.Purge(t.Context(), tags); err != nil {
			t.Fatal(fault.name, err)
		}
		if diff := cmp.Diff(tags.slots, heard.wait("invalidated").slots); diff != "" {
			t.Error(fault.name, diff)
		}
	}
}
