package cache

import (
	"container/list"
	"context"
	"crypto/sha256"
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
	// Share is the part of both that the outcomes of one owner may take, and no
	// less than one that is under way. A quarter if it is not above 0 and at most 1.
	Share float64
	// Life is how long an outcome is kept. DefaultOutcomeLife if not positive.
	Life time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// MemoryOutcomes is the [Outcomes] of one process: what is begun is forgotten
// with it. It starts no goroutine and needs no closing.
type MemoryOutcomes struct {
	options MemoryOutcomesOptions

	mu     sync.Mutex
	named  map[Digest]*memoryOutcome
	owners map[Digest]*memoryOwner // those who have an outcome, by a digest of their text
	// order has those that were touched last at its end. All live equally long
	// from then on, so that those to forget are at its front.
	order list.List
	bytes int64
}

// memoryOutcome is what is known of one key. Its fields are under the lock of
// its MemoryOutcomes.
type memoryOutcome struct {
	name        Digest
	owner       *memoryOwner
	fingerprint Fingerprint
	place       *list.Element
	state       OutcomeState // OutcomeBegun, OutcomeKept or OutcomeLost
	body        []byte
	leaseEnd    time.Time
	forgetAt    time.Time
	weight      int64
	ended       chan struct{} // closed when it is begun no more
}

// memoryOwner is what the outcomes of one owner take.
type memoryOwner struct {
	name  Digest
	count int
	bytes int64
}

// outcomeOverhead is about what an outcome costs beside its body: itself, its
// places in map and list, and an owner of its own.
const outcomeOverhead = int64(unsafe.Sizeof(memoryOutcome{})) + 160 + int64(unsafe.Sizeof(memoryOwner{})) + 80

// underWay is the room that is kept for an operation's outcome until it is there.
const underWay = outcomeOverhead + MaxOutcomeBytes

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
	if o.Share <= 0 || o.Share > 1 {
		o.Share = 0.25
	}
	return &MemoryOutcomes{options: o, named: make(map[Digest]*memoryOutcome), owners: make(map[Digest]*memoryOwner)}, nil
}

var _ Outcomes = (*MemoryOutcomes)(nil)

// Begin implements [Outcomes].
func (m *MemoryOutcomes) Begin(ctx context.Context, key OutcomeKey, fingerprint Fingerprint, lease time.Duration) (Outcome, error) {
	if err := validateBegin(ctx, key, lease, m.options.Life); err != nil {
		return Outcome{}, err
	}
	name, owner := key.Digest(), Digest(sha256.Sum256([]byte(key.Owner)))
	for {
		outcome, running, err := m.begin(name, owner, fingerprint, lease)
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

func (m *MemoryOutcomes) begin(name, owner Digest, fingerprint Fingerprint, lease time.Duration) (Outcome, running, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	m.forget(now)
	o := m.named[name]
	switch {
	case o == nil:
		o, err := m.claim(name, owner, now)
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
func (m *MemoryOutcomes) claim(name, ownerName Digest, now time.Time) (*memoryOutcome, error) {
	owner := m.owners[ownerName]
	if owner == nil {
		owner = &memoryOwner{name: ownerName}
	}
	switch {
	case len(m.named) >= m.options.MaxCount || m.bytes+underWay > m.options.MaxBytes:
		return nil, ErrOutcomesFull
	case !m.hasShare(owner):
		return nil, ErrOutcomesShare
	}
	o := &memoryOutcome{name: name, owner: owner, state: OutcomeBegun, forgetAt: now.Add(m.options.Life), ended: make(chan struct{})}
	o.place = m.order.PushBack(o)
	m.named[name], m.owners[ownerName] = o, owner
	owner.count++
	m.weigh(o, underWay)
	return o, nil
}

// hasShare tells whether an owner may have another outcome, whatever room there
// is; the first one always.
func (m *MemoryOutcomes) hasShare(owner *memoryOwner) bool {
	share := func(of int64) int64 { return int64(m.options.Share * float64(of)) }
	return owner.count == 0 ||
		int64(owner.count) < share(int64(m.options.MaxCount)) && owner.bytes+underWay <= share(m.options.MaxBytes)
}

// weigh notes what an outcome takes from now on.
func (m *MemoryOutcomes) weigh(o *memoryOutcome, weight int64) {
	m.bytes += weight - o.weight
	o.owner.bytes += weight - o.weight
	o.weight = weight
}

// end notes what came of an operation that is begun.
func (m *MemoryOutcomes) end(o *memoryOutcome, state OutcomeState, body []byte, now time.Time) {
	m.weigh(o, outcomeOverhead+int64(cap(body)))
	o.state, o.body, o.forgetAt = state, body, now.Add(m.options.Life)
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
	m.weigh(o, 0)
	if o.owner.count--; o.owner.count == 0 {
		delete(m.owners, o.owner.name)
	}
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
