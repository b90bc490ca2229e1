package pace

import "time"

// Estimate returns the likely wait of a call that flow makes now. More urgent
// calls may come, and waiting calls may leave.
func (p *Pacer) Estimate(bucket string, flow Flow) time.Duration {
	flow.Class = flow.Class.valid()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.estimate(p.bucket(bucket), flow, time.Now())
}

func (p *Pacer) estimate(b *bucket, flow Flow, now time.Time) time.Duration {
	if p.demotes(b, flow) {
		flow.Class = Interactive
	}
	wait := max(p.untilToken(b, flow.Class, now), p.untilToken(p.organization, flow.Class, now))
	// Other buckets with tokens compete for the organization's, as far as their
	// calls are at least as urgent.
	busy := 1
	for _, other := range p.ordered {
		if other != b && other.queue.queuedAtLeast(flow.Class) > 0 && !other.due.After(now) {
			busy++
		}
	}
	organization := p.interval(p.organization)
	interval := max(p.interval(b), time.Duration(busy)*organization)
	ahead := float64(b.queue.ahead(flow)) * float64(interval)
	// Each flow that waits there, and is not ahead of its turn, goes once first.
	rivals := min(busy-1, p.order.turns[flow.Class.group()].notBehind(flow.Key))
	ahead += float64(rivals) * float64(organization)
	// No call waits for a day, and a larger product could overflow.
	return wait + time.Duration(min(ahead, float64(24*time.Hour)))
}

// ahead returns the number of calls that go before a new call of flow.
func (q *queue) ahead(flow Flow) int {
	key := q.laneKey(flow)
	switch flow.Class {
	case FanOut:
		n := q.rounds(patient, key, (*lane).size)
		// Of these, and of the call itself, each goes when it is overdue at the latest.
		return n + min(q.queuedAtLeast(Interactive), (patientEvery-1)*(n+1))
	case Revocation:
		n := q.rounds(urgent, key, func(l *lane) int { return l.revocations.size })
		// Of those that go before their turn, no two go in succession.
		return n + min(max(0, n-q.fresh()), q.queuedAtLeast(Interactive)-q.queued[Revocation])
	default:
		n := q.rounds(urgent, key, (*lane).size)
		return n + min(n+1, q.overtaking(key))
	}
}

// fresh is the number of flows with revocations that are not ahead of their turn.
func (q *queue) fresh() (n int) {
	for _, l := range q.lanes[urgent] {
		if l.revocations.size > 0 && q.turns[urgent].lead(l.turn) == 0 {
			n++
		}
	}
	return n
}

// overtaking is the number of revocations that go before their turn, and by that
// before a new call in the lane of key.
func (q *queue) overtaking(key string) (n int) {
	turns := &q.turns[urgent]
	rounds := 1 + turns.leadOf(key)
	if own := q.lanes[urgent][key]; own != nil {
		rounds += own.size()
	}
	for _, l := range q.lanes[urgent] {
		if later := l.size() - max(0, rounds-turns.lead(l.turn)); l.key != key && later > 0 {
			n += max(0, min(later, l.revocations.size, maxLead-turns.lead(l.turn)))
		}
	}
	return n
}

// queuedAtLeast is the number of calls of a class, or a more urgent one.
func (q *queue) queuedAtLeast(class Class) int {
	n := 0
	for c := Revocation; c <= class; c++ {
		n += q.queued[c]
	}
	return n
}

// rounds is the number of calls, as count counts those of a lane, that go before a
// new call in the lane of key while flows take turns.
func (q *queue) rounds(g group, key string, count func(*lane) int) int {
	lead, own := q.turns[g].leadOf(key), 0
	if l := q.lanes[g][key]; l != nil {
		own = count(l)
	}
	n := own
	for _, l := range q.lanes[g] {
		if l.key != key {
			n += max(0, min(count(l), own+1+lead-q.turns[g].lead(l.turn)))
		}
	}
	return n
}

// notBehind is the number of waiting flows, but for that of key, that have their turn
// before a new call of it.
func (t *turns) notBehind(key string) int {
	lead, n := t.leadOf(key), 0
	for k, f := range t.flows {
		if k != key && f.waiting > 0 && t.lead(f) <= lead {
			n++
		}
	}
	return n
}

// untilToken is the time until b has a token for a call of class. While a lost budget
// may be back with the next attempt, it is no longer than until then: before the
// second attempt the loss may be that of one answer.
func (p *Pacer) untilToken(b *bucket, class Class, now time.Time) time.Duration {
	closed := max(0, b.learned.closed.Sub(now))
	if !p.alone() {
		return max(closed, b.due.Sub(now))
	}
	wait := p.waitAlone(b, class, now)
	if p.lost && (!p.lasting || !now.Before(p.recheck)) {
		wait = min(wait, max(0, p.recheck.Sub(now)))
	}
	return max(closed, wait)
}

// interval is the time between two calls of this replica in b, while the waiting
// replicas take turns.
func (p *Pacer) interval(b *bucket) time.Duration {
	if p.alone() && (!p.lost || p.lasting) {
		return p.priceAlone(b).interval
	}
	return p.rules.priceOf(b.terms.Limit, b.learned.rate).interval * time.Duration(1+b.waiting)
}
