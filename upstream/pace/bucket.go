package pace

import "time"

// bucket is a budget and the calls that wait for it. The Pacer's lock guards it.
type bucket struct {
	terms   Terms
	learned learned
	queue   queue

	// limiter is nil while the shared budget counts.
	limiter *limiter

	// due is the earliest time of a token, according to the last answer. asked is
	// the class that was answered so. A more urgent call asks again at once, to
	// take its turn among the replicas.
	due   time.Time
	asked Class
	// waiting is the number of other replicas that wait, as of the last answer.
	waiting int
	// tokens is the number of tokens, as of the last answer.
	tokens float64

	// granted is the time of the last grant.
	granted time.Time
	// over is the time of the last call beyond what this replica may spend alone.
	over time.Time
	// own is the backlog of all calls of this replica, and unsettled that of the calls
	// that the shared budget does not know of.
	own, unsettled backlog
	// refusal, if not nil, is a refusal that the shared budget does not know of.
	refusal *Refusal
}

func newBucket(name string, limit Limit, floor float64, options *Options) *bucket {
	return &bucket{
		terms:   Terms{Bucket: name, Limit: limit, Floor: floor},
		learned: learned{rate: limit.Calls},
		queue:   newQueue(options.Bounds, options.MintShare),
	}
}

// learn takes over the state of the shared budget.
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
