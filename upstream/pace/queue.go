package pace

import "time"

// waiter is a call that waits. The Pacer's lock guards all fields but done.
type waiter struct {
	bucket   *bucket
	class    Class // the most urgent one of its places
	entered  time.Time
	deadline time.Time // zero: none
	done     chan outcome
	// demoted is set for a revocation that was beyond the share of its flow when it
	// was its turn among the flow's revocations.
	demoted bool
	// places has one for each flow on whose behalf the call waits. The first one
	// that comes to its turn counts. There is none when it no longer waits.
	places []*place
}

// place is the place of a call in the lane of a flow.
type place struct {
	waiter *waiter
	lane   *lane
	class  Class
	number uint64 // in the order of arrival in the bucket
	node   node[*place]
}

// outcome is the result of a wait. A waiter gets one.
type outcome struct {
	grant Grant
	err   error
	class Class // its class at the end of the wait
	// demoted is set for a revocation that waited as an interactive call.
	demoted bool
}

// queue holds the waiters of a bucket in lanes.
type queue struct {
	level

	bounds Bounds
	// size is the number of places, and queued the number of waiters by class.
	size     int
	queued   [classes]int
	lanes    [groups]map[string]*lane
	arrivals uint64
}

// lane holds the calls of a flow in a group of a queue, in the order of arrival. An
// empty lane is removed.
type lane struct {
	key         string
	group       group
	revocations list[*place]
	others      list[*place]
	// turn is that of the flow in this bucket, and all that between buckets.
	turn, all *turn
}

// sharedLane is the key of the lane for flows beyond the bound.
const sharedLane = "\x00others"

func newQueue(bounds Bounds) queue {
	q := queue{level: newLevel(bounds.Flows), bounds: bounds}
	for g := range q.lanes {
		q.lanes[g] = make(map[string]*lane)
	}
	return q
}

func (l *lane) size() int { return l.revocations.size + l.others.size }

// oldest is the call that came first.
func (l *lane) oldest() *place {
	switch r, o := l.revocations.first, l.others.first; {
	case r == nil:
		return o.value
	case o == nil || r.value.number < o.value.number:
		return r.value
	default:
		return o.value
	}
}

// laneKey is the key of the lane for a flow.
func (q *queue) laneKey(flow Flow) string {
	lanes := q.lanes[flow.Class.group()]
	if lanes[flow.Key] == nil && len(lanes) >= q.bounds.Flows {
		return sharedLane
	}
	return flow.Key
}

// full reports whether there is no room for another call of flow. A flow has no
// more places than it leaves to the others: alone half of them, and a third beside
// another one that takes what it can. So there is always room for one more flow.
func (q *queue) full(flow Flow) bool {
	key, has := q.laneKey(flow), 0
	for _, lanes := range q.lanes {
		if l := lanes[key]; l != nil {
			has += l.size()
		}
	}
	return has >= q.bounds.Calls-q.size
}

// add gives w a place at the end of the lane of flow, unless it has one there. all is
// the order between buckets.
func (q *queue) add(w *waiter, flow Flow, all *level) {
	key, g := q.laneKey(flow), flow.Class.group()
	for _, has := range w.places {
		if has.lane.key == key && has.class <= flow.Class {
			return
		}
	}
	l := q.lanes[g][key]
	if l == nil {
		l = &lane{key: key, group: g}
		q.lanes[g][key] = l
	}
	l.turn, l.all = q.enter(g, key, w.entered), all.enter(g, key, w.entered)
	q.arrivals++
	p := &place{waiter: w, lane: l, class: flow.Class, number: q.arrivals}
	p.node.value = p
	if p.class == Revocation {
		l.revocations.push(&p.node)
	} else {
		l.others.push(&p.node)
	}
	q.size++
	if len(w.places) > 0 {
		q.queued[w.class]--
	}
	if len(w.places) == 0 || p.class < w.class {
		w.class = p.class
	}
	q.queued[w.class]++
	w.places = append(w.places, p)
}

// remove removes w, wherever it is.
func (q *queue) remove(w *waiter, all *level) {
	for _, p := range w.places {
		l := p.lane
		p.node.remove()
		q.size--
		q.turns[l.group].leave(l.key, l.turn)
		all.turns[l.group].leave(l.key, l.all)
		if l.size() == 0 {
			delete(q.lanes[l.group], l.key)
		}
	}
	w.places = nil
	q.queued[w.class]--
}

// claim is the claim of a call to the next token.
type claim struct {
	place *place
	// class is the class that the call has now: a revocation beyond its share is
	// interactive, and so is a fan-out call that is overdue.
	class Class
	// overtakes is set if the call goes before its turn. turn is whose turn it is
	// in the group of the call.
	overtakes bool
	turn      *turn
	// overdue is set for a fan-out call that goes before urgent ones.
	overdue bool
}

// next returns the claim of the call that goes next in the bucket; its place is nil
// if none waits. interval is the time between two tokens, and overdue says whether a
// fan-out call may go before urgent ones. It notes the revocations that are beyond
// their share.
func (q *queue) next(now time.Time, interval time.Duration, all *level, overdue bool) claim {
	var inTurn, express *lane
	for _, l := range q.lanes[urgent] {
		if inTurn == nil || q.before(l, inTurn, all) {
			inTurn = l
		}
		switch {
		case l.revocations.size == 0:
		case !q.inShare(l.turn) || !all.inShare(l.all):
			l.revocations.first.value.waiter.demoted = true
		case q.mayOvertake(l.turn) && (express == nil || q.before(l, express, all)):
			express = l
		}
	}
	overdue = overdue && q.overdue(now, interval)
	switch {
	case inTurn == nil && len(q.lanes[patient]) == 0:
		return claim{}
	case inTurn != nil && express != nil && express.revocations.first.value != inTurn.oldest():
		return claim{place: express.revocations.first.value, class: Revocation, overtakes: true}
	case inTurn == nil || overdue:
		l := q.patientTurn(all)
		c := claim{place: l.oldest(), class: FanOut, turn: l.turn, overdue: inTurn != nil}
		if overdue {
			c.class = Interactive
		}
		return c
	}
	c := claim{place: inTurn.oldest(), class: Interactive, turn: inTurn.turn}
	if c.place.class == Revocation && q.inShare(inTurn.turn) {
		c.class = Revocation
	}
	return c
}

// before reports whether it is the turn of l before m's. Between equals, that one goes
// first which has had less elsewhere.
func (q *queue) before(l, m *lane, all *level) bool {
	turns, between := &q.turns[l.group], &all.turns[l.group]
	if a, b := between.lead(l.all), between.lead(m.all); a != b && turns.lead(l.turn) == turns.lead(m.turn) {
		return a < b
	}
	return turns.before(l.turn, m.turn)
}

// patientTurn is the lane of fan-outs whose turn it is. There must be one.
func (q *queue) patientTurn(all *level) *lane {
	var first *lane
	for _, l := range q.lanes[patient] {
		if first == nil || q.before(l, first, all) {
			first = l
		}
	}
	return first
}

// each calls f for all waiters, in no order. f may remove its argument.
func (q *queue) each(f func(*waiter)) {
	for _, lanes := range q.lanes {
		for _, l := range lanes {
			for _, calls := range []*list[*place]{&l.revocations, &l.others} {
				for n := calls.first; n != nil; {
					// A waiter has one place in a lane at the most.
					next := n.next
					if w := n.value.waiter; w.places[0] == n.value {
						f(w)
					}
					n = next
				}
			}
		}
	}
}
