package pace

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// A queue behaves like the lists of the model: each call comes out once, more urgent
// classes first, flows in turn, calls of a flow in order.
func TestQueueIsItsModel(t *testing.T) {
	const lanes = 3
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var waiting []*waiter // in the order of their coming
		served := make(map[[2]string]int)
		clock := 0
		key := func(w *waiter) [2]string { return [2]string{w.lane.key, w.flow.Class.String()} }
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				flow := Flow{
					Key:   fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "flow")),
					Class: Class(rapid.IntRange(int(Revocation), int(FanOut)).Draw(t, "class")),
				}
				ahead := q.ahead(flow)
				w := &waiter{flow: flow}
				q.push(w, lanes)
				waiting = append(waiting, w)
				if w.lane.calls.size == 1 {
					clock++
					served[key(w)] = clock // A flow that is new goes last.
				}
				if w.lane.key == flow.Key && ahead >= len(waiting) {
					t.Fatalf("%d ahead of %d", ahead, len(waiting))
				}
			},
			"remove": func(t *rapid.T) {
				if len(waiting) == 0 {
					t.Skip("no call waits") // rapid's: draws another action
				}
				i := rapid.IntRange(0, len(waiting)-1).Draw(t, "who")
				q.remove(waiting[i])
				waiting = append(waiting[:i], waiting[i+1:]...)
			},
			"pop": func(t *rapid.T) {
				var want *waiter
				for _, w := range waiting {
					if want == nil || w.flow.Class < want.flow.Class ||
						w.flow.Class == want.flow.Class && served[key(w)] < served[key(want)] {
						want = w
					}
				}
				if want != nil {
					clock++
					served[key(want)] = clock
				}
				if got := q.pop(); got != want {
					t.Fatalf("got %+v, want %+v", got, want)
				}
				for i, w := range waiting {
					if w == want {
						waiting = append(waiting[:i], waiting[i+1:]...)
						break
					}
				}
			},
			"": func(t *rapid.T) {
				n := 0
				q.each(func(*waiter) { n++ })
				if q.size != len(waiting) || n != len(waiting) {
					t.Fatalf("size %d, %d in it, want %d", q.size, n, len(waiting))
				}
				for class := range q.classes {
					if c := &q.classes[class]; len(c.lanes) > lanes+1 || len(c.lanes) != c.turns.size {
						t.Fatalf("%d lanes, %d turns", len(c.lanes), c.turns.size)
					}
				}
			},
		})
	})
}

// ahead agrees with pop.
func TestAheadIsHowManyGoBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		draw := func() Flow {
			return Flow{
				Key:   fmt.Sprint(rapid.IntRange(0, 4).Draw(t, "flow")),
				Class: Class(rapid.IntRange(int(Revocation), int(FanOut)).Draw(t, "class")),
			}
		}
		for range rapid.IntRange(0, 40).Draw(t, "waiting") {
			q.push(&waiter{flow: draw()}, 100)
		}
		last := &waiter{flow: draw()}
		ahead := q.ahead(last.flow)
		q.push(last, 100)
		n := 0
		for q.pop() != last {
			n++
		}
		// Flows whose turn comes after that of this flow may go once less.
		if n > ahead || n < ahead-4 {
			t.Fatalf("%d went before, and %d were ahead", n, ahead)
		}
	})
}
