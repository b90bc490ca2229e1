package pace

import "time"

// Outlook is what a bucket allows calls that take access away, as this replica knows
// it.
type Outlook struct {
	// PerMinute is how many such calls go in a minute while others wait too: the present
	// rate of the bucket, or of the organization if that is lower, in the share of this
	// replica while a shared budget is lost, without what mints have in the same bucket.
	PerMinute float64
	// Waiting is the number of such calls that wait in this replica.
	Waiting int
	// ClearBy is when they will have gone. Other replicas that wait in the bucket are
	// taken to have as many.
	ClearBy time.Time
}

// Outlook returns the outlook of a bucket. It changes nothing, and asks nobody: a bucket
// that this replica has not used has its configured rate.
func (p *Pacer) Outlook(bucket string) Outlook {
	p.mu.Lock()
	defer p.mu.Unlock()
	b := p.buckets[bucket]
	if b == nil {
		b = newBucket(bucket, p.options.Default, p.options.Learning.Floor, &p.options)
	}
	now := time.Now()
	interval := max(p.pricedNow(b), p.pricedNow(p.organization))
	o := Outlook{
		PerMinute: float64(time.Minute) / float64(interval),
		Waiting:   b.queue.queued[Urgent] + b.queue.queued[Revocation],
		ClearBy:   now,
	}
	if b.queue.queued[Mint] > 0 {
		o.PerMinute *= 1 - p.options.MintShare
	}
	if wait := max(p.dueIn(b, now), p.dueIn(p.organization, now)); o.Waiting > 0 || wait > 0 {
		each := time.Duration(float64(time.Minute) / o.PerMinute)
		o.ClearBy = now.Add(wait + time.Duration(max(0, o.Waiting-1)*(1+b.waiting))*each)
	}
	return o
}

// pricedNow is the time between two calls of all replicas in b, or of this one while it
// counts alone.
func (p *Pacer) pricedNow(b *bucket) time.Duration {
	if p.alone() {
		return p.priceAlone(b).interval
	}
	return p.priceOf(b).interval
}

// dueIn is the time until b has a token, as far as it is known without asking.
func (p *Pacer) dueIn(b *bucket, now time.Time) time.Duration {
	wait := max(b.learned.closed.Sub(now), b.due.Sub(now), 0)
	if b.limiter != nil {
		wait = max(wait, b.limiter.wait(now))
	}
	return wait
}
