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
	// returned is set for a call that was refused and has come back. It goes before
	// those of its flow that have not.
	returned bool
	node     node[*place]
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
	mints       list[*place]
	others      list[*place]
	// minted is the number of the arrival with which it got its place in the order of
	// those that the share of mints is for.
	minted uint64
	// returned is the number of calls that were refused and have come back.
	returned int
	// turn is that of the flow in this bucket, and all that between buckets.
	turn, all *turn
}

// sharedLane is the key of the lane for flows beyond the bound.
const sharedLane = "\x00others"

func newQueue(bounds Bounds, mintShare float64) queue {
	q := queue{level: newLevel(bounds.Flows, mintShare), bounds: bounds}
	for g := range q.lanes {
		q.lanes[g] = make(map[string]*lane)
	}
	return q
}

func (l *lane) size() int { return l.revocations.size + l.mints.size + l.others.size }

// before reports whether p goes before another call of its lane.
func (p *place) before(other *place) bool {
	if p.returned != other.returned {
		return p.returned
	}
	return p.number < other.number
}

// push adds a call.
func (l *lane) push(p *place) {
	calls := l.listOf(p.class)
	if !p.returned {
		calls.push(&p.node)
		return
	}
	l.returned++
	n := calls.first
	for n != nil && n.value.returned {
		n = n.next
	}
	calls.insert(&p.node, n)
}

// listOf is the list for calls of a class.
func (l *lane) listOf(class Class) *list[*place] {
	switch class {
	case Revocation:
		return &l.revocations
	case Mint:
		return &l.mints
	default:
		return &l.others
	}
}

// oldest is the call that came first.
func (l *lane) oldest() *place {
	var first *place
	for _, calls := range []*list[*place]{&l.revocations, &l.mints, &l.others} {
		if n := calls.first; n != nil && (first == nil || n.value.before(first)) {
			first = n.value
		}
	}
	return first
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
func (q *queue) add(w *waiter, flow Flow, all *level) { q.enlist(w, flow, all, false) }

// enlist is add; a call that has come back goes before those of its flow that have not.
func (q *queue) enlist(w *waiter, flow Flow, all *level, returned bool) {
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
	p := &place{waiter: w, lane: l, class: flow.Class, number: q.arrivals, returned: returned}
	p.node.value = p
	if p.class == Mint && l.mints.size == 0 {
		l.minted = p.number
	}
	l.push(p)
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
		if p.returned {
			l.returned--
		}
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

// each calls f for all waiters, in no order. f may remove its argument.
func (q *queue) each(f func(*waiter)) {
	for _, lanes := range q.lanes {
		for _, l := range lanes {
			for _, calls := range []*list[*place]{&l.revocations, &l.mints, &l.others} {
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
