package outcome

import (
	"container/list"
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"
	"unsafe"

	"github.com/admin-gateway/admin-gateway/cache"
)

// MinMemory is the smallest bound for a [Memory] that makes sense.
const MinMemory = 1 << 20

// MemoryOptions configure a [Memory].
type MemoryOptions struct {
	// MaxBytes bounds what all outcomes take together, with about as much as
	// their bookkeeping needs, and with room for the one that is still to come of
	// each operation that is under way. It must be at least MinMemory.
	MaxBytes int64
	// MaxCount bounds how many there are. A hundred thousand if not positive.
	MaxCount int
	// Share is the part of both that the outcomes of one owner may take, and no
	// less than one that is under way. A quarter if it is not above 0 and at most 1.
	Share float64
	// Life is how long an outcome is kept. DefaultLife if not positive.
	Life time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Memory is the [Store] of one process: what is begun is forgotten
// with it. It starts no goroutine and needs no closing.
type Memory struct {
	options MemoryOptions

	mu     sync.Mutex
	named  map[cache.Digest]*record
	owners map[cache.Digest]*ownerUsage // those who have an outcome, by a digest of their text
	// order has those that were touched last at its end. All live equally long
	// from then on, so that those to forget are at its front.
	order list.List
	bytes int64
}

// record is what is known of one key. Its fields are under the lock of
// its Memory.
type record struct {
	name        cache.Digest
	owner       *ownerUsage
	fingerprint Fingerprint
	place       *list.Element
	state       State // Claimed, Completed or Lost
	body        []byte
	leaseEnd    time.Time
	forgetAt    time.Time
	weight      int64
	ended       chan struct{} // closed when it is begun no more
}

// ownerUsage is what the outcomes of one owner take.
type ownerUsage struct {
	name  cache.Digest
	count int
	bytes int64
}

// overhead is about what an outcome costs beside its body: itself, its
// places in map and list, and an owner of its own.
const overhead = int64(unsafe.Sizeof(record{})) + 160 + int64(unsafe.Sizeof(ownerUsage{})) + 80

// reserved is the room that is kept for an operation's outcome until it is there.
const reserved = overhead + MaxBodyBytes

// NewMemory returns an empty Memory.
func NewMemory(o MemoryOptions) (*Memory, error) {
	if o.MaxBytes < MinMemory {
		return nil, errors.New("outcome: too little memory for outcomes")
	}
	if o.MaxCount <= 0 {
		o.MaxCount = 100_000
	}
	if o.Life <= 0 {
		o.Life = DefaultLife
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Share <= 0 || o.Share > 1 {
		o.Share = 0.25
	}
	return &Memory{options: o, named: make(map[cache.Digest]*record), owners: make(map[cache.Digest]*ownerUsage)}, nil
}

var _ Store = (*Memory)(nil)

// Begin implements [Store].
func (m *Memory) Begin(ctx context.Context, key Key, fingerprint Fingerprint, lease time.Duration) (Result, error) {
	if err := validateBegin(ctx, key, lease, m.options.Life); err != nil {
		return Result{}, err
	}
	name, owner := key.Digest(), cache.Digest(sha256.Sum256([]byte(key.Owner)))
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
			return Result{}, err
		}
	}
}

// running is an operation of another's that is to be waited for.
type running struct {
	ended <-chan struct{}
	left  time.Duration
}

func (m *Memory) begin(name, owner cache.Digest, fingerprint Fingerprint, lease time.Duration) (Result, running, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.options.Now()
	m.forget(now)
	o := m.named[name]
	switch {
	case o == nil:
		o, err := m.claim(name, owner, now)
		if err != nil {
			return Result{}, running{}, err
		}
		o.fingerprint, o.leaseEnd = fingerprint, now.Add(lease)
		return Result{State: Claimed, Claim: &memoryClaim{m, o}}, running{}, nil
	case o.fingerprint != fingerprint:
		return Result{State: Mismatch}, running{}, nil
	case o.state == Claimed && now.Before(o.leaseEnd):
		return Result{}, running{o.ended, o.leaseEnd.Sub(now)}, nil
	case o.state == Claimed:
		m.end(o, Lost, nil, now)
	}
	return Result{State: o.state, Body: o.body}, running{}, nil
}

// claim makes an outcome that is begun, if there is room for what is to come of
// it. It is called with the lock held, like all below.
func (m *Memory) claim(name, ownerName cache.Digest, now time.Time) (*record, error) {
	owner := m.owners[ownerName]
	if owner == nil {
		owner = &ownerUsage{name: ownerName}
	}
	switch {
	case len(m.named) >= m.options.MaxCount || m.bytes+reserved > m.options.MaxBytes:
		return nil, ErrFull
	case !m.hasShare(owner):
		return nil, ErrOwnerFull
	}
	o := &record{name: name, owner: owner, state: Claimed, forgetAt: now.Add(m.options.Life), ended: make(chan struct{})}
	o.place = m.order.PushBack(o)
	m.named[name], m.owners[ownerName] = o, owner
	owner.count++
	m.weigh(o, reserved)
	return o, nil
}

// hasShare tells whether an owner may have another outcome, whatever room there
// is; the first one always.
func (m *Memory) hasShare(owner *ownerUsage) bool {
	share := func(of int64) int64 { return int64(m.options.Share * float64(of)) }
	return owner.count == 0 ||
		int64(owner.count) < share(int64(m.options.MaxCount)) && owner.bytes+reserved <= share(m.options.MaxBytes)
}

// weigh notes what an outcome takes from now on.
func (m *Memory) weigh(o *record, weight int64) {
	m.bytes += weight - o.weight
	o.owner.bytes += weight - o.weight
	o.weight = weight
}

// end notes what came of an operation that is begun.
func (m *Memory) end(o *record, state State, body []byte, now time.Time) {
	m.weigh(o, overhead+int64(cap(body)))
	o.state, o.body, o.forgetAt = state, body, now.Add(m.options.Life)
	m.order.MoveToBack(o.place)
	close(o.ended)
}

// forget removes those whose life is over. One that is still begun by then was
// never ended, and nobody asked for it.
func (m *Memory) forget(now time.Time) {
	for front := m.order.Front(); front != nil; front = m.order.Front() {
		o, ok := front.Value.(*record)
		if !ok || now.Before(o.forgetAt) {
			return
		}
		m.remove(o)
	}
}

func (m *Memory) remove(o *record) {
	m.order.Remove(o.place)
	delete(m.named, o.name)
	m.weigh(o, 0)
	if o.owner.count--; o.owner.count == 0 {
		delete(m.owners, o.owner.name)
	}
}

// memoryClaim is the claim to an outcome that is begun.
type memoryClaim struct {
	outcomes *Memory
	outcome  *record
}

// Finish implements [Claim].
func (c *memoryClaim) Finish(_ context.Context, body []byte) error {
	if len(body) > MaxBodyBytes {
		return cache.ErrTooLarge
	}
	kept := make([]byte, len(body))
	copy(kept, body)
	m := c.outcomes
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.stands() {
		return ErrClaimOver
	}
	m.end(c.outcome, Completed, kept, m.options.Now())
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
	return c.outcome.state == Claimed && c.outcomes.named[c.outcome.name] == c.outcome
}
