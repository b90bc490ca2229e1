package audit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// line is a line as its reader sees it.
type line struct {
	Event, Caller, Peer, Queue string

	RequestID string `json:"request_id"`
	Count     int
}

func linesOf(t *testing.T, text string) []line {
	t.Helper()
	var all []line
	for each := range bytes.Lines([]byte(text)) {
		var l line
		if err := json.Unmarshal(each, &l); err != nil {
			t.Fatalf("%q: %v", each, err)
		}
		all = append(all, l)
	}
	return all
}

// while runs offers while the sink hangs, and returns all that is written after it.
func while(t *testing.T, options Options, offers func(*Log)) (*Log, []line) {
	t.Helper()
	out := &stuck{gate: make(chan struct{})}
	options.Stdout = out
	l := open(t, options)
	l.Offer(&Record{Event: EventCall, Caller: "first"})
	lingered() // The writer has it, and hangs.
	offers(l)
	close(out.gate)
	mustClose(t, l)
	return l, linesOf(t, out.String())
}

// lingered waits until the writer has what was offered. It belongs into a bubble.
func lingered() {
	<-time.After(lingerTime)
	synctest.Wait()
}

func count(lines []line, is func(line) bool) (n int) {
	for _, l := range lines {
		if is(l) {
			n++
		}
	}
	return n
}

// TestStrangersHideNobody: no number of refusals of strangers costs the record of a
// caller, and what they lose themselves is said.
func TestStrangersHideNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const flood, calls = 60_000, 20
		l, lines := while(t, Options{}, func(l *Log) {
			for i := range flood {
				l.Offer(&Record{Event: EventCall, Peer: fmt.Sprintf("192.0.2.%d:1", i%250), Decision: DecisionUnauthenticated})
				if i%(flood/calls) == 0 {
					l.Offer(&Record{Event: EventCall, Caller: "auditor", RequestID: fmt.Sprint(i)})
				}
			}
		})
		if n := count(lines, func(l line) bool { return l.Caller == "auditor" }); n != calls {
			t.Errorf("%d records of a caller, want %d", n, calls)
		}
		strangers, told := 0, 0
		for _, l := range lines {
			switch {
			case l.Event == EventDropped && l.Queue == QueueStrangers:
				told += l.Count
			case l.Event == EventCall && l.Caller == "":
				strangers++
			}
		}
		if strangers+told != flood || uint64(told) != l.Dropped().Strangers || l.Dropped().Callers != 0 {
			t.Errorf("%d of strangers, told of %d, dropped %+v", strangers, told, l.Dropped())
		}
	})
}

// TestOwnCallsAreNoStrangers: the records of what the gateway does for nobody are not
// crowded out by strangers.
func TestOwnCallsAreNoStrangers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const calls = 60
		l, lines := while(t, Options{Queue: calls, StrangersQueue: 1}, func(l *Log) {
			for i := range calls {
				l.Offer(&Record{Event: EventCall, Agent: "leases", Decision: DecisionOwn, RequestID: fmt.Sprint(i)})
			}
		})
		if n := count(lines, func(l line) bool { return l.Event == EventCall }); n < calls || l.Dropped() != (Queues{}) {
			t.Errorf("%d records, want %d; dropped %+v", n, calls, l.Dropped())
		}
	})
}

// TestOneCallerHidesNoOther: the flood of a caller costs its own records, and those of
// an address, or of a network of IPv6, its own, also behind a proxy that is trusted.
func TestOneCallerHidesNoOther(t *testing.T) {
	t.Parallel()
	const proxy = "192.0.2.1:1"
	always := func(r Record) func(int) Record { return func(int) Record { return r } }
	for name, test := range map[string]struct {
		flood func(i int) Record
		other Record
		queue string
	}{
		"callers":   {always(Record{Caller: "loud"}), Record{Caller: "quiet"}, QueueCallers},
		"addresses": {always(Record{Peer: "192.0.2.1:1"}), Record{Peer: "192.0.2.2:1"}, QueueStrangers},
		"networks": {
			func(i int) Record { return Record{Peer: fmt.Sprintf("[2001:db8::%x]:1", i)} },
			Record{Peer: "[2001:db8:0:1::1]:1"}, QueueStrangers,
		},
		"addresses behind a proxy": {
			always(Record{Peer: proxy, ForwardedFor: "203.0.113.1"}),
			Record{Peer: proxy, ForwardedFor: "203.0.113.2"}, QueueStrangers,
		},
		"networks behind a proxy": {
			func(i int) Record { return Record{Peer: proxy, ForwardedFor: fmt.Sprintf("2001:db8::%x", i)} },
			Record{Peer: proxy, ForwardedFor: "2001:db8:0:1::1"}, QueueStrangers,
		},
		"an address behind proxies": {
			func(i int) Record {
				return Record{Peer: fmt.Sprintf("192.0.2.%d:1", i%250), ForwardedFor: "203.0.113.1"}
			},
			Record{Peer: proxy, ForwardedFor: "203.0.113.2"}, QueueStrangers,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				l, lines := while(t, Options{Queue: 64, StrangersQueue: 64}, func(l *Log) {
					flood := func(i int) {
						r := test.flood(i)
						r.Event, r.RequestID = EventCall, "loud"
						l.Offer(&r)
					}
					other := test.other
					other.Event, other.RequestID = EventCall, "quiet"
					for i := range 1000 {
						flood(i)
					}
					for i := range 20 {
						l.Offer(&other)
						flood(1000 + i)
					}
				})
				of := func(id string) int {
					return count(lines, func(l line) bool { return l.RequestID == id })
				}
				told := 0
				for _, l := range lines {
					if l.Event == EventDropped && l.Queue == test.queue {
						told += l.Count
					}
				}
				if of("quiet") != 20 || of("loud") != 44 || told != 1020-44 {
					t.Errorf("%d of the quiet one, %d of the loud one, told of %d; dropped %+v", of("quiet"), of("loud"), told, l.Dropped())
				}
			})
		})
	}
}

// TestGapsAreToldInTime: while records are still being dropped, a line a second says
// so.
func TestGapsAreToldInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &slow{pause: 400 * time.Millisecond}
		l := open(t, Options{Stdout: out, Queue: 2})
		start := time.Now()
		for time.Since(start) < 10*time.Second {
			l.Offer(call("1"))
			<-time.After(50 * time.Millisecond)
		}
		lines := linesOf(t, out.String())
		if n := count(lines, func(l line) bool { return l.Event == EventDropped && l.Count > 0 }); n < 4 || n > 10 {
			t.Errorf("%d lines in ten seconds", n)
		}
		mustClose(t, l)
	})
}

// slow is a sink that takes its time.
type slow struct {
	lockedBuffer
	pause time.Duration
}

func (s *slow) Write(p []byte) (int, error) {
	<-time.After(s.pause)
	return s.lockedBuffer.Write(p)
}

// TestLaneModel: a lane keeps the order of each caller, its bounds and its sums, and
// drops nothing of a caller who has no more than a fair share.
func TestLaneModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		const room = 20
		l := newLane(QueueCallers, room)
		single := rapid.Bool().Draw(t, "records of one line")
		waiting := map[string][]*entry{}
		kept := func() (lines, entries int) {
			for _, all := range waiting {
				for _, e := range all {
					lines, entries = lines+e.lines, entries+1
				}
			}
			return lines, entries
		}
		without := func(e *entry) {
			for key, all := range waiting {
				for i := range all {
					if all[i] == e {
						if i != len(all)-1 {
							t.Fatal("not the newest had to go")
						}
						waiting[key] = all[:i:i]
						return
					}
				}
			}
			t.Fatal("an entry that was not there")
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "step") == 0 {
				e := l.pop()
				if _, n := kept(); (e == nil) != (n == 0) {
					t.Fatalf("popped %v of %d", e, n)
				}
				if e == nil {
					continue
				}
				first := false
				for key, all := range waiting {
					if len(all) > 0 && all[0] == e {
						waiting[key], first = all[1:], true
					}
				}
				if !first {
					t.Fatal("a caller's records change their order")
				}
				continue
			}
			key := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "caller")
			e := &entry{lines: 1}
			if !single {
				e.lines = rapid.SampledFrom([]int{1, 1, 1, 4}).Draw(t, "lines")
			}
			held := 0
			for _, other := range waiting[key] {
				held += other.lines
			}
			waiting[key] = append(waiting[key], e)
			var gone []*entry
			for dropped := l.push(e, key); dropped != nil; dropped = dropped.next {
				gone = append(gone, dropped)
			}
			if len(gone) > 0 && gone[0] == e {
				if single && held < room/4 {
					t.Fatalf("%s has %d lines, less than one of four, and was refused", key, held)
				}
				without(e)
				gone = gone[1:]
			}
			for _, other := range slices.Backward(gone) {
				without(other)
			}
			if lines, n := kept(); lines > room || l.room != room-lines || l.entries != n {
				t.Fatalf("%d lines, %d records; room %d, %d records", lines, n, l.room, l.entries)
			}
			if len(l.shares) > room || l.first != nil && !strings.Contains("abcd", l.first.share.key) {
				t.Fatal("shares")
			}
		}
	})
}
