package pace

import "time"

// group is the classes whose calls share the turns of their flow.
type group uint8

const (
	// urgent are the calls that go before all others.
	urgent group = iota
	// prompt are revocations, mints and interactive calls. A revocation or a mint may
	// go before its turn, and is paid for with that turn.
	prompt
	// patient are the calls of fan-outs.
	patient
	// spare are the calls that wait for tokens that nobody wants.
	spare

	groups
)

func (c Class) group() group {
	switch c {
	case Urgent:
		return urgent
	case FanOut:
		return patient
	case Spare:
		return spare
	default:
		return prompt
	}
}

const (
	// maxLead is by how many calls a flow may be ahead of its turn through
	// revocations and mints. Further ones wait for the turn, as interactive calls do.
	maxLead = 8
	// urgentRun is how many urgent calls go in succession before one of those that
	// wait behind them.
	urgentRun = 9
	// patientEvery is the number of intervals of a bucket in which one fan-out
	// call goes, whatever else waits.
	patientEvery = 8
)

// turns is the order of flows that compete for tokens: start-time fair queueing,
// where every call costs one unit of virtual time. The flow whose next call starts
// first has its turn.
type turns struct {
	// most bounds the flows that are remembered after their last call.
	most  int
	flows map[string]*turn
	// now is the virtual time: the start of the last call that went in turn.
	now uint64
	// clock counts arrivals and calls.
	clock uint64
	// waiting is the number of waiting calls.
	waiting int
	// kept is the number of places that are kept for refused calls.
	kept int
}

// turn is the place of a flow in the order.
type turn struct {
	// start is the virtual time at which the next call of the flow starts.
	start uint64
	// since decides between equal starts: by the clock, when the flow came or last
	// went.
	since uint64
	// waiting is the number of its waiting calls. A flow without any is remembered
	// while it is ahead, so that leaving does not pay for what it took.
	waiting int
	// kept is when its refused calls are to come back whose places are kept, in order.
	// While it is held, since is that of the first of them.
	kept []time.Time
	held bool
}

func (t *turns) enter(key string) *turn {
	f := t.flows[key]
	if f == nil {
		f = t.add(key)
	}
	if f.waiting == 0 && !f.held {
		t.clock++
		f.since = t.clock
	}
	f.held = len(f.kept) > 0
	f.waiting++
	t.waiting++
	return f
}

// add adds the flow of key, which is not ahead of its turn.
func (t *turns) add(key string) *turn {
	if t.flows == nil {
		t.flows = make(map[string]*turn)
	}
	f := &turn{start: t.now}
	t.flows[key] = f
	return f
}

func (t *turns) leave(key string, f *turn) {
	f.waiting--
	t.waiting--
	if t.waiting == 0 {
		t.settle()
	} else {
		t.drop(key, f)
	}
}

// before reports whether f has its turn before g. Of two that are not ahead of their turns
// it is the one whose turn was due earlier: who was away while the order moved on still
// goes before those that it would have gone before.
func (t *turns) before(f, g *turn) bool {
	switch a, b := t.lead(f), t.lead(g); {
	case a != b:
		return a < b
	case f.start != g.start:
		return f.start < g.start
	default:
		return f.since < g.since
	}
}

// lead is by how many calls f is ahead of its turn. It is not negative: a flow that
// waits for something else saves no turns meanwhile.
func (t *turns) lead(f *turn) int {
	if f.start <= t.now {
		return 0
	}
	return int(f.start - t.now)
}

// leadOf is by how many calls the flow of key is ahead of its turn.
func (t *turns) leadOf(key string) int {
	if f := t.flows[key]; f != nil {
		return t.lead(f)
	}
	return 0
}

// pay charges f for a call. inTurn is the flow whose turn it was; nil if the call
// went before its turn.
func (t *turns) pay(f, inTurn *turn) {
	if inTurn != nil && inTurn.start > t.now {
		t.now = inTurn.start
		for key, g := range t.flows {
			t.drop(key, g)
		}
	}
	t.clock++
	f.start, f.since = max(f.start, t.now)+1, t.clock
}

// lend gives the turn of one flow to a call of another. The flow whose turn it is pays.
func (t *turns) lend(to, inTurn *turn) {
	t.pay(inTurn, inTurn)
	t.clock++
	to.since = t.clock
}

// charge charges the flow of key for a call of another group. Where nobody waits it
// owes nothing.
func (t *turns) charge(key string) {
	f := t.flows[key]
	if f == nil {
		if t.waiting == 0 || len(t.flows) > t.most {
			return
		}
		f = t.add(key)
	}
	f.start = max(f.start, t.now) + 1
}

// chargeLead charges the flow of key for an urgent call, up to the lead that
// revocations can have.
func (t *turns) chargeLead(key string) {
	if t.leadOf(key) < maxLead {
		t.charge(key)
	}
}
