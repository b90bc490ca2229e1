package pace

import (
	"context"
	"sync"
	"time"
)

// Pacer holds calls back until there is budget for them. It may be used from any
// goroutine, and must be closed.
type Pacer struct {
	options Options
	rules   Rules

	mu           sync.Mutex
	organization *bucket
	buckets      map[string]*bucket
	ordered      []*bucket // the same buckets, in the order in which they were added
	waiting      int       // in all buckets
	order        level     // between buckets
	closed       bool

	// lost is set while the shared budget fails, and lasting once it failed again.
	// lostAt is the time of the first failure, and recheck that of the next attempt.
	lost, lasting bool
	lostAt        time.Time
	recheck       time.Time
	// returns are tokens of callers that left before they got them.
	returns []receipt

	wake  chan struct{} // holds one: there is something to do
	stop  context.CancelFunc
	ended chan struct{}
}

// receipt identifies a token that is given back.
type receipt struct {
	ask    Ask
	answer Answer
}

// maxReturns bounds the receipts. Tokens beyond it are lost.
const maxReturns = 64

// Grant is the permission for one call.
type Grant struct {
	// Bucket is the bucket that the call was paid from.
	Bucket string
	// Rate is the rate of the bucket at the time of the grant, in calls per window.
	Rate float64

	bucket  *bucket
	epoch   uint64
	alone   bool     // It was granted while the shared budget was lost.
	receipt *receipt // nil: it cannot be given back
}

// New returns a Pacer. The error says which option is out of its bounds.
func New(options Options) (*Pacer, error) {
	if err := options.setDefaults(); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Pacer{
		options:      options,
		rules:        options.rules(),
		organization: newBucket("", options.Organization, options.Organization.Calls, &options),
		buckets:      make(map[string]*bucket),
		order:        newLevel(options.Bounds.Flows, options.MintShare),
		wake:         make(chan struct{}, 1),
		stop:         stop,
		ended:        make(chan struct{}),
	}
	for name, limit := range options.Buckets {
		p.add(name, limit)
	}
	go func() {
		defer close(p.ended)
		p.run(ctx)
	}()
	return p, nil
}

// Close fails waiting calls with ErrClosed, and ends the goroutine of the Pacer.
// Further calls of it do nothing.
func (p *Pacer) Close() {
	p.mu.Lock()
	p.closed = true
	for _, b := range p.ordered {
		b.queue.each(func(w *waiter) { p.settle(w, outcome{err: ErrClosed}) })
	}
	p.mu.Unlock()
	p.stop()
	<-p.ended
}

// Wait returns when a call may be made in bucket, for the flow of ctx. The call is
// paid for then, whether it is made or not.
//
// The error is an [*Exhausted], at once, if the deadline of ctx cannot be met or
// too many calls wait; the error of ctx, if ctx ends first; or ErrClosed. With an
// error no token was spent.
func (p *Pacer) Wait(ctx context.Context, bucket string) (grant Grant, err error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	flows, shared := flowsFrom(ctx)
	now := time.Now()
	p.mu.Lock()
	b := p.bucket(bucket)
	if p.options.Shared == nil && p.waiting == 0 && !p.closed {
		// There is no queue to respect and no shared budget to ask.
		if byBucket, byOrganization := p.takeAlone(b, mostUrgent(flows), now); byBucket <= 0 && byOrganization <= 0 {
			grant := p.grant(b, now)
			p.mu.Unlock()
			p.options.Account.Waits(flows[0].Key, b.terms.Bucket)
			p.options.Account.Spent(flows[0].Key, b.terms.Bucket, 0, true)
			p.options.Metrics.Granted(b.terms.Bucket, mostUrgent(flows), 0)
			return grant, nil
		}
	}
	w, err := p.enter(ctx, b, flows, now)
	demoted := err != nil && p.demotes(b, flows[0])
	p.mu.Unlock()
	p.options.Account.Waits(flows[0].Key, b.terms.Bucket)
	defer func() { p.options.Account.Spent(flows[0].Key, b.terms.Bucket, time.Since(now), err == nil) }()
	if err != nil {
		p.count(b, outcome{err: err, class: mostUrgent(flows), demoted: demoted}, now)
		return Grant{}, err
	}
	p.signal()
	if shared != nil {
		defer shared.follow(w, len(flows), func(flow Flow) { p.join(w, flow) })()
	}
	select {
	case out := <-w.done:
		p.count(b, out, now)
		return out.grant, out.err
	case <-ctx.Done():
		p.count(b, p.leave(w, ctx.Err()), now)
		return Grant{}, ctx.Err()
	}
}

func (p *Pacer) count(b *bucket, out outcome, since time.Time) {
	if out.demoted {
		p.options.Metrics.Demoted(b.terms.Bucket)
		out.class = Interactive
	}
	switch e, ok := out.err.(*Exhausted); { //nolint:errorlint // it comes from here, unwrapped
	case ok:
		p.options.Metrics.Exhausted(b.terms.Bucket, out.class, e.Reason)
	case out.err != nil:
		p.options.Metrics.Left(b.terms.Bucket, out.class)
	default:
		p.options.Metrics.Granted(b.terms.Bucket, out.class, time.Since(since))
	}
}

// enter queues a call, unless it cannot succeed in time.
func (p *Pacer) enter(ctx context.Context, b *bucket, flows []Flow, now time.Time) (*waiter, error) {
	if p.closed {
		return nil, ErrClosed
	}
	returned := p.redeem(b, flows[0], now)
	wait := p.forecast(b, flows[0], now, view{returned: returned})
	for _, flow := range flows[1:] {
		wait = min(wait, p.forecast(b, flow, now, view{}))
	}
	if b.queue.full(flows[0]) {
		return nil, p.refuse(b, flows[0], QueueFull, wait, now, returned)
	}
	w := &waiter{bucket: b, entered: now, done: make(chan outcome, 1)}
	if deadline, ok := ctx.Deadline(); ok {
		if now.Add(wait).After(deadline) {
			return nil, p.refuse(b, flows[0], TooLate, wait, now, returned)
		}
		w.deadline = deadline
	}
	p.waiting++
	b.queue.enlist(w, flows[0], &p.order, returned)
	for _, flow := range flows[1:] {
		p.addPlace(w, flow)
	}
	return w, nil
}

// demotes reports whether a call of flow would wait as an interactive call, because
// the flow has used up its share of revocations.
func (p *Pacer) demotes(b *bucket, flow Flow) bool {
	ahead := b.queue.turns[prompt].leadOf(b.queue.laneKey(flow)) >= maxLead || p.order.turns[prompt].leadOf(flow.Key) >= maxLead
	return flow.Class == Revocation && ahead
}

// join lets w wait for another flow too, if it still waits.
func (p *Pacer) join(w *waiter, flow Flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.places == nil {
		return
	}
	p.addPlace(w, flow)
	p.signal()
}

// addPlace gives w a place in another flow. Without room there it waits where it is.
func (p *Pacer) addPlace(w *waiter, flow Flow) {
	if q := &w.bucket.queue; !q.full(flow) {
		q.add(w, flow, &p.order)
	}
}

// leave removes a call whose context ended with err, and returns its outcome. If the
// call was granted at the same moment, the grant passes to another.
func (p *Pacer) leave(w *waiter, err error) outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.places != nil {
		p.remove(w)
	} else if out := <-w.done; out.err == nil { // Not in the queue: its outcome is there.
		p.passOn(w.bucket, nil, out.grant, time.Now())
	}
	return outcome{err: err, class: w.class, demoted: w.demoted}
}

// passOn gives a grant to the next call in b. If none waits, the token goes back to
// the shared budget.
func (p *Pacer) passOn(b *bucket, c *choice, grant Grant, now time.Time) {
	if claim := b.queue.next(now, p.interval(b), &p.order, p.overdue(now)); claim.place != nil {
		p.serve(claim, c, grant, now)
		return
	}
	if grant.receipt != nil && len(p.returns) < maxReturns {
		p.returns = append(p.returns, *grant.receipt)
		for _, from := range []*bucket{b, p.organization} {
			from.own.takeBack(p.priceOf(from).interval)
		}
		p.signal()
	}
}

// settle removes w from its queue and delivers its outcome.
func (p *Pacer) settle(w *waiter, out outcome) {
	p.remove(w)
	p.deliver(w, out)
}

// deliver sends the outcome of w, which has left its queue.
func (p *Pacer) deliver(w *waiter, out outcome) {
	out.class, out.demoted = w.class, w.demoted
	w.done <- out // It is buffered, and gets one outcome.
}

func (p *Pacer) remove(w *waiter) {
	w.bucket.queue.remove(w, &p.order)
	p.waiting--
}

// bucket returns the bucket of a name, or OtherBucket.
func (p *Pacer) bucket(name string) *bucket {
	if b := p.buckets[name]; b != nil {
		return b
	}
	if name == "" || len(p.buckets) >= p.options.Bounds.Buckets {
		name = OtherBucket
		if b := p.buckets[name]; b != nil {
			return b
		}
	}
	return p.add(name, p.options.Default)
}

func (p *Pacer) add(name string, limit Limit) *bucket {
	b := newBucket(name, limit, p.options.Learning.Floor, &p.options)
	p.buckets[name] = b
	p.ordered = append(p.ordered, b)
	return b
}

// all returns all buckets, the organization's first.
func (p *Pacer) all() []*bucket { return append([]*bucket{p.organization}, p.ordered...) }

func (p *Pacer) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}
