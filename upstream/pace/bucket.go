package pace

import "time"

// bucket is a budget and what waits for it. The Pacer's lock guards it.
type bucket struct {
	terms   Terms
	learned learned
	queue   queue

	// limiter is nil while the shared budget counts.
	limiter *limiter

	// due is when there may be a token, as far as is known. asked is the class
	// that was refused until then: for a more urgent one, and for none before,
	// it is worth to ask at once, to be in turn among replicas.
	due   time.Time
	asked Class
	// waiting is how many other replicas wait, as of the last answer.
	waiting int
	// tokens is how many there were then.
	tokens float64

	// granted is when a call was let go last, and owing that the shared budget
	// does not know of it. refusal is one that it does not know.
	granted time.Time
	owing   bool
	refusal *Refusal
}

func newBucket(name string, limit Limit, floor float64) *bucket {
	return &bucket{
		terms:   Terms{Bucket: name, Limit: limit, Floor: floor},
		learned: learned{rate: limit.Calls},
	}
}

// debt is what the shared budget has to be told.
func (b *bucket) debt(now time.Time, window time.Duration) Debt {
	switch {
	case now.Sub(b.granted) >= window:
		return NoDebt
	case b.owing:
		return DebtOwed
	default:
		return DebtIfLost
	}
}

// learn takes over what the shared budget says.
func (b *bucket) learn(s State, now time.Time) {
	l := &b.learned
	if l.rate != s.Rate || l.epoch != s.Epoch {
		l.raised = now
	}
	l.rate, l.refusedRate, l.epoch = s.Rate, s.RefusedRate, s.Epoch
	l.closed, l.refused = time.Time{}, time.Time{}
	if s.Closed > 0 {
		l.closed = now.Add(s.Closed)
	}
	if s.Refused >= 0 {
		l.refused = now.Add(-s.Refused)
	}
	b.waiting, b.tokens = s.Waiting, s.Tokens
}
