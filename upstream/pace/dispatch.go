package pace

import (
	"context"
	"log/slog"
	"time"
)

// anyClass is above every class: a call of any class asks at once.
const anyClass = Spare + 1

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
	case c == nil && p.lost && !now.Before(p.recheck):
		p.lookAgain(ctx)
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
	byBucket, byOrganization := p.takeAlone(b, c.class, now)
	p.await(b, c.class, byBucket, byOrganization, now)
	if byBucket > 0 || byOrganization > 0 {
		p.expireAlone(b, now)
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
		BucketWaits: c.claim.rivals.waits(), OrganizationWaits: c.rivals.waits(),
		BucketDebt: p.debt(b, now), OrganizationDebt: p.debt(p.organization, now),
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
	b.unsettled, p.organization.unsettled = backlog{}, backlog{}
	b.learn(answer.Bucket, now)
	p.organization.learn(answer.Organization, now)
	await := func() {
		// Not before the call goes: the credit chose it.
		b.queue.credit, p.order.credit = answer.Bucket.MintCredit, answer.Organization.MintCredit
		p.await(b, class, answer.BucketWait, answer.OrganizationWait, now)
		p.expire(b, now, func(Class) time.Duration { return max(answer.BucketWait, answer.OrganizationWait) })
	}
	if !answer.Granted {
		await()
		return
	}
	grant := p.grant(b, now)
	grant.receipt = &receipt{ask, answer}
	p.passOn(b, c, grant, now)
	await()
	b.asked = anyClass
	if b.queue.size > 0 {
		b.asked = p.offer(b, now, p.overdue(now)).class
	}
}

// lookAgain asks whether a lost budget is back while no call asks. Otherwise a replica
// could count alone, with tokens of its own, long after the others no longer do.
func (p *Pacer) lookAgain(ctx context.Context) {
	var err error
	p.unlocked(func() { _, err = p.options.Shared.Look(ctx, p.rules, []Terms{p.organization.terms}) })
	if err != nil {
		p.lose(ctx, err, time.Now())
		return
	}
	p.regain(ctx)
}

// await notes the times of the next tokens.
func (p *Pacer) await(b *bucket, class Class, byBucket, byOrganization time.Duration, now time.Time) {
	b.due, p.organization.due = now.Add(byBucket), now.Add(byOrganization)
	b.asked, p.organization.asked = class, class
}

// expire refuses the calls in b whose deadline passes within the wait for a token.
func (p *Pacer) expire(b *bucket, now time.Time, wait func(Class) time.Duration) {
	b.queue.each(func(w *waiter) {
		class := w.class
		if w.demoted {
			class = Interactive
		}
		least := wait(class)
		if least > 0 && !w.deadline.IsZero() && w.deadline.Before(now.Add(least)) {
			flow := Flow{Key: w.places[0].lane.key, Class: w.places[0].class}
			p.remove(w)
			p.deliver(w, outcome{err: p.refuse(b, flow, TooLate, least, now, false)})
		}
	})
}

// expireAlone is the same while the shared budget is lost.
func (p *Pacer) expireAlone(b *bucket, now time.Time) {
	p.expire(b, now, func(class Class) time.Duration {
		return max(p.untilToken(b, class, now), p.untilToken(p.organization, class, now))
	})
}

func (p *Pacer) grant(b *bucket, now time.Time) Grant {
	for _, from := range []*bucket{b, p.organization} {
		from.granted = now
		from.own.add(now, p.priceOf(from).interval)
	}
	return Grant{Bucket: b.terms.Bucket, Rate: b.learned.rate, bucket: b, epoch: b.learned.epoch, alone: p.lost}
}

// lose notes that the shared budget has failed.
func (p *Pacer) lose(ctx context.Context, err error, now time.Time) {
	p.recheck = now.Add(p.options.Recheck)
	if p.lost {
		p.lasting = true
		// Calls with near deadlines were admitted in the hope that it is back.
		for _, b := range p.ordered {
			p.expireAlone(b, now)
		}
		return
	}
	if p.closed {
		return
	}
	p.lost, p.lasting, p.lostAt = true, false, now
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
