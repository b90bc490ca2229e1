package pace

import "time"

// choice is the call that gets the next token of the organization.
type choice struct {
	bucket *bucket
	claim  claim
	// class is the class with which the token is asked for.
	class Class
	// turn is the first turn, between buckets, of the flows that wait in the bucket.
	// A flow that waits behind another one in its bucket lends it its turn: otherwise
	// a flow could stand before others in many buckets and go elsewhere meanwhile.
	turn  *turn
	group group
	// overtakes is set if the call goes before the turns between buckets, and overdue
	// if it is a fan-out call that goes before urgent ones.
	overtakes, overdue bool
}

// choose returns the first call in order among those for which there may be tokens;
// nil if there is none. until is the time until it has to be called again.
func (p *Pacer) choose(now time.Time) (best *choice, until time.Duration) {
	until = idle
	recheck := p.lost && !now.Before(p.recheck)
	if p.lost {
		until = p.recheck.Sub(now)
	}
	if p.waiting == 0 {
		return nil, until
	}
	overdue := p.overdue(now)
	var inTurn, express, patients *choice
	for _, b := range p.ordered {
		if b.queue.size == 0 {
			continue
		}
		c := p.offer(b, now, overdue)
		if wait := p.untilAsk(b, c.class).Sub(now); wait > 0 && !recheck {
			until = min(until, wait)
			continue
		}
		switch {
		case c.group == patient:
			patients = p.earlier(patients, c)
			continue
		case c.class == Revocation && p.order.mayOvertake(c.claim.place.lane.all):
			if express == nil || p.earlierBy(c, express, c.claim.place.lane.all, express.claim.place.lane.all) {
				express = c
			}
		}
		inTurn = p.earlier(inTurn, c)
	}
	switch {
	case express != nil && express != inTurn:
		express.overtakes = true
		return express, until
	case patients != nil && (inTurn == nil || overdue):
		patients.overdue = inTurn != nil || patients.claim.overdue
		return patients, until
	default:
		return inTurn, until
	}
}

// overdue reports whether a fan-out call may go before urgent ones.
func (p *Pacer) overdue(now time.Time) bool { return p.order.overdue(now, p.interval(p.organization)) }

// offer is the call of b that competes for a token of the organization.
func (p *Pacer) offer(b *bucket, now time.Time, overdue bool) *choice {
	c := &choice{bucket: b, claim: b.queue.next(now, p.interval(b), &p.order, overdue)}
	c.group = c.claim.place.lane.group
	lanes := b.queue.lanes[c.group]
	for _, l := range lanes {
		if c.turn == nil || p.order.turns[c.group].before(l.all, c.turn) {
			c.turn = l.all
		}
	}
	c.class = c.claim.class
	switch w := c.claim.place.waiter; {
	case c.class == Revocation && !p.order.inShare(c.claim.place.lane.all):
		w.demoted = true
		c.class = Interactive
	case c.class == FanOut && overdue:
		c.class = Interactive
	}
	return c
}

// earlier returns that of two choices of a group whose turn is first.
func (p *Pacer) earlier(a, b *choice) *choice {
	if a == nil || p.earlierBy(b, a, b.turn, a.turn) {
		return b
	}
	return a
}

func (p *Pacer) earlierBy(a, b *choice, of, than *turn) bool {
	if of == than {
		return a.claim.place.waiter.entered.Before(b.claim.place.waiter.entered)
	}
	return p.order.turns[a.group].before(of, than)
}

// untilAsk is the earliest time at which a token of b can be asked for with success,
// by a call of class.
func (p *Pacer) untilAsk(b *bucket, class Class) time.Time {
	own, all := b.due, p.organization.due
	if p.options.Shared != nil {
		// A replica takes its turn by asking, and alone it may have a token for a
		// revocation.
		if class < b.asked {
			own = time.Time{}
		}
		if class < p.organization.asked {
			all = time.Time{}
		}
	}
	if own.After(all) {
		return own
	}
	return all
}

// serve grants the call of a claim, and charges its flow. c says how the bucket came
// to its token; nil if it got that of a call that left.
func (p *Pacer) serve(claim claim, c *choice, grant Grant, now time.Time) {
	w, l := claim.place.waiter, claim.place.lane
	w.bucket.queue.pay(l.group, l.turn, claim.turn, claim.overtakes)
	if l.group == patient {
		w.bucket.queue.unserved = now
	}
	switch {
	case c == nil || c.group != l.group: // It is not the call that was chosen.
		p.order.turns[l.group].pay(l.all, nil)
	default:
		p.order.pay(l.group, l.all, c.turn, c.overtakes)
		if c.overdue {
			p.order.unserved = now
		}
	}
	if l.group == patient && (claim.overdue || c != nil && (c.overdue || c.group == urgent)) {
		// It went before urgent calls, so its caller pays with a turn of its own there.
		w.bucket.queue.turns[urgent].charge(l.key)
		p.order.turns[urgent].charge(l.key)
	}
	p.settle(w, outcome{grant: grant})
}
