package pace

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// modelFlow is a flow as the model of a queue has it.
type modelFlow struct {
	calls  []*waiter
	start  uint64
	since  uint64
	minted uint64
}

// tokensAMint is how many tokens mints share with revocations for one of theirs.
const tokensAMint = 5

// modelQueue orders calls as a queue does, by lists that are searched.
type modelQueue struct {
	flows    [groups]map[string]*modelFlow
	now      [groups]uint64
	clock    uint64
	overtook bool
	run      int
	// credit is what mints have earned, of tokensAMint for one.
	credit int
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

// of is the first call of a class.
func (f *modelFlow) of(class Class) *waiter {
	for _, w := range f.calls {
		if w.class == class {
			return w
		}
	}
	return nil
}

func (m *modelQueue) has(class Class) bool {
	for _, f := range m.flows[class.group()] {
		if f.of(class) != nil {
			return true
		}
	}
	return false
}

// pop returns the next call, in a queue without overdue calls.
func (m *modelQueue) pop() *waiter {
	every := func(string, *modelFlow) bool { return true }
	behind := m.has(Revocation) || m.has(Mint) || m.has(Interactive) || m.has(FanOut)
	contested, mints := m.has(Revocation) && m.has(Mint), m.has(Mint)
	if key := m.turn(urgent, every); key != "" && (!behind || m.run < urgentRun) {
		if behind {
			m.run++
		}
		return m.inTurn(urgent, key, m.flows[urgent][key].calls[0])
	}
	var w *waiter
	if key := m.turn(prompt, every); key != "" {
		w = m.popPrompt(key, contested)
	} else if key := m.turn(patient, every); key != "" {
		m.overtook = false
		w = m.inTurn(patient, key, m.flows[patient][key].calls[0])
	} else if key := m.turn(spare, every); key != "" {
		w = m.inTurn(spare, key, m.flows[spare][key].calls[0])
	} else {
		return nil
	}
	m.run = 0
	switch {
	case w.class == Mint:
		m.credit = max(0, m.credit+1-tokensAMint)
	case contested:
		m.credit = min(tokensAMint, m.credit+1)
	case !mints:
		m.credit = 0
	}
	return w
}

// popPrompt returns the next call where prompt ones wait. It is the turn of the flow of
// key.
func (m *modelQueue) popPrompt(key string, contested bool) *waiter {
	next := m.flows[prompt][key].calls[0]
	if contested && m.credit+1 >= tokensAMint {
		of := ""
		for k, f := range m.flows[prompt] {
			if f.of(Mint) != nil && (of == "" || f.minted < m.flows[prompt][of].minted) {
				of = k
			}
		}
		return m.early(of, m.flows[prompt][of].of(Mint), m.overtook)
	}
	for _, class := range []Class{Revocation, Mint} {
		first := m.turn(prompt, func(k string, f *modelFlow) bool {
			lead := m.start(prompt, k) - m.now[prompt]
			return f.of(class) != nil && (lead == 0 || lead < maxLead && !m.overtook)
		})
		if first != "" && m.flows[prompt][first].of(class) != next && (class == Revocation || !m.has(Revocation)) {
			return m.early(first, m.flows[prompt][first].of(class), true)
		}
	}
	m.overtook = false
	if next.class == Mint && m.has(Revocation) {
		if own := m.flows[prompt][key].of(Interactive); own != nil {
			return m.inTurn(prompt, key, own)
		}
		to := m.turn(prompt, func(_ string, f *modelFlow) bool { return f.of(Revocation) != nil })
		w := m.flows[prompt][to].of(Revocation)
		m.now[prompt] = m.start(prompt, key)
		m.pay(prompt, key)
		m.clock++
		m.flows[prompt][to].since = m.clock
		m.remove(prompt, w)
		return w
	}
	return m.inTurn(prompt, key, next)
}

// inTurn takes the call of a flow that has its turn.
func (m *modelQueue) inTurn(g group, key string, w *waiter) *waiter {
	m.now[g] = m.start(g, key)
	return m.take(g, key, w)
}

// early takes a call before the turn of its flow.
func (m *modelQueue) early(key string, w *waiter, overtook bool) *waiter {
	m.overtook = overtook
	return m.take(prompt, key, w)
}

func (m *modelQueue) take(g group, key string, w *waiter) *waiter {
	m.pay(g, key)
	if w.class == Mint {
		m.clock++
		m.flows[g][key].minted = m.clock
	}
	m.remove(g, w)
	return w
}

func (m *modelQueue) pay(g group, key string) {
	f := m.flows[g][key]
	m.clock++
	f.start, f.since = m.start(g, key)+1, m.clock
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
	m.clock++
	if len(f.calls) == 0 {
		f.since = m.clock
	}
	if w.class == Mint && f.of(Mint) == nil {
		f.minted = m.clock
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
	q.spend(claim, now, true)
	if claim.overdue {
		q.turns[prompt].charge(l.key)
	}
	q.remove(w, all)
	return w, claim
}

// A queue behaves like its model: each call comes out once, in its turn or before it.
func TestQueueIsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all, q := newLevel(10, 1./tokensAMint), newQueue(Bounds{Calls: 1000, Flows: 10}, 1./tokensAMint)
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
					Class: Class(rapid.IntRange(int(Urgent), int(Spare)).Draw(t, "class")),
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
				if q.size != len(waiting) || n != len(waiting) || q.queuedAtLeast(Spare) != n {
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
	for _, first := range []Class{Revocation, Interactive, FanOut} {
		t.Run(first.String(), rapid.MakeCheck(func(t *rapid.T) {
			all, q := newLevel(100, 0), newQueue(Bounds{Calls: 1000, Flows: 100}, 0)
			draw := func(least, most Class) Flow {
				classes := []Class{Revocation, Interactive, FanOut}
				classes = classes[slices.Index(classes, least) : slices.Index(classes, most)+1]
				return Flow{Key: fmt.Sprint(rapid.IntRange(1, flows).Draw(t, "flow")), Class: rapid.SampledFrom(classes).Draw(t, "class")}
			}
			for range rapid.IntRange(0, 8).Draw(t, "fan-outs") {
				q.add(&waiter{}, draw(FanOut, FanOut), &all)
			}
			for range rapid.IntRange(0, 40).Draw(t, "others") {
				q.add(&waiter{}, draw(first, max(first, Interactive)), &all)
			}
			last, flow := &waiter{}, draw(first, FanOut)
			ahead, expected := aheadOf(&q, flow), expectedEarly(&q, flow)
			q.add(last, flow, &all)
			n, hasty, owed, now := 0, 0, 0, time.Time{}
			for {
				now = now.Add(time.Second)
				w, c := popAt(&q, &all, now, time.Second)
				if w == last {
					break
				}
				n++
				if c.by == early || c.overdue && flow.Class != FanOut {
					hasty++
				}
				if c.overdue && flow.Class != FanOut && c.place.lane.key == flow.Key {
					owed += flows - 1 // A turn of each other flow.
				}
			}
			var more, less int
			switch flow.Class {
			case Interactive: // Those that ahead expects are in it.
				more, less = max(0, hasty-expected), hasty+expected+flows-1
			case FanOut: // With each goes the time in which one is overdue.
				more, less = hasty, hasty+(flows-1)*patientEvery
			default:
				more, less = hasty+expected, hasty+expected+flows-1
			}
			if n > ahead+more+owed || n < ahead-less {
				t.Fatalf("%s: %d went before, and %d were ahead; %d went hasty, %d were expected to, and %d turns are owed",
					flow.Class, n, ahead, hasty, expected, owed)
			}
		}))
	}
}

// TestAheadOfEveryClass: ahead agrees with pop where calls of all classes wait, but for
// a factor of two and two turns of each flow.
func TestAheadOfEveryClass(t *testing.T) {
	const flows = 5
	for class := Urgent; class <= Spare; class++ {
		t.Run(class.String(), rapid.MakeCheck(func(t *rapid.T) {
			all, q := newLevel(100, 1./tokensAMint), newQueue(Bounds{Calls: 1000, Flows: 100}, 1./tokensAMint)
			key := func() string { return fmt.Sprint(rapid.IntRange(1, flows).Draw(t, "flow")) }
			now := time.Time{}
			add := func(class Class) *waiter {
				w := &waiter{}
				q.add(w, Flow{Key: key(), Class: class}, &all)
				return w
			}
			for range rapid.IntRange(0, 60).Draw(t, "calls") {
				add(rapid.SampledFrom([]Class{Urgent, Revocation, Mint, Mint, Interactive, FanOut, Spare}).Draw(t, "class"))
			}
			for range rapid.IntRange(0, 20).Draw(t, "gone") {
				now = now.Add(time.Second)
				popAt(&q, &all, now, time.Second)
			}
			flow := Flow{Key: key(), Class: class}
			if class == Interactive { // The mints of the same flow may let it go before them, or not.
				flow.Key = "reader"
			}
			demoted := class == Revocation && !q.level.inShare(&turn{start: q.turns[prompt].now + uint64(q.turns[prompt].leadOf(flow.Key))})
			ahead, last, n := q.ahead(flow, demoted, view{}), &waiter{}, 0.
			q.add(last, flow, &all)
			for {
				now = now.Add(time.Second)
				if w, _ := popAt(&q, &all, now, time.Second); w == last {
					break
				}
				n++
			}
			if n > ahead*2+2*flows || n < ahead/2-2*flows {
				t.Fatalf("%g went before, and %g were ahead", n, ahead)
			}
		}))
	}
}

// aheadOf is the number of calls that go before one of flow, in a queue without mints.
func aheadOf(q *queue, flow Flow) int { return int(q.ahead(flow, false, view{})) }

// expectedEarly is how many calls ahead expects to go before their turn, and by that
// before a new call of flow.
func expectedEarly(q *queue, flow Flow) int {
	switch flow.Class {
	case Revocation:
		return aheadOf(q, flow) - q.rounds(prompt, flow.Key, revocationsOf, view{})
	case Interactive:
		return q.overtaking(flow.Key)
	default:
		return 0
	}
}

// A call in several lanes leaves all of them when it goes.
func TestPlacesGoTogether(t *testing.T) {
	all, q := newLevel(10, 0), newQueue(Bounds{Calls: 10, Flows: 10}, 0)
	w := &waiter{}
	for _, flow := range []Flow{{"a", FanOut}, {"b", Interactive}, {"b", Interactive}, {"a", FanOut}, {"a", Interactive}} {
		q.add(w, flow, &all)
	}
	if q.size != 3 || w.class != Interactive || q.queued != [classes]int{Interactive: 1} {
		t.Errorf("%d places, class %s, queued %v", q.size, w.class, q.queued)
	}
	n := 0
	q.each(func(*waiter) { n++ })
	if got := pop(&q, &all); n != 1 || got != w || q.size != 0 || q.queued != [classes]int{} || len(q.lanes[prompt])+len(q.lanes[patient]) != 0 {
		t.Errorf("%d in it; then %+v", n, q)
	}
}
