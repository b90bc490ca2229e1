package pace

import (
	"context"
	"log/slog"
	"time"
)

// Limited reports that the upstream refused the call of a grant for lack of
// budget. retryAfter is the time that the upstream named, and not positive if it
// named none. The bucket is closed for that time and its rate lowered, once for
// all calls that were granted before. Waiting calls whose deadline comes before
// the bucket opens fail at once. While the shared budget is lost, the rate stays.
//
// Limited returns when the shared budget knows of the refusal, or has failed.
func (p *Pacer) Limited(ctx context.Context, grant Grant, retryAfter time.Duration) {
	b, rules := grant.bucket, p.rules.Learning
	if b == nil {
		return
	}
	if retryAfter <= 0 {
		retryAfter = rules.Closed
	}
	retryAfter = min(retryAfter, rules.MaxClosed)

	p.mu.Lock()
	now := time.Now()
	// What replicas spend alone adds up to the rate at the best. A refusal tells that
	// it did not, and nothing of the rate.
	unlearned := grant.alone || p.lost
	lowered := b.learned.refuse(now, retryAfter, grant.epoch, unlearned, b.terms, rules)
	p.reopen(b, now)
	rate := b.learned.rate
	p.mu.Unlock()
	if shared := p.options.Shared; shared != nil {
		// Other replicas need to know, also when the caller has left.
		state, err := shared.Refuse(context.WithoutCancel(ctx), Refusal{
			Rules: p.rules, Bucket: b.terms, Closed: retryAfter, Epoch: grant.epoch, Unlearned: unlearned,
		})
		p.mu.Lock()
		if err == nil {
			b.learn(state, time.Now())
			lowered, rate = state.Lowered, state.Rate
		} else {
			p.owe(b, grant.epoch, lowered, unlearned)
		}
		p.mu.Unlock()
	}
	p.options.Metrics.Limited(b.terms.Bucket, lowered)
	p.options.Logger.WarnContext(ctx, "call refused for lack of budget", slog.String("bucket", b.terms.Bucket),
		slog.Duration("closed", retryAfter), slog.Bool("lowered", lowered), slog.Float64("rate", rate))
}

// reopen holds the calls of b back until it opens, with one token and no burst.
func (p *Pacer) reopen(b *bucket, now time.Time) {
	if p.alone() {
		p.limiterOf(b, now).reopen(b.learned.closed)
	}
	if b.due.Before(b.learned.closed) {
		b.due = b.learned.closed
	}
	p.expire(b, now, func(Class) time.Duration { return b.learned.closed.Sub(now) })
}

// owe notes a refusal that the shared budget does not know of.
func (p *Pacer) owe(b *bucket, epoch uint64, lowered, unlearned bool) {
	owed := b.refusal
	if owed == nil {
		owed = &Refusal{Rules: p.rules, Bucket: b.terms, Epoch: epoch, Unlearned: true}
	}
	next := *owed // A copy: a call to the shared budget may be using the other.
	next.Unlearned = next.Unlearned && unlearned
	if lowered {
		next.Rate = b.learned.rate
	}
	b.refusal = &next
}

// reportRefusal sends the refusal that the shared budget does not know of, and
// reports whether that succeeded.
func (p *Pacer) reportRefusal(ctx context.Context, b *bucket, now time.Time) bool {
	owed := b.refusal
	refusal := *owed
	refusal.Closed = max(0, b.learned.closed.Sub(now))
	var err error
	p.unlocked(func() { _, err = p.options.Shared.Refuse(ctx, refusal) })
	if err != nil {
		p.lose(ctx, err, time.Now())
		return false
	}
	if b.refusal == owed {
		b.refusal = nil
	}
	return true
}
