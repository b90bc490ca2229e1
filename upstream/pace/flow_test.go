package pace

import (
	"testing"
	"testing/synctest"
)

// TestJoin: a call that another flow joins goes when the first of its flows has its
// turn, whether it waits already or comes later.
func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}}), newScript(t)
		drain(t, p, "b")
		inventory, later := as(t.Context(), "F", FanOut), as(t.Context(), "F", FanOut)
		for range 2 {
			s.wait(as(t.Context(), "F", FanOut), p, "b", "fan")
		}
		s.wait(inventory, p, "b", "joined")
		s.wait(as(t.Context(), "I", Interactive), p, "b", "i1")
		s.wait(as(t.Context(), "I", Interactive), p, "b", "i2")
		for _, flow := range []Flow{{"J", Interactive}, {"F", FanOut}, {"K", Interactive}} {
			Join(inventory, flow)
		}
		if got := FlowFrom(inventory); got != (Flow{"F", FanOut}) {
			t.Errorf("it is for %v", got)
		}
		Join(later, Flow{"L", Interactive})
		s.wait(later, p, "b", "later")
		s.want("i1,joined,later,i2,fan,fan")
		// No state is left, and joining a finished call does nothing.
		Join(inventory, Flow{"R", Interactive})
		if p.mu.Lock(); remembered(p) != 0 || p.waiting != 0 {
			t.Errorf("%d turns, %d wait", remembered(p), p.waiting)
		}
		p.mu.Unlock()
		p.Close()
	})
}

// TestJoiningDelaysNobody: a caller whose own calls fill a long queue neither pulls the
// call that it joins into it, nor holds those back who join its calls.
func TestJoiningDelaysNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}}), newScript(t)
		drain(t, p, "b")
		for range 50 {
			s.wait(as(t.Context(), "hostile", Interactive), p, "b", "hostile")
		}
		// The last of its calls is one that the neighbour wants too.
		wanted := as(t.Context(), "hostile", Interactive)
		s.wait(wanted, p, "b", "wanted")
		Join(wanted, Flow{"neighbour", Interactive})
		// And it joins a read of the neighbour's.
		own := as(t.Context(), "neighbour", Interactive)
		s.wait(own, p, "b", "own")
		Join(own, Flow{"hostile", Interactive})
		s.want("hostile,wanted,hostile,own,hostile")
		p.Close()
	})
}

// TestAJoinedReadIsNoRevocation: a read that a revocation were to join would go before
// all others, so none of its flows counts as one.
func TestAJoinedReadIsNoRevocation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, s := newPacer(t, Options{Organization: roomy, Default: Limit{10, 1}}), newScript(t)
		drain(t, p, "b")
		s.wait(as(t.Context(), "I", Interactive), p, "b", "first")
		read := as(t.Context(), "H", FanOut)
		s.wait(read, p, "b", "joined")
		Join(read, Flow{"H", Revocation})
		s.want("first,joined")
	})
}

// A call waits on behalf of a bounded number of flows.
func TestJoinIsBounded(t *testing.T) {
	ctx := as(t.Context(), "F", FanOut)
	for i := range 100 {
		Join(ctx, Flow{Key: string(rune('a' + i)), Class: Interactive})
	}
	if flows, _ := flowsFrom(ctx); len(flows) != maxJoined {
		t.Errorf("%d flows", len(flows))
	}
}
