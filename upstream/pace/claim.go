package pace

import "time"

// claim is the claim of a call to the next token of its bucket.
type claim struct {
	place *place
	// class is the class that the call has now: a revocation or a mint beyond the share
	// of its flow is interactive, and so is a fan-out call that is overdue.
	class Class
	// by is how it comes to the token, and turn whose turn it is in its group.
	by   means
	turn *turn
	// overdue is set for a fan-out call that goes before prompt ones.
	overdue bool
	// rivals are what waits in the bucket.
	rivals rivals
}

// next returns the claim of the call that goes next in the bucket; its place is nil
// if none waits. interval is the time between two tokens, and overdue says whether a
// fan-out call may go before prompt ones. It notes the revocations that are beyond
// their share.
func (q *queue) next(now time.Time, interval time.Duration, all *level, overdue bool) claim {
	r := q.rivals()
	c := q.first(now, interval, all, overdue, r)
	c.rivals = r
	return c
}

// rivals are what waits in the bucket.
func (q *queue) rivals() rivals {
	return rivals{
		revocations: q.queued[Revocation] > 0, mints: q.queued[Mint] > 0,
		behind: len(q.lanes[prompt])+len(q.lanes[patient]) > 0,
	}
}

func (q *queue) first(now time.Time, interval time.Duration, all *level, overdue bool, r rivals) claim {
	if l := q.turnIn(urgent, all); l != nil && !q.yields(r) {
		return claim{place: l.oldest(), class: Urgent, turn: l.turn}
	}
	h := q.heads(all)
	overdue = overdue && q.overdue(now, interval)
	switch {
	case h.minting != nil && q.owesMint(r):
		return claim{place: h.minting.mints.first.value, class: Mint, by: owed}
	case h.revocation != nil && h.revocation.revocations.first.value != h.inTurn.oldest():
		return claim{place: h.revocation.revocations.first.value, class: Revocation, by: early}
	case h.inTurn == nil || overdue:
		return q.firstBehind(all, overdue, h.inTurn != nil)
	case h.mint != nil && !r.revocations && h.mint.mints.first.value != h.inTurn.oldest():
		return claim{place: h.mint.mints.first.value, class: Mint, by: early}
	default:
		return q.firstInTurn(&h)
	}
}

// firstBehind is the claim of a call of a fan-out, or of one that tidies up.
func (q *queue) firstBehind(all *level, overdue, before bool) claim {
	if l := q.turnIn(patient, all); l != nil {
		c := claim{place: l.oldest(), class: FanOut, turn: l.turn, overdue: before}
		if overdue {
			c.class = Interactive
		}
		return c
	}
	if l := q.turnIn(spare, all); l != nil {
		return claim{place: l.oldest(), class: Spare, turn: l.turn}
	}
	return claim{}
}

// firstInTurn is the claim of the flow whose turn it is among prompt ones. Mints leave
// their turns to revocations, and have their share instead.
func (q *queue) firstInTurn(h *heads) claim {
	l := h.inTurn
	c := claim{place: l.oldest(), class: Interactive, turn: l.turn}
	if c.place.class == Mint && h.revoking != nil {
		if l.others.size == 0 {
			return claim{place: h.revoking.revocations.first.value, class: Revocation, by: lent, turn: l.turn}
		}
		c.place = l.others.first.value
	}
	if (c.place.class == Revocation || c.place.class == Mint) && q.inShare(l.turn) {
		c.class = c.place.class
	}
	return c
}

// heads are the lanes that go first among prompt ones; nil if there is none.
type heads struct {
	// inTurn has its turn.
	inTurn *lane
	// revocation and mint may go before their turn.
	revocation, mint *lane
	// revoking is the first with revocations, and minting that which the next token of
	// the share of mints is for.
	revoking, minting *lane
}

func (q *queue) heads(all *level) (h heads) {
	first := func(of **lane, l *lane) {
		if *of == nil || q.before(l, *of, all) {
			*of = l
		}
	}
	for _, l := range q.lanes[prompt] {
		first(&h.inTurn, l)
		within := q.inShare(l.turn) && all.inShare(l.all)
		if l.revocations.size > 0 {
			first(&h.revoking, l)
			if !within {
				l.revocations.first.value.waiter.demoted = true
			} else if q.mayOvertake(l.turn) {
				first(&h.revocation, l)
			}
		}
		if l.mints.size > 0 {
			if h.minting == nil || l.minted < h.minting.minted {
				h.minting = l
			}
			if within && q.mayOvertake(l.turn) {
				first(&h.mint, l)
			}
		}
	}
	return h
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

// turnIn is the lane of a group whose turn it is; nil if there is none.
func (q *queue) turnIn(g group, all *level) *lane {
	var first *lane
	for _, l := range q.lanes[g] {
		if first == nil || q.before(l, first, all) {
			first = l
		}
	}
	return first
}

// spend charges for the call of a claim, and counts it. alone is set where no shared
// budget counts the credit of mints.
func (q *queue) spend(c claim, now time.Time, alone bool) {
	l := c.place.lane
	q.pay(l.group, l.turn, c.turn, c.by)
	q.succeed(c.place.class, c.rivals)
	if alone {
		q.earn(c.place.class, c.rivals)
	}
	switch {
	case l.group == patient:
		q.unserved = now
	case c.place.class == Mint:
		q.arrivals++
		l.minted = q.arrivals
	}
}
