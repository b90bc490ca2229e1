package cache

import "math/rand/v2"

// epochBegin is the time from which epochs count, and epochBits the number of random
// bits behind their milliseconds.
const (
	epochBegin = 1_700_000_000_000
	epochBits  = 12
)

// newEpoch draws an epoch that is later than all that this replica has seen. The
// time is not needed for that. It makes it likely that the epoch is also later than
// what only others have seen; those who saw a later one end it again.
func (r *Redis) newEpoch(seen *redisEra) string {
	drawn := uint64(max(0, r.options.Now().UnixMilli()-epochBegin))<<epochBits | rand.Uint64N(1<<epochBits) //nolint:gosec // It has to differ, and is no secret.
	return epochName(max(drawn, seen.epoch+1))
}

// accept notes what Redis replied, and reports whether it is as recent as what this
// replica knew when it asked. If not, Redis has lost invalidations, and maybe others
// that nobody here knows of: the epoch has to end.
func (r *Redis) accept(o *redisOrg, era *redisEra, current Snapshot, seen []uint64) bool {
	if era.wentBack(current, seen) {
		o.suspect(current.epoch)
		r.wakeRepair()
		return false
	}
	o.saw(current.epoch, current.tags.slots, current.generations)
	return true
}

// suspect notes that the generations of an epoch in Redis went back. Nothing is
// loaded or saved until another one has begun.
func (o *redisOrg) suspect(epoch uint64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.suspected = epoch
	o.count()
}

// suspects returns the suspected epoch; 0 is none.
func (o *redisOrg) suspects() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.suspected
}

// began notes the epoch of Redis, after it was told of a suspected one.
func (o *redisOrg) began(epoch, told uint64) {
	o.saw(epoch, nil, nil)
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.suspected == told {
		o.suspected = 0
	}
	o.count()
}

// memberLease is in milliseconds, as scriptKeep takes it.
func (r *Redis) memberLease() int64 { return max(1, r.options.MemberLease.Milliseconds()) }
