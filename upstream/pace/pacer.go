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
	turns        map[string]*turn
	clock        uint64 // of turns
	closed       bool

	// lost is set while the shared budget fails. lostAt is the time of the first
	// failure, and recheck the time of the next attempt.
	lost    bool
	lostAt  time.Time
	recheck time.Time
	// returns are tokens of callers that left before they got them.
	returns []receipt

	wake  chan struct{} // holds one: there is something to do
	stop  context.CancelFunc
	ended chan struct{}
}

// turn is the last time, by the clock of turns, at which a flow got a token. Flows
// take turns across buckets for the organization's tokens.
type turn struct {
	last    uint64
	waiting int // in all buckets
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
		organization: newBucket("", options.Organization, options.Organization.Calls),
		buckets:      make(map[string]*bucket),
		turns:        make(map[string]*turn),
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
func (p *Pacer) Wait(ctx context.Context, bucket string) (Grant, error) {
	if err := ctx.Err(); err != nil {
		return Grant{}, err
	}
	flow := FlowFrom(ctx)
	now := time.Now()
	p.mu.Lock()
	b := p.bucket(bucket)
	if p.options.Shared == nil && p.waiting == 0 && !p.closed {
		// There is no queue to respect and no shared budget to ask.
		if byBucket, byOrganization := p.takeAlone(b, now); byBucket <= 0 && byOrganization <= 0 {
			grant := p.grant(b, now)
			p.mu.Unlock()
			p.options.Metrics.Granted(b.terms.Bucket, flow.Class, 0)
			return grant, nil
		}
	}
	w, err := p.enter(ctx, b, flow, now)
	p.mu.Unlock()
	if err != nil {
		p.count(b, flow.Class, now, err)
		return Grant{}, err
	}
	p.signal()
	if e, ok := ctx.Value(flowKey{}).(*contextFlow); ok {
		defer e.follow(w, flow, func(to Flow) { p.raise(w, to) })()
	}
	select {
	case out := <-w.done:
		p.count(b, out.class, now, out.err)
		return out.grant, out.err
	case <-ctx.Done():
		p.count(b, p.leave(w), now, ctx.Err())
		return Grant{}, ctx.Err()
	}
}

func (p *Pacer) count(b *bucket, class Class, since time.Time, err error) {
	switch e, ok := err.(*Exhausted); { //nolint:errorlint // it comes from here, unwrapped
	case ok:
		p.options.Metrics.Exhausted(b.terms.Bucket, class, e.Reason)
	case err != nil:
		p.options.Metrics.Left(b.terms.Bucket, class)
	default:
		p.options.Metrics.Granted(b.terms.Bucket, class, time.Since(since))
	}
}

// enter queues a call, unless it cannot succeed in time.
func (p *Pacer) enter(ctx context.Context, b *bucket, flow Flow, now time.Time) (*waiter, error) {
	if p.closed {
		return nil, ErrClosed
	}
	wait := p.estimate(b, flow, now)
	if b.queue.size >= p.options.Bounds.Calls {
		return nil, &Exhausted{Bucket: b.terms.Bucket, Reason: QueueFull, RetryAfter: wait}
	}
	w := &waiter{flow: flow, bucket: b, entered: now, done: make(chan outcome, 1)}
	if deadline, ok := ctx.Deadline(); ok {
		if now.Add(wait).After(deadline) {
			return nil, &Exhausted{Bucket: b.terms.Bucket, Reason: TooLate, RetryAfter: wait}
		}
		w.deadline = deadline
	}
	p.remember(w)
	return w, nil
}

// remember queues w at the end of its flow.
func (p *Pacer) remember(w *waiter) {
	w.bucket.queue.push(w, p.options.Bounds.Flows)
	p.waiting++
	t := p.turns[w.flow.Key]
	if t == nil {
		p.clock++
		t = &turn{last: p.clock}
		p.turns[w.flow.Key] = t
	}
	t.waiting++
}

// raise moves w to a more urgent flow, if it still waits.
func (p *Pacer) raise(w *waiter, to Flow) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.lane == nil {
		return
	}
	w.bucket.queue.remove(w)
	p.forget(w)
	w.flow = to
	p.remember(w)
	p.signal()
}

// leave removes a call whose context ended, and returns its class. If the call was
// granted at the same moment, the grant passes to another.
func (p *Pacer) leave(w *waiter) Class {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.lane != nil {
		w.bucket.queue.remove(w)
		p.forget(w)
		return w.flow.Class
	}
	out := <-w.done // Not in the queue: its outcome is there.
	if out.err == nil {
		p.passOn(w.bucket, out.grant)
	}
	return w.flow.Class
}

// passOn gives a grant to the next call in b. If none waits, the token goes back to
// the shared budget.
func (p *Pacer) passOn(b *bucket, grant Grant) {
	if w := b.queue.peek(); w != nil {
		b.queue.pop()
		p.deliver(w, outcome{grant: grant})
		return
	}
	if grant.receipt != nil && len(p.returns) < maxReturns {
		p.returns = append(p.returns, *grant.receipt)
		p.signal()
	}
}

// settle removes w from its queue and delivers its outcome.
func (p *Pacer) settle(w *waiter, out outcome) {
	w.bucket.queue.remove(w)
	p.deliver(w, out)
}

// deliver sends the outcome of w, which has just left its queue.
func (p *Pacer) deliver(w *waiter, out outcome) {
	if out.err == nil {
		p.clock++
		p.turns[w.flow.Key].last = p.clock
	}
	p.forget(w)
	out.class = w.flow.Class
	w.done <- out // It is buffered, and gets one outcome.
}

func (p *Pacer) forget(w *waiter) {
	p.waiting--
	t := p.turns[w.flow.Key]
	if t.waiting--; t.waiting == 0 {
		delete(p.turns, w.flow.Key)
	}
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
	b := newBucket(name, limit, p.options.Learning.Floor)
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
