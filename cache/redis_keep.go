package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// Join connects to Redis and makes this replica a member of an organization. Before
// it does, no answer is taken from Redis. It need not be called: the first use of an
// organization joins it. Its error is that of Redis at this moment, and wraps
// ErrUnavailable.
func (r *Redis) Join(ctx context.Context, organization string) error {
	o, err := r.org(organization)
	if err == nil {
		err = r.keep(ctx, o)
	}
	if r.health.report(err, 1) {
		r.options.Changed(err)
	}
	return err
}

// Available reports whether Redis answers, as of the last heartbeat. False is a reason
// to report the gateway as degraded, not as failed.
func (r *Redis) Available() bool { return !r.health.isLost() }

// ready returns the state of an organization that this replica has joined.
func (r *Redis) ready(ctx context.Context, name string) (*redisOrg, error) {
	o, err := r.org(name)
	if err != nil {
		return nil, err
	}
	return o, r.join(ctx, o)
}

// join makes this replica a member, unless it is one. Nothing is taken from Redis
// between the end of its lease and the next: a write of another replica may not have
// reached Redis while all were cut off from it.
func (r *Redis) join(ctx context.Context, o *redisOrg) error {
	if until := o.member.Load(); until != nil && r.options.Now().Before(*until) {
		return nil
	}
	return r.keep(ctx, o)
}

// keep renews the membership, and ends an epoch that has to end.
func (r *Redis) keep(ctx context.Context, o *redisOrg) error {
	return r.call(ctx, func(ctx context.Context) error {
		return r.runKeep(ctx, o, r.scripts.keep, r.client, r.memberLease())
	})
}

// connected is called with each new connection, before it is used. It may lead to a
// Redis that was restarted, or that took over after a failover, with older data: then
// the epoch ends before anything is read through it.
func (r *Redis) connected(ctx context.Context, conn *redis.Conn) error {
	for _, o := range r.listOrgs() {
		err := r.runKeep(ctx, o, r.scripts.keep, conn, r.memberLease())
		if err != nil && !redisclient.NotHere(err) {
			return err
		}
	}
	return nil
}

func (r *Redis) runKeep(ctx context.Context, o *redisOrg, script *redis.Script, on redis.Scripter, lease int64) error {
	era, suspected, asked := o.era.Load(), o.suspects(), r.options.Now()
	suspect := ""
	if suspected != 0 {
		suspect = epochName(suspected)
	}
	reply, err := script.Run(ctx, on, []string{o.slotsKey}, r.sender, lease, r.newEpoch(era), epochName(era.epoch), suspect, o.channel).StringSlice()
	if err != nil {
		return err
	}
	if len(reply) != 1 {
		return nil // The hash was dropped, which invalidates all entries.
	}
	epoch, err := strconv.ParseUint(reply[0], 16, 64)
	if err != nil {
		return fmt.Errorf("%w: epoch %.32q", ErrUnavailable, reply[0])
	}
	o.began(epoch, suspected)
	o.member.Store(nil)
	if lease > 0 {
		until := asked.Add(time.Duration(lease) * time.Millisecond)
		o.member.Store(&until)
	}
	return nil
}

// endSuspected ends an epoch whose generations went back.
func (r *Redis) endSuspected(ctx context.Context, o *redisOrg) error {
	if o.suspects() == 0 {
		return nil
	}
	return r.keep(ctx, o)
}

// keepLoop keeps the memberships until ctx ends, and repeats invalidations that did
// not reach Redis until they do.
func (r *Redis) keepLoop(ctx context.Context) {
	beat := time.NewTicker(r.options.Heartbeat)
	defer beat.Stop()
	again := time.NewTimer(r.options.RepairInterval)
	again.Stop()
	defer again.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			r.heartbeat(ctx)
		case <-r.repair:
		case <-again.C:
		}
		if !r.repairAll(ctx) {
			again.Reset(r.options.RepairInterval)
		}
	}
}

// heartbeat renews all memberships. Without an organization there is nothing in
// Redis yet that could be lost.
func (r *Redis) heartbeat(ctx context.Context) {
	orgs := r.listOrgs()
	if len(orgs) == 0 {
		return
	}
	var failed error
	for _, o := range orgs {
		failed = errors.Join(failed, r.keep(ctx, o))
	}
	enough := missedHeartbeats
	if !r.guard.Available() {
		enough = 1 // Other calls have failed too.
	}
	if r.health.report(failed, enough) && ctx.Err() == nil {
		r.options.Changed(failed)
	}
}

// Settle repeats invalidations that did not reach Redis until they do or ctx ends, and
// returns the number of those that did not. It is for the end of a process, when no
// write is under way.
func (r *Redis) Settle(ctx context.Context) (owed int) {
	again := time.NewTicker(r.options.RepairInterval)
	defer again.Stop()
	for {
		if owed = r.owing(); owed == 0 {
			return 0
		}
		r.wakeRepair()
		select {
		case <-again.C:
		case <-ctx.Done():
			return owed
		}
	}
}

// owing is the number of slots whose invalidation has not reached Redis.
func (r *Redis) owing() (owed int) {
	for _, o := range r.listOrgs() {
		slots, _ := o.debts()
		owed += len(slots)
		if o.suspects() != 0 {
			owed++
		}
	}
	return owed
}

// signOff ends the memberships where nothing is owed. Writes that are still open there
// stay open until their leases are over.
func (r *Redis) signOff() {
	for _, o := range r.listOrgs() {
		if slots, _ := o.debts(); len(slots) > 0 || o.suspects() != 0 || o.member.Load() == nil {
			continue
		}
		// A sign-off that fails costs the others their entries, and nothing else.
		_ = r.call(context.Background(), func(ctx context.Context) error {
			return r.runKeep(ctx, o, r.scripts.keep, r.client, 0)
		})
	}
}

// redisHealth is whether Redis answers.
type redisHealth struct {
	mu       sync.Mutex
	failures int
	lost     bool
}

// report notes the result of a heartbeat, and reports whether Redis is lost, after a
// number of failures in a row, or back.
func (h *redisHealth) report(err error, enough int) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was := h.lost
	if err == nil {
		h.failures, h.lost = 0, false
	} else if h.failures++; h.failures >= enough {
		h.lost = true
	}
	return h.lost != was
}

func (h *redisHealth) isLost() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.lost
}
