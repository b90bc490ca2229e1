package pace

import (
	"context"
	"log/slog"
	"time"
)

// anyClass is above every class: a call of any class asks at once.
const anyClass = FanOut + 1

// idle is how long the dispatcher sleeps while no call waits, unless it is woken.
const idle = time.Hour

// run dispatches calls. While a call waits, only run takes tokens, so that one
// place decides the order.
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

// step does one piece of work, or returns how long there will be none.
func (p *Pacer) step(ctx context.Context) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.returns) > 0 {
		r := p.returns[0]
		p.returns = p.returns[1:]
		p.unlocked(func() {
			// If this fails, the token is lost, which is safe.
			_ = p.options.Shared.Return(ctx, r.ask, r.answer)
		})
		return 0
	}
	now := time.Now()
	c, until := p.choose(now)
	switch {
	case c == nil:
		return until
	case p.options.Shared == nil, p.lost && now.Before(p.recheck):
		p.goAlone(c, now)
	default:
		p.goShared(ctx, c, now)
	}
	return 0
}

// unlocked runs f without the lock.
func (p *Pacer) unlocked(f func()) {
	p.mu.Unlock()
	defer p.mu.Lock()
	f()
}

// goAlone grants the chosen call if the limiters of this replica have tokens.
func (p *Pacer) goAlone(c *choice, now time.Time) {
	b := c.bucket
	byBucket, byOrganization := p.takeAlone(b, now)
	p.await(b, c.class, byBucket, byOrganization, now)
	if byBucket > 0 || byOrganization > 0 {
		return
	}
	p.serve(c.claim, c, p.grant(b, now), now)
}

// goShared asks the shared budget for a token in the bucket that was chosen, and
// grants it to the call that is next there when the answer arrives.
func (p *Pacer) goShared(ctx context.Context, c *choice, now time.Time) {
	b, class := c.bucket, c.class
	if b.refusal != nil && !p.reportRefusal(ctx, b, now) {
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
	p.passOn(b, c, grant, now)
	p.await(b, class, answer.BucketWait, answer.OrganizationWait, now)
	b.asked = anyClass
	if b.queue.size > 0 {
		b.asked = p.offer(b, now, p.overdue(now)).class
	}
}

// await notes the times of the next tokens, and refuses the calls whose deadline
// comes before them.
func (p *Pacer) await(b *bucket, class Class, byBucket, byOrganization time.Duration, now time.Time) {
	b.due, p.organization.due = now.Add(byBucket), now.Add(byOrganization)
	b.asked, p.organization.asked = class, class
	p.expire(b, max(byBucket, byOrganization), now)
}

// expire refuses the calls in b whose deadline passes within wait.
func (p *Pacer) expire(b *bucket, wait time.Duration, now time.Time) {
	if wait <= 0 {
		return
	}
	b.queue.each(func(w *waiter) {
		if !w.deadline.IsZero() && w.deadline.Before(now.Add(wait)) {
			flow := Flow{Key: w.places[0].lane.key, Class: w.places[0].class}
			p.remove(w)
			p.deliver(w, outcome{err: &Exhausted{Bucket: b.terms.Bucket, Reason: TooLate, RetryAfter: max(wait, p.estimate(b, flow, now))}})
		}
	})
}

func (p *Pacer) grant(b *bucket, now time.Time) Grant {
	b.granted, p.organization.granted = now, now
	return Grant{Bucket: b.terms.Bucket, Rate: b.learned.rate, bucket: b, epoch: b.learned.epoch}
}

// lose notes that the shared budget has failed.
func (p *Pacer) lose(ctx context.Context, err error, now time.Time) {
	p.recheck = now.Add(p.options.Recheck)
	if p.lost {
		// Calls with near deadlines were admitted in the hope that it is back.
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

// regain notes that the shared budget works again.
func (p *Pacer) regain(ctx context.Context) {
	if !p.lost {
		return
	}
	p.lost = false
	p.startOver()
	p.options.Metrics.Shared(true)
	p.options.Logger.InfoContext(ctx, "shared budget is back")
}

// startOver forgets the state of tokens: from now on they are counted elsewhere.
func (p *Pacer) startOver() {
	for _, b := range p.all() {
		b.limiter, b.due, b.asked, b.waiting = nil, time.Time{}, anyClass, 0
	}
}
