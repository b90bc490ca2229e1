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
	// by is how the call comes to the token of the organization. overdue is set if it is
	// a fan-out call that goes before prompt ones.
	by      means
	overdue bool
	// rivals are what waits for the organization's token.
	rivals rivals
}

// lane is the lane of the call.
func (c *choice) lane() *lane { return c.claim.place.lane }

// field is the choices that are first in their kind.
type field struct {
	urgent, inTurn, patient, spare *choice
	// revocation and mint may go before their turn, revoking is the first revocation,
	// and minting the mint that waits for longest.
	revocation, mint, revoking, minting *choice
	rivals                              rivals
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
	var f field
	for _, b := range p.ordered {
		if b.queue.size == 0 {
			continue
		}
		c := p.offer(b, now, overdue)
		if wait := p.untilAsk(b, c.class).Sub(now); wait > 0 && !recheck {
			until = min(until, wait)
			continue
		}
		p.enlist(&f, c)
	}
	if best = p.bestOf(&f, overdue); best != nil {
		best.rivals = f.rivals
	}
	return best, until
}

// enlist adds a choice to the field.
func (p *Pacer) enlist(f *field, c *choice) {
	r := c.bucket.queue.rivals()
	f.rivals.revocations = f.rivals.revocations || r.revocations
	f.rivals.mints = f.rivals.mints || r.mints
	switch c.group {
	case urgent:
		f.urgent = p.earlier(f.urgent, c)
		return
	case spare:
		f.spare = p.earlier(f.spare, c)
		return
	case patient:
		f.patient = p.earlier(f.patient, c)
	default:
		f.inTurn = p.earlier(f.inTurn, c)
	}
	f.rivals.behind = true
	if class := c.claim.place.class; class == Revocation {
		f.revoking = p.earlierFlow(f.revoking, c)
		if c.class == Revocation && p.order.mayOvertake(c.lane().all) {
			f.revocation = p.earlierFlow(f.revocation, c)
		}
	} else if class == Mint {
		if f.minting == nil || c.claim.place.waiter.entered.Before(f.minting.claim.place.waiter.entered) {
			f.minting = c
		}
		if c.class == Mint && p.order.mayOvertake(c.lane().all) {
			f.mint = p.earlierFlow(f.mint, c)
		}
	}
}

// bestOf is the choice that goes first; nil if the field is empty. It is the order of
// queue.first, between buckets.
func (p *Pacer) bestOf(f *field, overdue bool) *choice {
	switch {
	case f.urgent != nil && !p.order.yields(f.rivals):
		return f.urgent
	case f.minting != nil && p.order.owesMint(f.rivals):
		f.minting.by = owed
		return f.minting
	case f.revocation != nil && f.revocation != f.inTurn:
		f.revocation.by = early
		return f.revocation
	case f.patient != nil && (f.inTurn == nil || overdue):
		f.patient.overdue = f.inTurn != nil || f.patient.claim.overdue
		return f.patient
	case f.inTurn == nil:
		return f.spare
	case f.mint != nil && f.mint != f.inTurn && !f.rivals.revocations:
		f.mint.by = early
		return f.mint
	case f.inTurn.claim.place.class == Mint && f.revoking != nil:
		f.revoking.by, f.revoking.turn = lent, f.inTurn.turn
		return f.revoking
	default:
		return f.inTurn
	}
}

// overdue reports whether a fan-out call may go before prompt ones.
func (p *Pacer) overdue(now time.Time) bool { return p.order.overdue(now, p.interval(p.organization)) }

// offer is the call of b that competes for a token of the organization.
func (p *Pacer) offer(b *bucket, now time.Time, overdue bool) *choice {
	c := &choice{bucket: b, claim: b.queue.next(now, p.interval(b), &p.order, overdue)}
	c.group = c.lane().group
	lanes := b.queue.lanes[c.group]
	for _, l := range lanes {
		if c.turn == nil || p.order.turns[c.group].before(l.all, c.turn) {
			c.turn = l.all
		}
	}
	c.class = c.claim.class
	switch within := p.order.inShare(c.lane().all); {
	case c.class == Revocation && !within:
		c.claim.place.waiter.demoted = true
		c.class = Interactive
	case c.class == Mint && !within, c.class == FanOut && overdue:
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

// earlierFlow is the same by the turns of the flows that call.
func (p *Pacer) earlierFlow(a, b *choice) *choice {
	if a == nil || p.earlierBy(b, a, b.lane().all, a.lane().all) {
		return b
	}
	return a
}

// untilAsk is the earliest time at which a token of b can be asked for with success,
// by a call of class.
func (p *Pacer) untilAsk(b *bucket, class Class) time.Time {
	own, all := b.due, p.organization.due
	// A replica takes its turn by asking, and alone it may have a token for a revocation.
	// A call that tidies up waits for longer than others.
	if class < b.asked {
		own = time.Time{}
	}
	if class < p.organization.asked {
		all = time.Time{}
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
	w.bucket.queue.spend(claim, now, p.alone())
	switch {
	case c == nil || c.group != l.group: // It is not the call that was chosen.
		p.order.turns[l.group].pay(l.all, nil)
	default:
		p.order.pay(l.group, l.all, c.turn, c.by)
		p.order.succeed(claim.place.class, c.rivals)
		if p.alone() {
			p.order.earn(claim.place.class, c.rivals)
		}
		if c.overdue {
			p.order.unserved = now
		}
	}
	between, within := &p.order.turns[prompt], &w.bucket.queue.turns[prompt]
	switch {
	case l.group == urgent: // Its flow pays for it as for a revocation.
		within.chargeLead(l.key)
		between.chargeLead(l.key)
	case l.group == patient && (claim.overdue || c != nil && (c.overdue || c.group == prompt)):
		// It went before prompt calls, so its caller pays with a turn of its own there.
		within.charge(l.key)
		between.charge(l.key)
	}
	if claim.by == lent {
		w.demoted = false // It went as a revocation.
	}
	p.settle(w, outcome{grant: grant})
}
