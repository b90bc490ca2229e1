package pace

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

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
