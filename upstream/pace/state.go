package pace

import (
	"context"
	"time"
)

// BucketState is the state of a bucket at a moment.
type BucketState struct {
	// Bucket is its name; empty for the organization's.
	Bucket string
	// Rate is the number of calls in a window, and Ceiling the configured one.
	Rate, Ceiling float64
	// Burst is the largest number of calls at once.
	Burst int
	// Tokens is the number of calls that could be made now.
	Tokens float64
	// Queued is the number of calls that wait in this replica. The organization's
	// is the sum of all buckets.
	Queued Queued
	// ClosedUntil is when it opens; zero if it is open.
	ClosedUntil time.Time
	// LastLimited is the time of the last refusal; zero if none is known.
	LastLimited time.Time
	// Shared reports whether all replicas count together. While a shared budget is
	// lost it is false, and Rate is the rate of this replica's share.
	Shared bool
}

// Queued is the number of waiting calls, by class.
type Queued struct{ Urgent, Revocation, Mint, Interactive, FanOut, Spare int }

// ByClass are the same numbers, with classes as indices.
func (q Queued) ByClass() map[Class]int {
	return map[Class]int{
		Urgent: q.Urgent, Revocation: q.Revocation, Mint: q.Mint,
		Interactive: q.Interactive, FanOut: q.FanOut, Spare: q.Spare,
	}
}

func (q *Queued) add(other Queued) {
	q.Urgent += other.Urgent
	q.Revocation += other.Revocation
	q.Mint += other.Mint
	q.Interactive += other.Interactive
	q.FanOut += other.FanOut
	q.Spare += other.Spare
}

// Snapshot returns the states of all buckets: the organization's first, then those
// that are configured or were used. It asks the shared budget once; if that fails,
// the states are those that this replica knows.
func (p *Pacer) Snapshot(ctx context.Context) []BucketState {
	p.mu.Lock()
	buckets := p.all()
	ask := !p.alone()
	p.mu.Unlock()
	var states []State
	if ask {
		terms := make([]Terms, len(buckets))
		for i, b := range buckets {
			terms[i] = b.terms
		}
		var err error
		if states, err = p.options.Shared.Look(ctx, p.rules, terms); err != nil {
			states = nil
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	snapshot := make([]BucketState, len(buckets))
	for i, b := range buckets {
		if states != nil && !p.alone() {
			b.learn(states[i], now)
		}
		snapshot[i] = p.stateOf(b, now)
	}
	all := &snapshot[0].Queued
	for _, s := range snapshot[1:] {
		all.add(s.Queued)
	}
	return snapshot
}

func (p *Pacer) stateOf(b *bucket, now time.Time) BucketState {
	s := BucketState{
		Bucket:      b.terms.Bucket,
		Rate:        b.learned.rate,
		Ceiling:     b.terms.Limit.Calls,
		Burst:       p.rules.priceOf(b.terms.Limit, b.learned.rate).burst,
		Tokens:      b.tokens,
		LastLimited: b.learned.refused,
		Shared:      !p.alone(),
		Queued: Queued{
			Urgent:      b.queue.queued[Urgent],
			Revocation:  b.queue.queued[Revocation],
			Mint:        b.queue.queued[Mint],
			Interactive: b.queue.queued[Interactive],
			FanOut:      b.queue.queued[FanOut],
			Spare:       b.queue.queued[Spare],
		},
	}
	if b.learned.closed.After(now) {
		s.ClosedUntil = b.learned.closed
	}
	if p.alone() {
		l := p.limiterOf(b, now)
		s.Burst, s.Tokens = l.price.burst, l.count(now)
		if p.lost {
			s.Rate = shareOf(b.learned.rate, p.options.Share)
		}
		if !s.ClosedUntil.IsZero() {
			s.Tokens = 0
		}
	}
	return s
}
