package pace

import "time"

// Estimate returns how long a call would wait that flow made now, as far as can
// be told: others may come that go first, and calls that wait may be given up.
func (p *Pacer) Estimate(bucket string, flow Flow) time.Duration {
	flow.Class = flow.Class.valid()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.estimate(p.bucket(bucket), flow, time.Now())
}

func (p *Pacer) estimate(b *bucket, flow Flow, now time.Time) time.Duration {
	first := max(p.untilToken(b, now), p.untilToken(p.organization, now))
	ahead := b.queue.ahead(flow)
	if ahead == 0 {
		return first
	}
	// The buckets in which somebody waits who does not go after this one share
	// the organization's tokens with it.
	busy := 1
	for _, other := range p.ordered {
		if w := other.queue.peek(); w != nil && other != b && w.flow.Class <= flow.Class {
			busy++
		}
	}
	interval := max(p.interval(b), time.Duration(busy)*p.interval(p.organization))
	// No call waits for a day, and a product that large could overflow.
	return first + time.Duration(min(float64(ahead)*float64(interval), float64(24*time.Hour)))
}

// untilToken is how long it takes until there is a token in b. When a budget that
// was lost is to be asked again, that is not known: there may be one.
func (p *Pacer) untilToken(b *bucket, now time.Time) time.Duration {
	closed := max(0, b.learned.closed.Sub(now))
	if p.lost && !now.Before(p.recheck) {
		return closed
	}
	wait := max(closed, b.due.Sub(now))
	if p.alone() {
		wait = max(wait, p.limiterOf(b, now).wait(now))
	}
	return wait
}

// interval is how long b takes for a call here, as others wait too.
func (p *Pacer) interval(b *bucket) time.Duration {
	if p.alone() {
		return p.priceAlone(b).interval
	}
	return p.rules.priceOf(b.terms.Limit, b.learned.rate).interval * time.Duration(1+b.waiting)
}
