package pace

import "time"

// Estimate returns the likely wait of a call that flow makes now. More urgent
// calls may come, and waiting calls may leave.
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
	// Buckets whose next call is at least as urgent share the organization's
	// tokens with this one.
	busy := 1
	for _, other := range p.ordered {
		if w := other.queue.peek(); w != nil && other != b && w.flow.Class <= flow.Class {
			busy++
		}
	}
	interval := max(p.interval(b), time.Duration(busy)*p.interval(p.organization))
	// No call waits for a day, and a larger product could overflow.
	return first + time.Duration(min(float64(ahead)*float64(interval), float64(24*time.Hour)))
}

// untilToken is the time until b has a token. It is zero when a lost budget is due
// to be asked again, because that budget may have one.
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

// interval is the time between two calls of this replica in b, while the waiting
// replicas take turns.
func (p *Pacer) interval(b *bucket) time.Duration {
	if p.alone() {
		return p.priceAlone(b).interval
	}
	return p.rules.priceOf(b.terms.Limit, b.learned.rate).interval * time.Duration(1+b.waiting)
}
