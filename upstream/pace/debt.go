package pace

import "time"

// Debt is what the calls of a replica have left in a bucket, as the time in which the
// bucket earns the tokens again. It is zero a while after the last call.
type Debt struct {
	// Unsettled is that of the calls that were made without the shared budget. It is
	// added to what the shared budget knows.
	Unsettled time.Duration
	// Own is that of all calls of the replica: at least so much is spent. A shared
	// budget that knows of less has lost them, as Redis does when it fails over to a
	// replica of its own that lags behind.
	Own time.Duration
}

// backlog is the theoretical arrival time of the generic cell rate algorithm: the time
// at which a bucket is full again after the calls that were added.
type backlog time.Time

// add adds a call.
func (l *backlog) add(now time.Time, interval time.Duration) {
	at := time.Time(*l)
	if at.Before(now) {
		at = now
	}
	*l = backlog(at.Add(interval))
}

// takeBack takes a call back that was added.
func (l *backlog) takeBack(interval time.Duration) { *l = backlog(time.Time(*l).Add(-interval)) }

// left is the time until the bucket is full.
func (l backlog) left(now time.Time) time.Duration { return max(0, time.Time(l).Sub(now)) }

// settleLater notes a call of which the shared budget does not know. It counts in the
// share of this replica: while it earns a token there, the others earn theirs.
func (p *Pacer) settleLater(b *bucket, now time.Time) {
	b.unsettled.add(now, time.Duration(float64(p.priceOf(b).interval)/p.options.Share))
}

// debt is what b owes the shared budget.
func (p *Pacer) debt(b *bucket, now time.Time) Debt {
	return Debt{
		Unsettled: time.Duration(float64(b.unsettled.left(now)) * p.options.Share),
		Own:       b.own.left(now),
	}
}
