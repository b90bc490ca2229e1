package pace

import "time"

// alone reports whether this replica counts without a shared budget.
func (p *Pacer) alone() bool { return p.options.Shared == nil || p.lost }

// priceAlone is the price of a call while this replica counts alone. While a
// shared budget is lost, it is the price at this replica's share.
func (p *Pacer) priceAlone(b *bucket) price {
	if p.options.Shared == nil {
		return p.rules.priceOf(b.terms.Limit, b.learned.rate)
	}
	limit := Limit{Calls: b.terms.Limit.Calls, Burst: 1}
	return p.rules.priceOf(limit, shareOf(b.learned.rate, p.options.Share))
}

// limiterOf returns the limiter of b. A limiter that replaces the shared budget
// begins empty: other replicas may just have spent the tokens.
func (p *Pacer) limiterOf(b *bucket, now time.Time) *limiter {
	price := p.priceAlone(b)
	if b.limiter == nil {
		full := p.options.Shared == nil
		begin := now
		if !full {
			begin = p.lostAt
		}
		b.limiter = newLimiter(price, begin, full)
	}
	b.limiter.set(price, now)
	return b.limiter
}

// takeAlone takes a token from b and from the organization if both have one.
// Otherwise it returns the time until each has one.
func (p *Pacer) takeAlone(b *bucket, now time.Time) (byBucket, byOrganization time.Duration) {
	b.learned.raise(now, b.terms, p.rules.Learning)
	own, all := p.limiterOf(b, now), p.limiterOf(p.organization, now)
	byBucket = max(own.wait(now), b.learned.closed.Sub(now))
	byOrganization = all.wait(now)
	if byBucket > 0 || byOrganization > 0 {
		return byBucket, byOrganization
	}
	own.take(now)
	all.take(now)
	if p.lost {
		b.owing, p.organization.owing = true, true
	}
	return 0, 0
}
