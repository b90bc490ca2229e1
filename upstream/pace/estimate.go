package pace

import "time"

// gap is the part of an interval for which a token is free, for a call to be told of it.
const gap = 0.75

// Estimate returns the likely wait of a call that flow makes now, behind the calls that
// wait and those that were refused and are to come back. More urgent calls may come, and
// waiting calls may leave.
func (p *Pacer) Estimate(bucket string, flow Flow) time.Duration {
	flow.Class = flow.Class.valid()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.forecast(p.bucket(bucket), flow, time.Now(), view{kept: true})
}

// forecast is the likely wait of a call of flow in b.
func (p *Pacer) forecast(b *bucket, flow Flow, now time.Time, v view) time.Duration {
	class, demoted := flow.Class, p.demotes(b, flow)
	if demoted {
		class = Interactive
	}
	wait := max(p.untilToken(b, class, now), p.untilToken(p.organization, class, now))
	// Other buckets with tokens compete for the organization's, as far as their
	// calls are at least as urgent.
	busy := 1
	for _, other := range p.ordered {
		if other != b && other.queue.queuedAtLeast(class) > 0 && !other.due.After(now) {
			busy++
		}
	}
	organization := p.interval(p.organization)
	interval := max(p.interval(b), time.Duration(busy)*organization)
	ahead := b.queue.ahead(flow, demoted, v) * float64(interval)
	// Each flow that waits there, and is not ahead of its turn, goes once first.
	rivals := min(busy-1, p.order.turns[flow.Class.group()].notBehind(flow.Key))
	ahead += float64(rivals) * float64(organization)
	if v.kept {
		ahead = untilGap(ahead, wait, interval, b.queue.backs(flow, v, now))
	}
	// No call waits for a day, and a larger product could overflow.
	return wait + time.Duration(min(ahead, float64(24*time.Hour)))
}

// untilGap is the time, after wait, until there is a token that those leave who go before
// a call. They go for as long as ahead. Those of them that are to come back in some times,
// in order, need no token before.
func untilGap(ahead float64, wait, interval time.Duration, backs []time.Duration) float64 {
	first := max(0, ahead-float64(len(backs))*float64(interval))
	for _, back := range backs {
		// Who comes a little later would have to wait for a whole interval.
		if float64(back-wait) >= first+gap*float64(interval) {
			break
		}
		first += float64(interval)
	}
	return min(first, ahead)
}

// notBehind is the number of waiting flows, but for that of key, that have their turn
// before a new call of it.
func (t *turns) notBehind(key string) int {
	lead, n := t.leadOf(key), 0
	for k, f := range t.flows {
		if k != key && f.waiting > 0 && t.lead(f) <= lead {
			n++
		}
	}
	return n
}

// untilToken is the time until b has a token for a call of class. While a lost budget
// may be back with the next attempt, it is no longer than until then: before the
// second attempt the loss may be that of one answer.
func (p *Pacer) untilToken(b *bucket, class Class, now time.Time) time.Duration {
	closed := max(0, b.learned.closed.Sub(now))
	if !p.alone() {
		return max(closed, b.due.Sub(now))
	}
	wait := p.waitAlone(b, class, now)
	if p.lost && (!p.lasting || !now.Before(p.recheck)) {
		wait = min(wait, max(0, p.recheck.Sub(now)))
	}
	return max(closed, wait)
}

// interval is the time between two calls of this replica in b, while the waiting
// replicas take turns.
func (p *Pacer) interval(b *bucket) time.Duration {
	if p.alone() && (!p.lost || p.lasting) {
		return p.priceAlone(b).interval
	}
	return p.rules.priceOf(b.terms.Limit, b.learned.rate).interval * time.Duration(1+b.waiting)
}
