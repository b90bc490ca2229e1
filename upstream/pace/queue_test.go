package pace

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelFlow is a flow as the model of a queue has it.
type modelFlow struct {
	calls []*waiter
	start uint64
	since uint64
}

// modelQueue orders calls as a queue does, by lists that are searched.
type modelQueue struct {
	flows    [groups]map[string]*modelFlow
	now      [groups]uint64
	clock    uint64
	overtook bool
}

func (m *modelQueue) start(g group, key string) uint64 {
	return max(m.flows[g][key].start, m.now[g])
}

// turn returns the flow that goes next, of those that match.
func (m *modelQueue) turn(g group, match func(key string, f *modelFlow) bool) (first string) {
	for key, f := range m.flows[g] {
		if len(f.calls) == 0 || !match(key, f) {
			continue
		}
		if first == "" || m.start(g, key) < m.start(g, first) ||
			m.start(g, key) == m.start(g, first) && f.since < m.flows[g][first].since {
			first = key
		}
	}
	return first
}

func revocationOf(f *modelFlow) *waiter {
	for _, w := range f.calls {
		if w.class == Revocation {
			return w
		}
	}
	return nil
}

// pop returns the next call, in a queue without overdue calls.
func (m *modelQueue) pop() *waiter {
	every := func(string, *modelFlow) bool { return true }
	inTurn := m.turn(urgent, every)
	if inTurn == "" {
		key := m.turn(patient, every)
		if key == "" {
			return nil
		}
		return m.take(patient, key, m.flows[patient][key].calls[0], false)
	}
	first := m.turn(urgent, func(key string, f *modelFlow) bool {
		lead := m.start(urgent, key) - m.now[urgent]
		return revocationOf(f) != nil && (lead == 0 || lead < maxLead && !m.overtook)
	})
	next := m.flows[urgent][inTurn].calls[0]
	if first != "" {
		if w := revocationOf(m.flows[urgent][first]); w != next {
			return m.take(urgent, first, w, true)
		}
	}
	return m.take(urgent, inTurn, next, false)
}

func (m *modelQueue) take(g group, key string, w *waiter, overtakes bool) *waiter {
	f := m.flows[g][key]
	if !overtakes {
		m.now[g] = m.start(g, key)
	}
	m.overtook = overtakes
	m.clock++
	f.start, f.since = m.start(g, key)+1, m.clock
	m.remove(g, w)
	return w
}

func (m *modelQueue) push(g group, key string, w *waiter) {
	if m.flows[g] == nil {
		m.flows[g] = make(map[string]*modelFlow)
	}
	f := m.flows[g][key]
	if f == nil {
		f = &modelFlow{start: m.now[g]}
		m.flows[g][key] = f
	}
	if len(f.calls) == 0 {
		m.clock++
		f.since = m.clock
	}
	f.calls = append(f.calls, w)
}

// remove removes w. When no call waits, all is forgotten.
func (m *modelQueue) remove(g group, w *waiter) {
	left := 0
	for _, f := range m.flows[g] {
		for i, other := range f.calls {
			if other == w {
				f.calls = append(f.calls[:i:i], f.calls[i+1:]...)
				break
			}
		}
		left += len(f.calls)
	}
	if left == 0 {
		m.flows[g] = nil
	}
}

// pop serves the next call of a queue of which no call is overdue.
func pop(q *queue, all *level) *waiter {
	w, _ := popAt(q, all, time.Time{}, time.Hour)
	return w
}

// popAt serves the next call at an instant, with an interval between two tokens.
func popAt(q *queue, all *level, now time.Time, interval time.Duration) (*waiter, claim) {
	claim := q.next(now, interval, all, true)
	if claim.place == nil {
		return nil, claim
	}
	w, l := claim.place.waiter, claim.place.lane
	q.pay(l.group, l.turn, claim.turn, claim.overtakes)
	if l.group == patient {
		q.unserved = now
	}
	if claim.overdue {
		q.turns[urgent].charge(l.key)
	}
	q.remove(w, all)
	return w, claim
}

// A queue behaves like its model: each call comes out once, in its turn or before it.
func TestQueueIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, q := newLevel(10), newQueue(Bounds{Calls: 1000, Flows: 10})
		var model modelQueue
		type call struct {
			w *waiter
			g group
		}
		var waiting []call
		drop := func(w *waiter) {
			for i, c := range waiting {
				if c.w == w {
					waiting = append(waiting[:i], waiting[i+1:]...)
					return
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				flow := Flow{
					Key:   fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "flow")),
					Class: Class(rapid.IntRange(int(Revocation), int(FanOut)).Draw(t, "class")),
				}
				w := &waiter{}
				q.add(w, flow, &all)
				model.push(flow.Class.group(), flow.Key, w)
				waiting = append(waiting, call{w, flow.Class.group()})
			},
			"remove": func(t *rapid.T) {
				if len(waiting) == 0 {
					t.Skip("no call waits") // rapid's: draws another action
				}
				c := waiting[rapid.IntRange(0, len(waiting)-1).Draw(t, "who")]
				q.remove(c.w, &all)
				model.remove(c.g, c.w)
				drop(c.w)
			},
			"pop": func(t *rapid.T) {
				want := model.pop()
				if got := pop(&q, &all); got != want {
					t.Fatalf("got %+v, want %+v", got, want)
				}
				drop(want)
			},
			"": func(t *rapid.T) {
				n := 0
				q.each(func(*waiter) { n++ })
				if q.size != len(waiting) || n != len(waiting) || q.queuedAtLeast(FanOut) != n {
					t.Fatalf("size %d, %d in it, want %d", q.size, n, len(waiting))
				}
				for g := range q.turns {
					if flows := q.turns[g].flows; len(flows) > 5 || q.turns[g].waiting == 0 && len(flows) > 0 {
						t.Fatalf("%d flows are remembered", len(flows))
					}
				}
			},
		})
	})
}

// TestAheadIsHowManyGoBefore: ahead agrees with pop, fan-outs that are overdue among
// them. It is off by no more than what goes before its turn, and by what is owed for
// that; where nothing does, by the flows whose turn comes later than that of the call,
// which may go once less.
func TestAheadIsHowManyGoBefore(t *testing.T) {
	const flows = 5
	for first := Revocation; first <= FanOut; first++ {
		t.Run(first.String(), rapid.MakeCheck(func(t *rapid.T) {
			all, q := newLevel(100), newQueue(Bounds{Calls: 1000, Flows: 100})
			draw := func(least, most Class) Flow {
				return Flow{
					Key:   fmt.Sprint(rapid.IntRange(1, flows).Draw(t, "flow")),
					Class: Class(rapid.IntRange(int(least), int(most)).Draw(t, "class")),
				}
			}
			for range rapid.IntRange(0, 8).Draw(t, "fan-outs") {
				q.add(&waiter{}, draw(FanOut, FanOut), &all)
			}
			for range rapid.IntRange(0, 40).Draw(t, "others") {
				q.add(&waiter{}, draw(first, max(first, Interactive)), &all)
			}
			last, flow := &waiter{}, draw(first, FanOut)
			ahead, expected := q.ahead(flow), expectedEarly(&q, flow)
			q.add(last, flow, &all)
			n, early, owed, now := 0, 0, 0, time.Time{}
			for {
				now = now.Add(time.Second)
				w, c := popAt(&q, &all, now, time.Second)
				if w == last {
					break
				}
				n++
				if c.overtakes || c.overdue && flow.Class != FanOut {
					early++
				}
				if c.overdue && flow.Class != FanOut && c.place.lane.key == flow.Key {
					owed += flows - 1 // A turn of each other flow.
				}
			}
			var more, less int
			switch flow.Class {
			case Interactive: // Those that ahead expects are in it.
				more, less = max(0, early-expected), early+expected+flows-1
			case FanOut: // With each goes the time in which one is overdue.
				more, less = early, early+(flows-1)*patientEvery
			default:
				more, less = early+expected, early+expected+flows-1
			}
			if n > ahead+more+owed || n < ahead-less {
				t.Fatalf("%s: %d went before, and %d were ahead; %d went early, %d were expected to, and %d turns are owed",
					flow.Class, n, ahead, early, expected, owed)
			}
		}))
	}
}

// expectedEarly is how many calls ahead expects to go before their turn, and by that
// before a new call of flow.
func expectedEarly(q *queue, flow Flow) int {
	switch flow.Class {
	case Revocation:
		return q.ahead(flow) - q.rounds(urgent, flow.Key, func(l *lane) int { return l.revocations.size })
	case Interactive:
		return q.overtaking(flow.Key)
	default:
		return 0
	}
}

// A call in several lanes leaves all of them when it goes.
func TestPlacesGoTogether(t *testing.T) {
	all, q := newLevel(10), newQueue(Bounds{Calls: 10, Flows: 10})
	w := &waiter{}
	for _, flow := range []Flow{{"a", FanOut}, {"b", Interactive}, {"b", Interactive}, {"a", FanOut}, {"a", Interactive}} {
		q.add(w, flow, &all)
	}
	if q.size != 3 || w.class != Interactive || q.queued != [classes]int{Interactive: 1} {
		t.Errorf("%d places, class %s, queued %v", q.size, w.class, q.queued)
	}
	n := 0
	q.each(func(*waiter) { n++ })
	if got := pop(&q, &all); n != 1 || got != w || q.size != 0 || q.queued != [classes]int{} || len(q.lanes[urgent])+len(q.lanes[patient]) != 0 {
		t.Errorf("%d in it; then %+v", n, q)
	}
}
