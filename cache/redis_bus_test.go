package cache

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/faultproxy"
)

// hearing is a Listener that records its calls.
type hearing struct {
	t      testing.TB
	events chan heardEvent
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
func (h *hearing) Up()                      { h.events <- heardEvent{"up", nil} }
func (h *hearing) Down()                    { h.events <- heardEvent{"down", nil} }

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
			if e := <-own.events; e.what != "up" {
				t.Errorf("the writer heard %v", e)
			}
			heard.wait("up")
		})
	}
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
		"everything":     {"you *", []heardEvent{{"up", nil}}},
		"empty":          {"", []heardEvent{{"up", nil}}},
		"no slot":        {"you 00000000000000ff 4097:1", []heardEvent{{"up", nil}}},
		"no number":      {"you 00000000000000ff a:1", []heardEvent{{"up", nil}}},
		"no generation":  {"you 00000000000000ff 1", []heardEvent{{"up", nil}}},
		"another format": {"you v2 7:1", []heardEvent{{"up", nil}}},
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

// A listener is down whenever it may miss invalidations, also when the connection
// does not break but falls silent.
func TestRedisBusGaps(t *testing.T) {
	t.Parallel()
	server := newRedisServer(t)
	proxy := faultproxy.New(t, server.addr)
	writer := newReplica(t, server.addr, RedisOptions{})
	heard := newHearing(t, newReplica(t, proxy.Addr(), RedisOptions{Heartbeat: 50 * time.Millisecond}))
	tags := NewTags(redisTestOrg, "/a")
	for _, fault := range []struct {
		name       string
		begin, end func()
	}{
		{"cut", proxy.Cut, func() {}},
		{"refused", proxy.Refuse, func() { proxy.Listen(t) }},
		{"silent", func() { proxy.Set(faultproxy.BlackHole) }, func() { proxy.Set(faultproxy.None) }},
		{"answers lost", func() { proxy.Set(faultproxy.Hold) }, func() { proxy.Set(faultproxy.None) }},
	} {
		heard.drain()
		fault.begin()
		heard.wait("down")
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
