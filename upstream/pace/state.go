package pace

import (
	"context"
	"time"
)

// BucketState is what a bucket is like at a moment.
type BucketState struct {
	// Bucket is its name; empty for the organization's.
	Bucket string
	// Rate and Ceiling are how many calls are made in a window, and how many at
	// the most.
	Rate, Ceiling float64
	// Burst is how many calls are made at once at the most.
	Burst int
	// Tokens is how many could be made now.
	Tokens float64
	// Queued is how many wait in this replica; the organization's are all that
	// do.
	Queued Queued
	// ClosedUntil is when it opens; zero if it is open.
	ClosedUntil time.Time
	// LastLimited is when a call was refused last; zero if none is known.
	LastLimited time.Time
	// Shared tells that all replicas count together. False beside a Shared means
	// that it is lost, and Rate what this replica makes of its share.
	Shared bool
}

// Queued is how many calls wait, by class.
type Queued struct{ Revocation, Interactive, FanOut int }

// Snapshot returns the state of all buckets, the organization's first, then those
// that are configured or were used. It asks the shared budget once, and where
// that fails tells what is known here.
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
		all.Revocation += s.Queued.Revocation
		all.Interactive += s.Queued.Interactive
		all.FanOut += s.Queued.FanOut
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
			Revocation:  b.queue.classes[Revocation].size,
			Interactive: b.queue.classes[Interactive].size,
			FanOut:      b.queue.classes[FanOut].size,
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
