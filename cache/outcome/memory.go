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

// MinMemory is the smallest value of [MemoryOptions].MaxBytes.
const MinMemory = 1 << 20

// MemoryOptions configure a [Memory].
type MemoryOptions struct {
	// MaxBytes bounds the memory of all outcomes, with an estimate of their
	// bookkeeping, and with room for the longest outcome of each claimed operation.
	// It must be at least MinMemory.
	MaxBytes int64
	// MaxCount bounds the number of outcomes. 100,000 if not positive.
	MaxCount int
	// Share is the part of both bounds that one owner may use; an owner may always
	// have one outcome. A quarter if it is not above 0 and at most 1.
	Share float64
	// Life is how long an outcome is stored. DefaultLife if not positive.
	Life time.Duration
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Memory is the [Store] of one process, and its outcomes are gone with the process.
// It starts no goroutine and needs no closing.
type Memory struct {
	options MemoryOptions

	mu     sync.Mutex
	named  map[cache.Digest]*record
	owners map[cache.Digest]*ownerUsage // of all outcomes, by a digest of the owner
	// order is the records by the time of their last change. All have the same
	// life from then on, so that the first ones expire first.
	order list.List
	bytes int64
}

// record is the state of one key. The lock of its Memory guards it.
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
	ended       chan struct{} // closed when it is no longer claimed
}

// ownerUsage is the room that the outcomes of one owner use.
type ownerUsage struct {
	name  cache.Digest
	count int
	bytes int64
}

// overhead is an estimate of the memory of an outcome beside its body: the record,
// its places in map and list, and an owner.
const overhead = int64(unsafe.Sizeof(record{})) + 160 + int64(unsafe.Sizeof(ownerUsage{})) + 80

// reserved is the room that a claimed operation uses until its outcome is stored.
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

// running is a claimed operation of another caller.
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

// claim adds a claimed record, if there is room for its outcome. The caller holds
// the lock, as for all methods below.
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

// hasShare reports whether another outcome fits into an owner's share. The first
// one always does.
func (m *Memory) hasShare(owner *ownerUsage) bool {
	share := func(of int64) int64 { return int64(m.options.Share * float64(of)) }
	return owner.count == 0 ||
		int64(owner.count) < share(int64(m.options.MaxCount)) && owner.bytes+reserved <= share(m.options.MaxBytes)
}

// weigh sets the room that an outcome uses.
func (m *Memory) weigh(o *record, weight int64) {
	m.bytes += weight - o.weight
	o.owner.bytes += weight - o.weight
	o.weight = weight
}

// end sets the outcome of a claimed operation.
func (m *Memory) end(o *record, state State, body []byte, now time.Time) {
	m.weigh(o, overhead+int64(cap(body)))
	o.state, o.body, o.forgetAt = state, body, now.Add(m.options.Life)
	m.order.MoveToBack(o.place)
	close(o.ended)
}

// forget removes expired records. A record that is still claimed by then was never
// ended, and no other caller asked for it.
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

// memoryClaim is the claim of a record.
type memoryClaim struct {
	outcomes *Memory
	outcome  *record
}

// Finish implements [Claim].
func (c *memoryClaim) Finish(_ context.Context, body []byte) error {
	if len(body) > MaxBodyBytes {
		return cache.ErrTooLarge
	}
	stored := make([]byte, len(body))
	copy(stored, body)
	m := c.outcomes
	m.mu.Lock()
	defer m.mu.Unlock()
	if !c.stands() {
		return ErrClaimOver
	}
	m.end(c.outcome, Completed, stored, m.options.Now())
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
