package pace

import "time"

// waiter is a call that waits. The Pacer's lock guards all fields but done.
type waiter struct {
	flow     Flow
	bucket   *bucket
	entered  time.Time
	deadline time.Time // zero: none
	done     chan outcome
	// lane is the queue of its flow; nil when it no longer waits.
	lane *lane
	node node[*waiter]
}

// outcome is the result of a wait. A waiter gets one.
type outcome struct {
	grant Grant
	err   error
	class Class // its class at the end of the wait
}

// queue holds the waiters of a bucket: by class, and in a class by flow.
type queue struct {
	size    int
	classes [classes]struct {
		lanes map[string]*lane
		// turns are the lanes in the order in which they go.
		turns list[*lane]
		size  int
	}
}

// lane holds the calls of a flow in a class of a queue, in the order of arrival.
// An empty lane is removed.
type lane struct {
	key   string
	class Class
	calls list[*waiter]
	node  node[*lane]
}

// sharedLane is the key of the lane for flows beyond the bound.
const sharedLane = "\x00others"

// push adds w at the end of its lane. A new lane goes last.
func (q *queue) push(w *waiter, maxLanes int) {
	class := &q.classes[w.flow.Class]
	if class.lanes == nil {
		class.lanes = make(map[string]*lane)
	}
	key := w.flow.Key
	l := class.lanes[key]
	if l == nil && len(class.lanes) >= maxLanes {
		key = sharedLane
		l = class.lanes[key]
	}
	if l == nil {
		l = &lane{key: key, class: w.flow.Class}
		l.node.value = l
		class.lanes[key] = l
		class.turns.push(&l.node)
	}
	w.lane, w.node.value = l, w
	l.calls.push(&w.node)
	class.size++
	q.size++
}

// remove removes w, wherever it is.
func (q *queue) remove(w *waiter) {
	class := &q.classes[w.flow.Class]
	l := w.lane
	w.node.remove()
	w.lane = nil
	class.size--
	q.size--
	if l.calls.size == 0 {
		l.node.remove()
		delete(class.lanes, l.key)
	}
}

// peek returns the next call in order; nil if none waits.
func (q *queue) peek() *waiter {
	for class := Revocation; class <= FanOut; class++ {
		if l := q.classes[class].turns.first; l != nil {
			return l.value.calls.first.value
		}
	}
	return nil
}

// pop removes the next call in order, and puts its lane last.
func (q *queue) pop() *waiter {
	w := q.peek()
	if w == nil {
		return nil
	}
	l := w.lane
	q.remove(w)
	if l.calls.size > 0 {
		l.node.remove()
		q.classes[l.class].turns.push(&l.node)
	}
	return w
}

// ahead returns the number of calls that go before a new call of flow.
func (q *queue) ahead(flow Flow) int {
	n := 0
	for class := Revocation; class < flow.Class; class++ {
		n += q.classes[class].size
	}
	own := 0
	lanes := q.classes[flow.Class].lanes
	if l := lanes[flow.Key]; l != nil {
		own = l.calls.size
	}
	for key, l := range lanes {
		if key == flow.Key {
			n += own
		} else {
			n += min(l.calls.size, own+1)
		}
	}
	return n
}

// each calls f for all waiters, in no order. f may remove its argument.
func (q *queue) each(f func(*waiter)) {
	for class := range q.classes {
		for _, l := range q.classes[class].lanes {
			for n := l.calls.first; n != nil; {
				next := n.next
				f(n.value)
				n = next
			}
		}
	}
}
