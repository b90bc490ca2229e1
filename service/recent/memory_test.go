package recent

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/admin-gateway/admin-gateway/service/audit"
)

// instantOf is a time, as a line has it.
func instantOf(second int) time.Time {
	return time.Date(2026, 3, 9, 0, 0, second, 0, time.UTC)
}

// read is the record of a read that was answered.
func read(caller string, second int) *audit.Record {
	return &audit.Record{
		Time: instantOf(second), Event: audit.EventCall, RequestID: fmt.Sprintf("req_%s_%d", caller, second),
		Caller: caller, Method: "admingateway.admin.v1.ProjectService/GetProject", Permission: "projects.get",
		Decision: audit.DecisionAllowed, Code: "ok", Duration: time.Millisecond, Cache: "hit",
	}
}

func denied(caller string, second int) *audit.Record {
	r := read(caller, second)
	r.Decision, r.Code, r.Reason = audit.DecisionDenied, "permission_denied", "no_permission"
	return r
}

func (m *Memory) keepAll(records ...*audit.Record) {
	for _, r := range records {
		lines, _ := r.AppendLines(nil)
		m.Keep(r, lines)
	}
}

func ids(found Found) (all []string) {
	for _, r := range found.Records {
		all = append(all, r.RequestID)
	}
	return all
}

// TestFind: the newest come first, as many as are asked for, and those alone that were.
func TestFind(t *testing.T) {
	t.Parallel()
	m := New(Options{Bytes: 1 << 20})
	slow := read("one", 5)
	slow.Duration, slow.Waited, slow.Budget = 5*time.Second, 4*time.Second, "projects:read"
	m.keepAll(read("one", 1), denied("one", 2), read("two", 3), denied("two", 4), slow)
	for name, test := range map[string]struct {
		filter audit.Filter
		limit  int
		want   string
		more   bool
	}{
		"all":     {audit.Filter{}, 10, "[req_one_5 req_two_4 req_two_3 req_one_2 req_one_1]", false},
		"two":     {audit.Filter{}, 2, "[req_one_5 req_two_4]", true},
		"caller":  {audit.Filter{Caller: "one"}, 10, "[req_one_5 req_one_2 req_one_1]", false},
		"id":      {audit.Filter{RequestID: "req_two_3"}, 10, "[req_two_3]", false},
		"refused": {audit.Filter{Refused: true}, 10, "[req_two_4 req_one_2]", false},
		"both":    {audit.Filter{Refused: true, Caller: "one"}, 10, "[req_one_2]", false},
		"slow":    {audit.Filter{Slowest: time.Second}, 10, "[req_one_5]", false},
		"nobody":  {audit.Filter{Caller: "three"}, 10, "[]", false},
	} {
		found := m.Find(&test.filter, test.limit)
		if got := fmt.Sprint(ids(found)); got != test.want || found.More != test.more || !found.Since.Equal(m.began) {
			t.Errorf("%s: %s, more %t, since %s", name, got, found.More, found.Since)
		}
	}
	if found := m.Find(&audit.Filter{RequestID: slow.RequestID}, 1).Records[0]; found.Waited != slow.Waited || found.Budget != slow.Budget {
		t.Errorf("%+v", found)
	}
}

// TestBusyCallerTakesNoRoom: a caller of a million calls pushes out its own records, and
// none of a caller of few; calls that were answered push out none that were refused.
func TestBusyCallerTakesNoRoom(t *testing.T) {
	t.Parallel()
	m := New(Options{Bytes: 40 * blockBytes})
	m.began = time.Time{} // All records are later.
	m.keepAll(read("quiet", 1), denied("quiet", 2), denied("busy", 3))
	for i := range 5000 {
		m.keepAll(read("busy", 10+i))
	}
	if got := ids(m.Find(&audit.Filter{Caller: "quiet"}, 10)); len(got) != 2 {
		t.Errorf("of the quiet one: %v", got)
	}
	if got := ids(m.Find(&audit.Filter{Caller: "busy", Refused: true}, 10)); len(got) != 1 {
		t.Errorf("refused: %v", got)
	}
	busy := m.Find(&audit.Filter{Caller: "busy"}, 1<<20)
	if oldest := busy.Records[len(busy.Records)-2]; busy.Since.IsZero() || !busy.Since.Before(oldest.Time) || !busy.Records[0].Time.Equal(instantOf(5009)) {
		t.Errorf("since %s, oldest %s, newest %s", busy.Since, oldest.Time, busy.Records[0].Time)
	}
	if quiet := m.Find(&audit.Filter{Caller: "quiet"}, 10); !quiet.Since.Equal(m.began) {
		t.Errorf("of the quiet one nothing was forgotten, and it says since %s", quiet.Since)
	}
}

// TestMemoryIsBoundedAndHonest: whatever comes, there are no more blocks than may be, and
// every record since the time that an answer names is in it.
func TestMemoryIsBoundedAndHonest(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := New(Options{Bytes: rapid.IntRange(0, 12).Draw(t, "blocks") * blockBytes})
		m.began = time.Time{} // All records are later.
		callers := rapid.IntRange(1, 20).Draw(t, "callers")
		var all []*audit.Record
		for i := range rapid.IntRange(1, 400).Draw(t, "records") {
			caller := fmt.Sprint("c", rapid.IntRange(0, callers-1).Draw(t, "caller"))
			r := read(caller, i)
			if rapid.Bool().Draw(t, "denied") {
				r = denied(caller, i)
			}
			r.Request = []audit.Detail{{Path: "x", Values: []string{strings.Repeat("y", rapid.IntRange(0, 250).Draw(t, "length"))}}}
			all = append(all, r)
			m.keepAll(r)
		}
		for _, p := range []*pool{&m.notable, &m.ordinary, &m.ofStranger} {
			if p.blocks.Len() > p.most || len(p.chains) > p.most {
				t.Fatalf("%d blocks and %d chains of %d", p.blocks.Len(), len(p.chains), p.most)
			}
		}
		for _, filter := range []audit.Filter{{}, {Caller: "c0"}, {Refused: true}, {Caller: "c1", Refused: true}} {
			found := m.Find(&filter, len(all))
			have := make(map[string]bool)
			for _, id := range ids(found) {
				if have[id] {
					t.Fatalf("%s twice", id)
				}
				have[id] = true
			}
			for _, r := range all {
				if filter.Matches(r) && r.Time.After(found.Since) && !have[r.RequestID] {
					t.Fatalf("%s of %s is missing, and nothing was forgotten since %s", r.RequestID, r.Time, found.Since)
				}
			}
		}
	})
}

// TestLargeRecord: of a record that is larger than a block, the first line is kept.
func TestLargeRecord(t *testing.T) {
	t.Parallel()
	m := New(Options{Bytes: 4 * blockBytes})
	r := denied("one", 1)
	for i := range 10_000 {
		r.Projects = append(r.Projects, fmt.Sprintf("proj_%d", i))
	}
	m.keepAll(r)
	if found := m.Find(&audit.Filter{Project: "proj_0"}, 1); len(found.Records) != 1 || len(found.Records[0].Projects) == 0 {
		t.Errorf("%+v", found)
	}
}

// TestManyGoroutines: readers and writers at the same time see whole records.
func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	m := New(Options{Bytes: 8 * blockBytes})
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 500 {
				m.keepAll(read(fmt.Sprint("c", g), i), denied(fmt.Sprint("c", i%7), i), stranger("192.0.2.1:1", "unknown_token", i))
			}
		})
		all.Go(func() {
			for range 20 {
				for _, r := range m.Find(&audit.Filter{}, 1000).Records {
					if r.Event != audit.EventCall || r.Time.IsZero() {
						t.Errorf("%+v", r)
					}
				}
				m.Strangers(time.Time{}, 10)
			}
		})
	}
	all.Wait()
}

func stranger(peer, reason string, second int) *audit.Record {
	return &audit.Record{
		Time: instantOf(second), Event: audit.EventCall, RequestID: fmt.Sprintf("req_%s_%d", peer, second), Peer: peer, Door: "grpc",
		Method: "a.B/C", Decision: audit.DecisionUnauthenticated, Reason: reason, Code: "unauthenticated", Presented: "0123456789ab",
	}
}

// TestStrangers: the calls of one network for one reason are one line, with their number,
// the first time and the last; another reason is another line.
func TestStrangers(t *testing.T) {
	t.Parallel()
	m := New(Options{Bytes: 1 << 20})
	for i := range 1000 {
		m.keepAll(stranger(fmt.Sprintf("[2001:db8::%x]:%d", i+1, 1000+i), "unknown_token", i))
	}
	m.keepAll(stranger("192.0.2.1:1", "expired_token", 2000), stranger("192.0.2.1:2", "unknown_token", 2001))
	found, more, since := m.Strangers(time.Time{}, 10)
	if len(found) != 3 || more || !since.Equal(m.began) {
		t.Fatalf("%+v, more %t, since %s", found, more, since)
	}
	flood := found[2]
	if flood.Network != netip.MustParseAddr("2001:db8::") || flood.Count != 1000 || !flood.First.Equal(instantOf(0)) || !flood.Last.Equal(instantOf(999)) ||
		flood.Peer != "[2001:db8::3e8]:1999" || flood.Presented != "0123456789ab" {
		t.Errorf("%+v", flood)
	}
	if found, more, _ := m.Strangers(instantOf(2001), 10); len(found) != 1 || more || found[0].Reason != "unknown_token" {
		t.Errorf("since: %+v", found)
	}
	if _, more, _ := m.Strangers(time.Time{}, 2); !more {
		t.Error("nothing says that there are more")
	}
	// A caller's call that was refused is no stranger's, and a stranger's is found by its id.
	m.keepAll(denied("one", 1))
	if found, _, _ := m.Strangers(time.Time{}, 10); len(found) != 3 {
		t.Errorf("%d", len(found))
	}
	if found := m.Find(&audit.Filter{RequestID: "req_192.0.2.1:1_2000"}, 1); len(found.Records) != 1 {
		t.Errorf("%+v", found)
	}
}

// TestFloodOfNetworks: a stranger with a hundred thousand networks takes a bounded number
// of lines, and pushes out its own before those of others.
func TestFloodOfNetworks(t *testing.T) {
	t.Parallel()
	m := New(Options{Bytes: 8 * blockBytes})
	m.keepAll(stranger("192.0.2.1:1", "expired_token", 1))
	long := strings.Repeat("x", 10_000)
	for i := range 100_000 {
		r := stranger(fmt.Sprintf("[2001:db8:0:%x::1]:1", i%0x10000), "unknown_token", i)
		if i%1000 == 0 {
			r.Method, r.Presented = long, long
		}
		m.strangers.add(netip.MustParseAddr(fmt.Sprintf("2001:db8:0:%x::", i%0x10000)), r)
	}
	if n := len(m.strangers.lines); n != maxStrangers || m.strangers.order.Len() != n {
		t.Errorf("%d lines, %d in order", n, m.strangers.order.Len())
	}
	found, _, since := m.Strangers(time.Time{}, maxStrangers)
	if found[len(found)-1].Reason != "expired_token" || !since.After(m.began.Add(-time.Hour*24*365)) {
		t.Errorf("the quiet one is forgotten: %+v", found[len(found)-1])
	}
	for _, s := range found {
		if len(s.Method) > 256 || len(s.Presented) > 256 {
			t.Errorf("a text of %d bytes", len(s.Method))
		}
	}
}

// BenchmarkKeep is what a memory adds to a call, beside the log's own line.
func BenchmarkKeep(b *testing.B) {
	m := New(Options{Bytes: DefaultBytes})
	r := read("caller", 1)
	r.Credential, r.Peer, r.Grant, r.Authenticated = "0123456789ab", "192.0.2.1:51234", "grants[0]", "token"
	r.Resources = []audit.Resource{{Name: "project_id", ID: "proj_0123456789abcdef"}}
	lines, _ := r.AppendLines(nil)
	b.ReportAllocs()
	b.SetBytes(int64(len(lines)))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.Keep(r, lines)
		}
	})
}
