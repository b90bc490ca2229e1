package pace

import "time"

// alone reports whether this replica counts without a shared budget.
func (p *Pacer) alone() bool { return p.options.Shared == nil || p.lost }

// priceAlone is the price of a call while this replica counts alone. While a
// shared budget is lost, it is the price in this replica's share of the bucket.
func (p *Pacer) priceAlone(b *bucket) price {
	if p.options.Shared == nil {
		return p.priceOf(b)
	}
	return p.rules.priceOf(b.terms.Limit, shareOf(b.learned.rate, p.options.Share))
}

// priceOf is the price of a call while all replicas count together.
func (p *Pacer) priceOf(b *bucket) price { return p.rules.priceOf(b.terms.Limit, b.learned.rate) }

// limiterOf returns the limiter of b.
func (p *Pacer) limiterOf(b *bucket, now time.Time) *limiter {
	price := p.priceAlone(b)
	switch {
	case b.limiter != nil:
		b.limiter.set(price, now)
	case p.options.Shared == nil:
		b.limiter = newLimiter(price, now, float64(price.burst))
	default:
		b.limiter = newLimiter(price, p.lostAt, p.carriedOver(b))
	}
	return b.limiter
}

// carriedOver is the number of tokens with which b begins when the shared budget is
// lost. Where this replica has made calls within the window, it is its share of those
// that were there after the last one. Elsewhere it is one: others may have spent the
// budget, and then it is the one call over it that this replica may make in a window.
func (p *Pacer) carriedOver(b *bucket) float64 {
	if p.lostAt.Sub(b.granted) < p.rules.Window {
		return b.tokens * p.options.Share
	}
	b.over = p.lostAt
	return 1
}

// mayGoOver reports whether a call may be made beyond the share of this replica: one
// that takes access away, once in a window, while the shared budget is lost.
func (p *Pacer) mayGoOver(b *bucket, class Class, now time.Time) bool {
	return class <= Revocation && p.lost && now.Sub(b.over) >= p.rules.Window
}

// waitAlone is the time until a call of class may be made in b.
func (p *Pacer) waitAlone(b *bucket, class Class, now time.Time) time.Duration {
	wait := p.limiterOf(b, now).wait(now) // It may set b.over.
	if class == Spare {
		wait = max(wait, p.waitSpare(b, now))
	}
	if wait > 0 && p.mayGoOver(b, class, now) {
		wait = 0
	}
	return max(wait, b.learned.closed.Sub(now))
}

// waitSpare is the time until b has a token to spare: one that leaves another one for
// whoever comes next. A bucket that never has two has one to spare after a window
// without a call.
func (p *Pacer) waitSpare(b *bucket, now time.Time) time.Duration {
	l := p.limiterOf(b, now)
	if l.price.burst > 1 {
		return l.waitFor(2, now)
	}
	return b.granted.Add(l.price.interval + p.rules.Window).Sub(now)
}

// takeAlone takes a token from b and from the organization if both have one for a
// call of class. Otherwise it returns the time until each has one.
func (p *Pacer) takeAlone(b *bucket, class Class, now time.Time) (byBucket, byOrganization time.Duration) {
	b.learned.raise(now, b.terms, p.rules.Learning)
	byBucket, byOrganization = p.waitAlone(b, class, now), p.waitAlone(p.organization, class, now)
	if byBucket > 0 || byOrganization > 0 {
		return byBucket, byOrganization
	}
	for _, from := range []*bucket{b, p.organization} {
		if from.limiter.wait(now) > 0 {
			from.over = now
		} else {
			from.limiter.take(now)
		}
		if p.lost {
			p.settleLater(from, now)
		}
	}
	return 0, 0
}
