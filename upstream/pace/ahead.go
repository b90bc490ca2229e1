package pace

import (
	"math"
	"slices"
	"time"
)

// view says which of the calls count that were refused and are to come back.
type view struct {
	// kept is set for a call that is told when to come back: they go before it. For one
	// that could wait they do not count, because they may never come.
	kept bool
	// returned is set for a call that has come back: its place is before those of the
	// other refused calls of its flow.
	returned bool
}

// before is how many of the waiting calls of l, the lane of a new call, go before it.
func (v view) before(l *lane, calls int) int {
	if v.returned {
		return min(calls, l.returned)
	}
	return calls
}

// refusedBefore is the number of refused calls of f, the flow of a new call, that are to
// go before it. f may be nil.
func (v view) refusedBefore(f *turn) int {
	if f == nil || v.returned {
		return 0
	}
	return len(f.kept)
}

// ahead returns the number of calls that go before a new call of flow, in tokens.
// demoted says that it is a revocation beyond the share of its flow.
func (q *queue) ahead(flow Flow, demoted bool, v view) float64 {
	key, waiting := q.laneKey(flow), q.queued[Urgent]
	if flow.Class == Urgent {
		n := q.rounds(urgent, key, (*lane).size, v)
		if q.rivals().behind {
			n += (n + q.run) / urgentRun
		}
		return float64(n)
	}
	var n float64
	switch {
	case flow.Class == Spare:
		return float64(q.rounds(spare, key, (*lane).size, v) + q.queuedAtLeast(FanOut))
	case flow.Class == FanOut:
		n = float64(q.rounds(patient, key, (*lane).size, v))
		// Of these, and of the call itself, each goes when it is overdue at the latest.
		n += min(float64(q.queuedAtLeast(Interactive)-waiting), (patientEvery-1)*(n+1))
	case flow.Class == Mint:
		n = q.aheadOfMint(key, v)
	case demoted:
		n = min(q.aheadInTurn(key, v), q.aheadInLentTurns(key, v))
	case flow.Class == Revocation:
		n = float64(q.rounds(prompt, key, revocationsOf, v))
		n += q.betweenEarly(n, revocationsOf) + q.owed(n)
	default:
		n = q.aheadInTurn(key, v)
	}
	// Of ten tokens one is for others than urgent calls.
	return n + min(float64(waiting), (n+1)*urgentRun)
}

// aheadInTurn is the number of calls that go before one that waits for the turn of its
// flow.
func (q *queue) aheadInTurn(key string, v view) float64 {
	n := q.rounds(prompt, key, func(l *lane) int {
		if l.key == key { // While revocations wait, the flow's mints do not take its turns.
			return l.size() - l.mints.size
		}
		return l.size()
	}, v)
	if n >= q.queued[Revocation] {
		n = q.rounds(prompt, key, (*lane).size, v)
	}
	return float64(n+min(n+1, q.overtaking(key))) + q.owed(float64(n))
}

// aheadOfMint is the number of calls that go before a mint: where revocations wait, all
// of those, or what the share of mints leaves them.
func (q *queue) aheadOfMint(key string, v view) float64 {
	n, revocations := float64(q.rounds(prompt, key, mintsOf, v)), float64(q.queued[Revocation])
	if revocations == 0 {
		if q.turns[prompt].leadOf(key) >= maxLead {
			return q.aheadInTurn(key, v)
		}
		return n + q.betweenEarly(n, mintsOf)
	}
	lenders, others := q.lenders()
	between := revocations * float64(others) / float64(max(1, lenders))
	later := n + revocations + min(float64(q.queued[Interactive]), q.betweenEarly(n, mintsOf)+between)
	if q.share > 0 {
		later = min(later, math.Ceil((q.mintsBefore(key, v)+1-q.credit)/q.share-1e-9)-1)
	}
	return max(n, later)
}

// mintsBefore is the number of mints that go in their share before a new one in the lane
// of key.
func (q *queue) mintsBefore(key string, v view) float64 {
	own, n := 0, 0
	if l := q.lanes[prompt][key]; l != nil {
		own = v.before(l, l.mints.size)
	}
	first := own
	own += v.refusedBefore(q.turns[prompt].flows[key])
	if v.kept {
		first = own
	}
	for _, l := range q.lanes[prompt] {
		if l.key != key {
			n += min(l.mints.size, own+1)
		}
	}
	if v.kept {
		for k, f := range q.turns[prompt].flows {
			if k != key && len(f.kept) > 0 {
				n += min(len(f.kept), own+1)
			}
		}
	}
	return float64(first + n)
}

// aheadInLentTurns is the number of calls that go before a revocation that waits for the
// turns that mints lend.
func (q *queue) aheadInLentTurns(key string, v view) float64 {
	lenders, others := q.lenders()
	if lenders == 0 {
		return math.Inf(1)
	}
	n := float64(q.rounds(prompt, key, revocationsOf, v))
	return n + math.Floor((n+1)*float64(others)/float64(lenders)) + q.owed(n)
}

// lenders is the number of flows that lend their turns to revocations, and that of others
// with calls that go in turn.
func (q *queue) lenders() (lenders, others int) {
	for _, l := range q.lanes[prompt] {
		switch {
		case l.others.size > 0:
			others++
		case l.mints.size > 0:
			lenders++
		}
	}
	return lenders, others
}

// betweenEarly is how many calls go in turn between n early ones, of which no two go in
// succession but for the first of each flow.
func (q *queue) betweenEarly(n float64, of func(*lane) int) float64 {
	return min(max(0, n-float64(q.fresh(of))), float64(q.queued[Interactive]))
}

// owed is how many mints go in their share before the call after n others.
func (q *queue) owed(n float64) float64 {
	if !q.rivals().contested() {
		return 0
	}
	return min(float64(q.queued[Mint]), math.Floor((n+1)*q.share/(1-q.share)+q.credit))
}

func revocationsOf(l *lane) int { return l.revocations.size }

func mintsOf(l *lane) int { return l.mints.size }

// fresh is the number of flows with calls that are not ahead of their turn.
func (q *queue) fresh(of func(*lane) int) (n int) {
	for _, l := range q.lanes[prompt] {
		if of(l) > 0 && q.turns[prompt].lead(l.turn) == 0 {
			n++
		}
	}
	return n
}

// overtaking is the number of revocations and mints that go before their turn, and by that
// before a new call in the lane of key.
func (q *queue) overtaking(key string) (n int) {
	turns := &q.turns[prompt]
	rounds := 1 + turns.leadOf(key)
	if own := q.lanes[prompt][key]; own != nil {
		rounds += own.size()
	}
	for _, l := range q.lanes[prompt] {
		if later := l.size() - max(0, rounds-turns.lead(l.turn)); l.key != key && later > 0 {
			n += max(0, min(later, l.revocations.size+l.mints.size, maxLead-turns.lead(l.turn)))
		}
	}
	return n
}

// queuedAtLeast is the number of calls of a class, or a more urgent one.
func (q *queue) queuedAtLeast(class Class) int {
	n := 0
	for c := Urgent; c <= class; c++ {
		n += q.queued[c]
	}
	return n
}

// rounds is the number of calls, as count counts those of a lane, that go before a
// new call in the lane of key while flows take turns.
func (q *queue) rounds(g group, key string, count func(*lane) int, v view) int {
	t, own := &q.turns[g], 0
	if l := q.lanes[g][key]; l != nil {
		own = v.before(l, count(l))
	}
	me, n := t.flows[key], own
	own += v.refusedBefore(me)
	if v.kept {
		n = own
	}
	for _, l := range q.lanes[g] {
		if l.key != key {
			calls := count(l)
			if v.kept {
				calls += len(l.turn.kept)
			}
			n += max(0, min(calls, own+t.goBefore(me, l.turn, v)))
		}
	}
	if v.kept && t.kept > 0 {
		for k, f := range t.flows {
			if k != key && f.waiting == 0 && len(f.kept) > 0 {
				n += max(0, min(len(f.kept), own+t.goBefore(me, f, v)))
			}
		}
	}
	return n
}

// goBefore is how many calls of f go before the first call of me, which is nil for a
// flow that is not known. It is negative if more of me go first.
func (t *turns) goBefore(me, f *turn, v view) int {
	if me == nil {
		return 1 - t.lead(f)
	}
	n := 1 + t.lead(me) - t.lead(f)
	if v.returned && (n > 1 || n == 1 && t.before(me, f)) {
		n-- // Its place was kept: of flows with equal leads it is before those that came or went later.
	}
	return n
}

// backs is in what time the refused calls are to come back that go before a new call of
// flow, in order.
func (q *queue) backs(flow Flow, v view, now time.Time) (backs []time.Duration) {
	add := func(kept []time.Time) {
		for _, back := range kept {
			backs = append(backs, back.Sub(now))
		}
	}
	key, g := q.laneKey(flow), flow.Class.group()
	t, own := &q.turns[g], 0
	if l := q.lanes[g][key]; l != nil {
		own = v.before(l, l.size())
	}
	me := t.flows[key]
	if n := v.refusedBefore(me); n > 0 {
		own += n
		add(me.kept[:n])
	}
	for k, f := range t.flows {
		if k != key && len(f.kept) > 0 {
			if n := own + t.goBefore(me, f, v) - f.waiting; n > 0 {
				add(f.kept[:min(n, len(f.kept))])
			}
		}
	}
	slices.Sort(backs)
	return backs
}
