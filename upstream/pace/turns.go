package pace

import "time"

// group is the classes whose calls share the turns of their flow.
type group uint8

const (
	// urgent are revocations and interactive calls. A revocation may go before its
	// turn, and is paid for with that turn.
	urgent group = iota
	// patient are the calls of fan-outs.
	patient

	groups
)

func (c Class) group() group {
	if c == FanOut {
		return patient
	}
	return urgent
}

const (
	// maxLead is by how many calls a flow may be ahead of its turn through
	// revocations. Further ones wait for the turn, as interactive calls do.
	maxLead = 8
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
}

func (t *turns) enter(key string) *turn {
	f := t.flows[key]
	if f == nil {
		if t.flows == nil {
			t.flows = make(map[string]*turn)
		}
		f = &turn{start: t.now}
		t.flows[key] = f
	}
	if f.waiting == 0 {
		t.clock++
		f.since = t.clock
	}
	f.waiting++
	t.waiting++
	return f
}

func (t *turns) leave(key string, f *turn) {
	f.waiting--
	t.waiting--
	switch {
	case t.waiting == 0: // Nobody was kept waiting, so nobody owes anything.
		clear(t.flows)
	case f.waiting == 0 && (f.start <= t.now || len(t.flows) > t.most):
		delete(t.flows, key)
	}
}

// before reports whether f has its turn before g.
func (t *turns) before(f, g *turn) bool {
	if a, b := t.lead(f), t.lead(g); a != b {
		return a < b
	}
	return f.since < g.since
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
			if g.waiting == 0 && g.start <= t.now {
				delete(t.flows, key)
			}
		}
	}
	t.clock++
	f.start, f.since = max(f.start, t.now)+1, t.clock
}

// charge charges the flow of key for a call of another group. Where nobody waits it
// owes nothing.
func (t *turns) charge(key string) {
	f := t.flows[key]
	if f == nil {
		if t.waiting == 0 || len(t.flows) > t.most {
			return
		}
		f = &turn{start: t.now}
		t.flows[key] = f
	}
	f.start = max(f.start, t.now) + 1
}

// level is the order at one budget: in a bucket, or between the buckets that wait
// for the organization's.
type level struct {
	turns [groups]turns
	// overtook is set after a call that went before its turn. The next one goes in
	// turn, so that those before their turn are half of the calls at the most.
	overtook bool
	// unserved is since when patient calls wait and none has gone; between buckets, since
	// when none has gone before urgent ones.
	unserved time.Time
}

func newLevel(most int) level {
	return level{turns: [groups]turns{{most: most}, {most: most}}}
}

func (l *level) enter(g group, key string, now time.Time) *turn {
	if g == patient && l.turns[patient].waiting == 0 {
		l.unserved = now
	}
	return l.turns[g].enter(key)
}

// mayOvertake reports whether a revocation of f may go before its turn. The first
// one always may: it is no more than its turn.
func (l *level) mayOvertake(f *turn) bool {
	lead := l.turns[urgent].lead(f)
	return lead == 0 || lead < maxLead && !l.overtook
}

// inShare reports whether f has not used up its share of revocations.
func (l *level) inShare(f *turn) bool { return l.turns[urgent].lead(f) < maxLead }

// overdue reports whether it is time for a patient call.
func (l *level) overdue(now time.Time, interval time.Duration) bool {
	return l.turns[patient].waiting > 0 && now.Sub(l.unserved) >= patientEvery*interval
}

// pay charges f for a call.
func (l *level) pay(g group, f, inTurn *turn, overtakes bool) {
	if overtakes {
		inTurn = nil
	}
	l.overtook = overtakes
	l.turns[g].pay(f, inTurn)
}
