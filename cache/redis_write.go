package cache

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// The operations of scriptMove.
const (
	moveOpen  = "open"
	moveClose = "close"
	movePurge = "purge"
)

// repairBatch is the number of slots in one call of payDebts.
const repairBatch = 512

// Open implements [Store].
func (r *Redis) Open(ctx context.Context, tags Tags) (func(context.Context) error, error) {
	if len(tags.slots) == 0 {
		return func(context.Context) error { return nil }, nil
	}
	o, err := r.org(tags.org)
	if err != nil {
		return func(context.Context) error { return nil }, err
	}
	now := r.options.Now()
	w := &redisWrite{token: r.newToken(), slots: tags.slots, until: now.Add(r.options.Lease), renewed: now}
	w.mu.Lock()
	defer w.mu.Unlock()
	o.begin(w, now)
	if err = r.open(ctx, o, w); err != nil {
		r.wakeRepair()
	}
	return func(ctx context.Context) error { return r.closeWrite(ctx, o, w) }, err
}

// open opens a write in Redis. The caller holds the lock of the write.
func (r *Redis) open(ctx context.Context, o *redisOrg, w *redisWrite) error {
	// Owed first: without a reply, the slots may not have been moved.
	debt := o.owe(w.slots)
	now := r.options.Now()
	if err := r.move(ctx, o, moveOpen, w.token, min(r.writeLease(), w.until.Sub(now)), w.slots); err != nil {
		o.fail(w.slots, debt)
		return err
	}
	o.settle(w.slots, debt)
	o.opened(w, now)
	return nil
}

// closeWrite ends a write. It ignores the end of ctx: the write has happened, also
// when its caller has left.
func (r *Redis) closeWrite(ctx context.Context, o *redisOrg, w *redisWrite) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	debt := o.owe(w.slots)
	defer o.end(w)
	if err := r.move(context.WithoutCancel(ctx), o, moveClose, w.token, 0, w.slots); err != nil {
		o.fail(w.slots, debt)
		r.wakeRepair()
		return err
	}
	o.settle(w.slots, debt)
	return nil
}

// Purge implements [Store].
func (r *Redis) Purge(ctx context.Context, tags Tags) error {
	if len(tags.slots) == 0 {
		return nil
	}
	o, err := r.org(tags.org)
	if err != nil {
		return err
	}
	debt := o.owe(tags.slots)
	if err := r.move(ctx, o, movePurge, "", 0, tags.slots); err != nil {
		o.fail(tags.slots, debt)
		r.wakeRepair()
		return err
	}
	o.settle(tags.slots, debt)
	return nil
}

// move runs scriptMove. A lease is for a write that opens.
func (r *Redis) move(ctx context.Context, o *redisOrg, op, token string, lease time.Duration, slots []Slot) error {
	if err := r.join(ctx, o); err != nil {
		return err
	}
	era := o.era.Load()
	seen := era.seenAt(slots)
	args := make([]any, 0, 7+2*len(slots))
	args = append(args, op, r.newEpoch(era), epochName(era.epoch), token, max(1, lease.Milliseconds()), o.channel, r.sender)
	for i, slot := range slots {
		args = append(args, int(slot), strconv.FormatUint(seen[i], 10))
	}
	var reply []string
	err := r.call(ctx, func(ctx context.Context) error {
		var err error
		reply, err = r.scripts.move.Run(ctx, r.client, []string{o.slotsKey}, args...).StringSlice()
		return err
	})
	if err != nil {
		r.count(Failed)
		return err
	}
	r.count(Invalidation)
	if len(reply) != 1+len(slots) {
		return nil // The hash was dropped, which invalidates all entries.
	}
	epoch, err := strconv.ParseUint(reply[0], 16, 64)
	if err != nil {
		return fmt.Errorf("%w: epoch %.32q", ErrUnavailable, reply[0])
	}
	generations := make([]uint64, len(slots))
	for i, text := range reply[1:] {
		if generations[i], err = strconv.ParseUint(text, 10, 64); err != nil {
			return fmt.Errorf("%w: generation %.32q", ErrUnavailable, text)
		}
	}
	o.saw(epoch, slots, generations)
	return nil
}

// writeLease is the lease of a write in Redis. It is renewed while the write is open
// and its process lives. A process that dies leaves at least as much as the grace of
// a write whose outcome is unknown.
func (r *Redis) writeLease() time.Duration {
	return min(r.options.Lease, UnknownOutcomeGrace+r.options.MemberLease)
}

// recall opens, in a new epoch, the writes of this replica that are open, and what other
// replicas may have left open in the epoch before:
// a Redis that has lost its data has lost their writes too, and a replica that has ended
// does not open its own again. No write of theirs is open for longer than its lease after
// the last message about it.
func (r *Redis) recall(o *redisOrg) {
	now := r.options.Now()
	o.unopen()
	r.wakeRepair()
	slots, last := o.heardSince(now.Add(-r.writeLease()))
	if len(slots) == 0 {
		return
	}
	o.begin(&redisWrite{token: r.newToken(), slots: slots, until: last.Add(r.writeLease()), renewed: now}, now)
}

func (r *Redis) newToken() string {
	return r.sender + "_" + strconv.FormatUint(r.tokens.Add(1), 36)
}

func (r *Redis) wakeRepair() {
	select {
	case r.repair <- struct{}{}:
	default: // A signal is pending.
	}
}

// repairAll repeats all of them, and reports whether that succeeded.
func (r *Redis) repairAll(ctx context.Context) bool {
	for _, o := range r.listOrgs() {
		if r.endSuspected(ctx, o) != nil || r.reopen(ctx, o) != nil || r.payDebts(ctx, o) != nil {
			return false
		}
	}
	return true
}

// reopen opens the writes in Redis that are open here and not there, and renews the
// leases of those that have been open for long.
func (r *Redis) reopen(ctx context.Context, o *redisOrg) error {
	for _, w := range o.listUnopened(r.options.Now(), r.options.MemberLease) {
		if err := r.reopenOne(ctx, o, w); err != nil {
			return err
		}
	}
	return nil
}

func (r *Redis) reopenOne(ctx context.Context, o *redisOrg, w *redisWrite) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	return r.open(ctx, o, w)
}

func (r *Redis) payDebts(ctx context.Context, o *redisOrg) error {
	slots, debt := o.debts()
	slices.Sort(slots)
	for batch := range slices.Chunk(slots, repairBatch) {
		if err := r.move(ctx, o, movePurge, "", 0, batch); err != nil {
			return err
		}
		o.settle(batch, debt)
	}
	return nil
}
