package cache

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
	"unsafe"
)

// MinOutcomesMemory is the smallest bound for a [MemoryOutcomes] that makes sense.
const MinOutcomesMemory = 1 << 20

// MemoryOutcomesOptions configure a [MemoryOutcomes].
type MemoryOutcomesOptions struct {
	// MaxBytes bounds what all outcomes take together, with about as much as
	// their bookkeeping needs, and with room for the one that is still to come of
	// each operation that is under way. It must be at least MinOutcomesMemory.
	MaxBytes int64
	// MaxCount bounds how many there are. A hundred thousand if not positive.
	MaxCount int
	// Life is how long an outcome is kept. DefaultOutcomeLife if not positive.
	Life time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// MemoryOutcomes is the [Outcomes] of one process: what is begun is forgotten
// with it. It starts no goroutine and needs no closing.
type MemoryOutcomes struct {
	options MemoryOutcomesOptions

	mu    sync.Mutex
	named map[Digest]*memoryOutcome
	// order has those that were touched last at its end. All live equally long
	// from then on, so that those to forget are at its front.
	order list.List
	bytes int64
}

// memoryOutcome is what is known of one key. Its fields are under the lock of
// its MemoryOutcomes.
type memoryOutcome struct {
	name        Digest
	fingerprint Fingerprint
	place       *list.Element
	state       OutcomeState // OutcomeBegun, OutcomeKept or OutcomeLost
	body        []byte
	leaseEnd    time.Time
	forgetAt    time.Time
	weight      int64
	ended       chan struct{} // closed when it is begun no more
}

// outcomeOverhead is about what an outcome costs beside its body: itself, and its
// places in map and list.
const outcomeOverhead = int64(unsafe.Sizeof(memoryOutcome{})) + 160

// NewMemoryOutcomes returns an empty MemoryOutcomes.
func NewMemoryOutcomes(o MemoryOutcomesOptions) (*MemoryOutcomes, error) {
	if o.MaxBytes < MinOutcomesMemory {
		return nil, errors.New("cache: too little memory for outcomes")
	}
	if o.MaxCount <= 0 {
		o.MaxCount = 100_000
	}
	if o.Life <= 0 {
		o.Life = DefaultOutcomeLife
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &MemoryOutcomes{options: o, named: make(map[Digest]*memoryOutcome)}, nil
}

var _ Outcomes = (*MemoryOutcomes)(nil)

// Begin implements [Outcomes].
func (m *MemoryOutcomes) Begin(ctx context.Context, key Key, fingerprint Fingerprint, lease time.Duration) (Outcome, error) {
	if err := validateBegin(ctx, key, lease, m.options.Life); err != nil {
		return Outcome{}, err
	}
	name := key.Digest()
	for {
		outcome, running, err := m.begin(name, fingerprint, lease)
		if err != nil || outcome.State != 0 {
			return outcome, err
		}
		timer := time.NewTimer(running.left)
		select {
		case <-running.ended:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if err := ctx.Err(); err != nil {
			return Outcome{}, err
		}
	}
}

// running is an operation of another's that is to be waited for.
type running struct {
	ended <-chan struct{}
	left  time.Duration
}

func (m *MemoryOutcomes) begin(name Digest, fingerprint Fingerprint, lease time.Duration) (Outcome, running, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	m.forget(now)
	o := m.named[name]
	switch {
	case o == nil:
		o, err := m.claim(name, now)
		if err != nil {
			return Outcome{}, running{}, err
		}
		o.fingerprint, o.leaseEnd = fingerprint, now.Add(lease)
		return Outcome{State: OutcomeBegun, Claim: &memoryClaim{m, o}}, running{}, nil
	case o.fingerprint != fingerprint:
		return Outcome{State: OutcomeOther}, running{}, nil
	case o.state == OutcomeBegun && now.Before(o.leaseEnd):
		return Outcome{}, running{o.ended, o.leaseEnd.Sub(now)}, nil
	case o.state == OutcomeBegun:
		m.end(o, OutcomeLost, nil, now)
	}
	return Outcome{State: o.state, Body: o.body}, running{}, nil
}

// claim makes an outcome that is begun, if there is room for what is to come of
// it. It is called with the lock held, like all below.
func (m *MemoryOutcomes) claim(name Digest, now time.Time) (*memoryOutcome, error) {
	weight := outcomeOverhead + MaxOutcomeBytes
	if len(m.named) >= m.options.MaxCount || m.bytes+weight > m.options.MaxBytes {
		return nil, ErrOutcomesFull
	}
	o := &memoryOutcome{name: name, state: OutcomeBegun, weight: weight, forgetAt: now.Add(m.options.Life), ended: make(chan struct{})}
	o.place = m.order.PushBack(o)
	m.named[name] = o
	m.bytes += weight
	return o, nil
}

// end notes what came of an operation that is begun.
func (m *MemoryOutcomes) end(o *memoryOutcome, state OutcomeState, body []byte, now time.Time) {
	weight := outcomeOverhead + int64(cap(body))
	m.bytes += weight - o.weight
	o.state, o.body, o.weight, o.forgetAt = state, body, weight, now.Add(m.options.Life)
	m.order.MoveToBack(o.place)
	close(o.ended)
}

// forget removes those whose life is over. One that is still begun by then was
// never ended, and nobody asked for it.
func (m *MemoryOutcomes) forget(now time.Time) {
	for front := m.order.Front(); front != nil; front = m.order.Front() {
		o, ok := front.Value.(*memoryOutcome)
		if !ok || now.Before(o.forgetAt) {
			return
		}
		m.remove(o)
	}
}

func (m *MemoryOutcomes) remove(o *memoryOutcome) {
	m.order.Remove(o.place)
	delete(m.named, o.name)
	m.bytes -= o.weight
}

// memoryClaim is the claim to an outcome that is begun.
type memoryClaim struct {
	outcomes *MemoryOutcomes
	outcome  *memoryOutcome
}

// Finish implements [Claim].
func (c *memoryClaim) Finish(_ context.Context, body []byte) error {
	if len(body) > MaxOutcomeBytes {
		return ErrTooLarge
	}
	kept := make([]byte, len(body))
	copy(kept, body)
	m := c.outcomes
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.stands() {
		return ErrClaimOver
	}
	m.end(c.outcome, OutcomeKept, kept, m.options.Now())
	return nil
}

// Abandon implements [Claim].
func (c *memoryClaim) Abandon(context.Context) error {
	m := c.outcomes
	m.mu.Lock()
	defer m.mu.Unlock()
	if c.stands() {
		m.remove(c.outcome)
		c.outcome.state = 0
		close(c.outcome.ended)
	}
	return nil
}

func (c *memoryClaim) stands() bool {
	return c.outcome.state == OutcomeBegun && c.outcomes.named[c.outcome.name] == c.outcome
}
