package pace

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// anyClass is more than every class: whoever comes, it is worth to ask.
const anyClass = FanOut + 1

// idle is how long the dispatcher sleeps when nobody waits; it is woken.
const idle = time.Hour

// run lets calls go. Only it takes tokens while somebody waits, so that the order
// is decided in one place.
func (p *Pacer) run(ctx context.Context) {
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait := p.step(ctx)
		if wait <= 0 {
			continue
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// step does one thing, or returns how long there is nothing to do.
func (p *Pacer) step(ctx context.Context) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.returns) > 0 {
		r := p.returns[0]
		p.returns = p.returns[1:]
		p.unlocked(func() {
			// If it is not to be had, the token is lost, which is safe.
			_ = p.options.Shared.Return(ctx, r.ask, r.answer)
		})
		return 0
	}
	now := time.Now()
	w, until := p.pick(now)
	switch {
	case w == nil:
		return until
	case p.options.Shared == nil, p.lost && now.Before(p.recheck):
		p.goAlone(w, now)
	default:
		p.goShared(ctx, w, now)
	}
	return 0
}

// unlocked runs f without the lock.
func (p *Pacer) unlocked(f func()) {
	p.mu.Unlock()
	defer p.mu.Lock()
	f()
}

// pick returns whose turn it is of those for whom there may be tokens. If there
// is nobody, it returns when to look again.
func (p *Pacer) pick(now time.Time) (best *waiter, until time.Duration) {
	until = idle
	if p.waiting == 0 {
		return nil, until
	}
	recheck := p.lost && !now.Before(p.recheck)
	if p.lost {
		until = p.recheck.Sub(now)
	}
	for _, b := range p.ordered {
		w := b.queue.peek()
		if w == nil {
			continue
		}
		if wait := p.untilAsk(w).Sub(now); wait > 0 && !recheck {
			until = min(until, wait)
			continue
		}
		if best == nil || p.before(w, best) {
			best = w
		}
	}
	return best, until
}

// untilAsk is when it is worth to ask for a token for w.
func (p *Pacer) untilAsk(w *waiter) time.Time {
	own, all := w.bucket.due, p.organization.due
	if !p.alone() {
		// To be in turn among replicas, one has to have asked.
		if w.flow.Class < w.bucket.asked {
			own = time.Time{}
		}
		if w.flow.Class < p.organization.asked {
			all = time.Time{}
		}
	}
	if own.After(all) {
		return own
	}
	return all
}

// before tells whether w goes before other, of another bucket.
func (p *Pacer) before(w, other *waiter) bool {
	return cmp.Or(
		cmp.Compare(w.flow.Class, other.flow.Class),
		cmp.Compare(p.turns[w.flow.Key].last, p.turns[other.flow.Key].last),
		w.entered.Compare(other.entered),
	) < 0
}

// goAlone lets a call go if this replica's own limiters have tokens.
func (p *Pacer) goAlone(w *waiter, now time.Time) {
	b := w.bucket
	byBucket, byOrganization := p.takeAlone(b, now)
	p.await(b, w.flow.Class, byBucket, byOrganization, now)
	if byBucket > 0 || byOrganization > 0 {
		return
	}
	b.queue.pop()
	p.told(w, outcome{grant: p.grant(b, now)})
}

// goShared asks the shared budget for a token in w's bucket, and lets whoever is
// next by then go with it.
func (p *Pacer) goShared(ctx context.Context, w *waiter, now time.Time) {
	b, class := w.bucket, w.flow.Class
	if b.refusal != nil && !p.tellRefusal(ctx, b, now) {
		return
	}
	ask := Ask{
		Rules: p.rules, Bucket: b.terms, Organization: p.organization.terms, Class: class,
		BucketDebt: b.debt(now, p.rules.Window), OrganizationDebt: p.organization.debt(now, p.rules.Window),
	}
	var (
		answer Answer
		err    error
	)
	p.unlocked(func() { answer, err = p.options.Shared.Take(ctx, ask) })
	now = time.Now()
	if err != nil {
		p.lose(ctx, err, now)
		return
	}
	p.regain(ctx)
	b.owing, p.organization.owing = false, false
	b.learn(answer.Bucket, now)
	p.organization.learn(answer.Organization, now)
	if !answer.Granted {
		p.await(b, class, answer.BucketWait, answer.OrganizationWait, now)
		return
	}
	grant := p.grant(b, now)
	grant.receipt = &receipt{ask, answer}
	p.passOn(b, grant)
	p.await(b, class, answer.BucketWait, answer.OrganizationWait, now)
	b.asked = anyClass
	if next := b.queue.peek(); next != nil {
		b.asked = next.flow.Class
	}
}

// await notes that there are no tokens for some time, and refuses the calls that
// end before that.
func (p *Pacer) await(b *bucket, class Class, byBucket, byOrganization time.Duration, now time.Time) {
	b.due, p.organization.due = now.Add(byBucket), now.Add(byOrganization)
	b.asked, p.organization.asked = class, class
	p.expire(b, max(byBucket, byOrganization), now)
}

// expire refuses the calls in b whose deadline is before there is a token.
func (p *Pacer) expire(b *bucket, wait time.Duration, now time.Time) {
	if wait <= 0 {
		return
	}
	b.queue.each(func(w *waiter) {
		if !w.deadline.IsZero() && w.deadline.Before(now.Add(wait)) {
			p.settle(w, outcome{err: &Exhausted{Bucket: b.terms.Bucket, Reason: TooLate, RetryAfter: wait}})
		}
	})
}

func (p *Pacer) grant(b *bucket, now time.Time) Grant {
	b.granted, p.organization.granted = now, now
	return Grant{Bucket: b.terms.Bucket, Rate: b.learned.rate, bucket: b, epoch: b.learned.epoch}
}

// lose notes that the shared budget does not answer.
func (p *Pacer) lose(ctx context.Context, err error, now time.Time) {
	p.recheck = now.Add(p.options.Recheck)
	if p.lost {
		// Some came to see whether it is back.
		for _, b := range p.ordered {
			p.expire(b, max(p.untilToken(b, now), p.untilToken(p.organization, now)), now)
		}
		return
	}
	if p.closed {
		return
	}
	p.lost, p.lostAt = true, now
	p.startOver()
	p.options.Metrics.Shared(false)
	p.options.Logger.WarnContext(ctx, "shared budget lost: spending a share of it alone",
		slog.Float64("share", p.options.Share), slog.Any("error", err))
}

// regain notes that it does again.
func (p *Pacer) regain(ctx context.Context) {
	if !p.lost {
		return
	}
	p.lost = false
	p.startOver()
	p.options.Metrics.Shared(true)
	p.options.Logger.InfoContext(ctx, "shared budget is back")
}

// startOver forgets what was known of tokens, as somebody else counts them now.
func (p *Pacer) startOver() {
	for _, b := range p.all() {
		b.limiter, b.due, b.asked, b.waiting = nil, time.Time{}, anyClass, 0
	}
}
