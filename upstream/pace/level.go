package pace

import "time"

// means is how a call came to a token.
type means uint8

const (
	// inTurn: it was the turn of its flow.
	inTurn means = iota
	// early: it went before its turn.
	early
	// owed: a mint that went ahead of revocations, in the share of mints.
	owed
	// lent: a revocation that went in the turn of a flow whose next call is a mint.
	lent
)

// rivals are what waits for a token, with the call that gets it.
type rivals struct {
	revocations, mints bool
	// behind is set if there are calls behind the urgent ones that may go.
	behind bool
}

// contested reports whether the share of mints counts.
func (r rivals) contested() bool { return r.revocations && r.mints }

func (r rivals) waits() Waits { return Waits{Mints: r.mints, Revocations: r.revocations} }

// level is the order at one budget: in a bucket, or between the buckets that wait
// for the organization's.
type level struct {
	turns [groups]turns
	// overtook is set after a call that went before its turn. The next one goes in
	// turn, so that those before their turn are half of the calls at the most.
	overtook bool
	// unserved is since when patient calls wait and none has gone; between buckets, since
	// when none has gone before prompt ones.
	unserved time.Time
	// run is the number of urgent calls that went in succession before others.
	run int
	// share is the part of the tokens that mints have beside revocations, and credit
	// what they have earned of the next one. A shared budget has the credit of all
	// replicas.
	share, credit float64
}

func newLevel(most int, share float64) level {
	l := level{share: share}
	for g := range l.turns {
		l.turns[g].most = most
	}
	return l
}

func (l *level) enter(g group, key string, now time.Time) *turn {
	if g == patient && l.turns[patient].waiting == 0 {
		l.unserved = now
	}
	return l.turns[g].enter(key)
}

// mayOvertake reports whether a revocation or a mint of f may go before its turn. The
// first one always may: it is no more than its turn.
func (l *level) mayOvertake(f *turn) bool {
	lead := l.turns[prompt].lead(f)
	return lead == 0 || lead < maxLead && !l.overtook
}

// inShare reports whether f has not used up its share of revocations and mints.
func (l *level) inShare(f *turn) bool { return l.turns[prompt].lead(f) < maxLead }

// overdue reports whether it is time for a patient call.
func (l *level) overdue(now time.Time, interval time.Duration) bool {
	return l.turns[patient].waiting > 0 && now.Sub(l.unserved) >= patientEvery*interval
}

// yields reports whether it is time for a call behind the urgent ones.
func (l *level) yields(r rivals) bool { return r.behind && l.run >= urgentRun }

// owesMint reports whether the next token is for a mint. Fractions that add up to a
// token may miss it by a rounding.
func (l *level) owesMint(r rivals) bool { return r.contested() && l.credit+l.share > 1-1e-9 }

// pay charges f, or the flow whose turn was lent to it. turn is the flow whose turn it
// was.
func (l *level) pay(g group, f, turn *turn, by means) {
	if g == prompt || g == patient {
		l.overtook = by == early || by == owed && l.overtook
	}
	switch by {
	case inTurn:
		l.turns[g].pay(f, turn)
	case lent:
		l.turns[g].lend(f, turn)
	case early, owed:
		l.turns[g].pay(f, nil)
	}
}

// succeed counts the urgent calls that go in succession.
func (l *level) succeed(class Class, r rivals) {
	switch {
	case class != Urgent:
		l.run = 0
	case r.behind:
		l.run++
	}
}

// earn counts a token for the share of mints. scriptTake does the same in Lua.
func (l *level) earn(class Class, r rivals) {
	switch {
	case class == Urgent: // It is no part of what they share.
	case class == Mint:
		l.credit = max(0, l.credit+l.share-1)
	case r.contested():
		l.credit = min(1, l.credit+l.share)
	case !r.mints:
		l.credit = 0
	}
}
