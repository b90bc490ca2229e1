package cache

import (
	"encoding/hex"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// maxRedisOrgs bounds the memory of a Redis. A gateway has one organization for each
// admin key that it has used.
const maxRedisOrgs = 64

// redisOrg is the state of an organization in Redis, as this replica knows it.
type redisOrg struct {
	slotsKey, channel, entryPrefix, leasePrefix string

	// member is until when this replica is a member for certain; nil before it has
	// joined, and after it has signed off. From then on the others may have ended the
	// epoch, or have died unseen.
	member atomic.Pointer[time.Time]
	era    atomic.Pointer[redisEra]
	// heard is when other replicas last moved a slot and left writes open in it, as their
	// messages tell, in Unix nanoseconds; 0 where none is open. recall is called when
	// another epoch has taken the place of a known one.
	heard  [Slots]atomic.Int64
	recall func(*redisOrg)

	// blocked is the number of owed slots, open writes and suspected epochs. While it is zero, which
	// is almost always, reads need no lock.
	blocked atomic.Int64

	mu sync.Mutex
	// owed are slots whose invalidation may not have reached Redis.
	owed map[Slot]redisDebt
	last uint64
	// suspected is an epoch of Redis whose generations went back; 0 is none.
	suspected uint64
	// writes are the open writes of this replica. The value is true once Redis knows
	// of the write.
	writes map[*redisWrite]bool
}

// redisEra is the highest epoch that was seen, and the highest generations in it. If
// Redis returns lower ones, a failover or a restart has lost invalidations.
type redisEra struct {
	epoch uint64
	seen  [Slots]atomic.Uint64
}

// redisWrite is a write of this replica that is open, or those of others that may be.
type redisWrite struct {
	token string
	slots []Slot
	until time.Time // the end of its lease here
	// renewed is when Redis was last told that it is open. [redisOrg.mu] guards it.
	renewed time.Time

	mu     sync.Mutex // held during a call to Redis
	closed bool
}

// redisDebt is a slot that has to be moved. It has a number, which tells it from a later
// one, and is due once the call that was to move it has failed: before that, somebody who
// paid it would drop what is stored after the call.
type redisDebt struct {
	number uint64
	due    bool
}

func newRedisOrg(prefix, org string) *redisOrg {
	base := redisclient.KeyPrefix(prefix, org)
	o := &redisOrg{
		slotsKey:    base + "g",
		channel:     base + "bus",
		entryPrefix: base + "e:",
		leasePrefix: base + "l:",
		owed:        make(map[Slot]redisDebt),
		writes:      make(map[*redisWrite]bool),
		recall:      func(*redisOrg) {},
	}
	o.era.Store(new(redisEra))
	return o
}

func (o *redisOrg) entryKey(key Key) string {
	d := key.Digest()
	return o.entryPrefix + hex.EncodeToString(d[:])
}

func (o *redisOrg) leaseKey(key Key) string {
	d := key.Digest()
	return o.leasePrefix + hex.EncodeToString(d[:])
}

// isBlocked reports whether one of slots is owed or has an open write of this
// replica: then Redis's reply may be out of date. writing reports an open write.
func (o *redisOrg) isBlocked(slots []Slot, now time.Time) (blocked, writing bool) {
	if o.blocked.Load() == 0 {
		return false, false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetDead(now)
	for w := range o.writes {
		if slices.ContainsFunc(slots, w.touches) {
			return true, true
		}
	}
	if o.suspected != 0 {
		return true, false
	}
	return slices.ContainsFunc(slots, func(slot Slot) bool { _, owed := o.owed[slot]; return owed }), false
}

// forgetDead forgets writes whose lease is over. The caller holds the lock.
func (o *redisOrg) forgetDead(now time.Time) {
	for w := range o.writes {
		if !now.Before(w.until) {
			delete(o.writes, w)
		}
	}
	o.count()
}

func (w *redisWrite) touches(slot Slot) bool {
	_, found := slices.BinarySearch(w.slots, slot)
	return found
}

// owe notes that slots must be moved, and returns the number of the debt.
func (o *redisOrg) owe(slots []Slot) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last++
	for _, slot := range slots {
		o.owed[slot] = redisDebt{number: o.last, due: o.owed[slot].due}
	}
	o.count()
	return o.last
}

// fail notes that the call of debt number, or an earlier one, may not have moved slots.
func (o *redisOrg) fail(slots []Slot, number uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, slot := range slots {
		if debt, owed := o.owed[slot]; owed && debt.number <= number {
			o.owed[slot] = redisDebt{number: debt.number, due: true}
		}
	}
}

// settle notes that Redis moved slots after debt number was noted. Later debts
// remain.
func (o *redisOrg) settle(slots []Slot, number uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, slot := range slots {
		if o.owed[slot].number <= number {
			delete(o.owed, slot)
		}
	}
	o.count()
}

// debts returns the slots that are due, and the number of the latest debt.
func (o *redisOrg) debts() ([]Slot, uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	slots := make([]Slot, 0, len(o.owed))
	for slot, debt := range o.owed {
		if debt.due {
			slots = append(slots, slot)
		}
	}
	return slots, o.last
}

// begin notes a write that Redis does not know of yet.
func (o *redisOrg) begin(w *redisWrite, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetDead(now)
	o.writes[w] = false
	o.count()
}

// opened notes that Redis knows of a write.
func (o *redisOrg) opened(w *redisWrite, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w.renewed = now
	if _, ok := o.writes[w]; ok {
		o.writes[w] = true
	}
}

// unopen notes that Redis may not know of the open writes any more.
func (o *redisOrg) unopen() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for w := range o.writes {
		o.writes[w] = false
	}
}

// end notes that a write is over.
func (o *redisOrg) end(w *redisWrite) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.writes, w)
	o.count()
}

// listUnopened returns the open writes that Redis does not know of, or has not heard
// of for so long.
func (o *redisOrg) listUnopened(now time.Time, long time.Duration) []*redisWrite {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forgetDead(now)
	var unopened []*redisWrite
	for w, opened := range o.writes {
		if !opened || now.Sub(w.renewed) >= long {
			unopened = append(unopened, w)
		}
	}
	return unopened
}

// count updates blocked. The caller holds the lock.
func (o *redisOrg) count() {
	blocked := int64(len(o.owed) + len(o.writes))
	if o.suspected != 0 {
		blocked++
	}
	o.blocked.Store(blocked)
}

// saw notes generations of Redis. They count for later calls only: a reply that is
// under way may have lower ones.
func (o *redisOrg) saw(epoch uint64, slots []Slot, generations []uint64) {
	era := o.era.Load()
	for era.epoch < epoch {
		if next := (&redisEra{epoch: epoch}); o.era.CompareAndSwap(era, next) {
			if era.epoch != 0 {
				o.recall(o)
			}
			era = next
			break
		}
		era = o.era.Load()
	}
	if era.epoch > epoch {
		return // A late reply.
	}
	for i, slot := range slots {
		for {
			seen := era.seen[slot].Load()
			if seen >= generations[i] || era.seen[slot].CompareAndSwap(seen, generations[i]) {
				break
			}
		}
	}
}

// hears notes that another replica moved slots, and which of them have open writes.
func (o *redisOrg) hears(slots []Slot, open []bool, now time.Time) {
	for i, slot := range slots {
		at := int64(0)
		if open[i] {
			at = now.UnixNano()
		}
		o.heard[slot].Store(at)
	}
}

// heardSince returns the slots that other replicas left open after a time, and when the
// last one was.
func (o *redisOrg) heardSince(after time.Time) (slots []Slot, last time.Time) {
	for i := range o.heard {
		at := time.Unix(0, o.heard[i].Load())
		if !at.After(after) {
			continue
		}
		slots = append(slots, Slot(i))
		if at.After(last) {
			last = at
		}
	}
	return slots, last
}

// seenAt returns the highest generations that were seen.
func (e *redisEra) seenAt(slots []Slot) []uint64 {
	generations := make([]uint64, len(slots))
	for i, slot := range slots {
		generations[i] = e.seen[slot].Load()
	}
	return generations
}

// wentBack reports whether current, which was requested after seen was taken from e,
// shows that Redis lost invalidations.
func (e *redisEra) wentBack(current Snapshot, seen []uint64) bool {
	if current.epoch != e.epoch {
		// The entries of e are invalid in a later epoch. An earlier one had ended.
		return current.epoch < e.epoch
	}
	for i, generation := range current.generations {
		if generation < seen[i] {
			return true
		}
	}
	return false
}

func slotName(slot Slot) string { return strconv.Itoa(int(slot)) }
