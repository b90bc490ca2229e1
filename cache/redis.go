package cache

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// RedisOptions are the settings of a [Redis]. Lease is required.
type RedisOptions struct {
	// Prefix begins the name of every key and channel. "gw" if empty.
	Prefix string
	// Org, if set, is the only organization that Listen subscribes to. Without it
	// Listen subscribes to all of them. Set it with a cluster: the subscription is
	// then at the node that publishes, and needs no bus between nodes.
	Org string
	// Lease is how long a write stays open that is never closed, while its process
	// lives. It must be longer than any write takes, and positive.
	Lease time.Duration
	// Changed, if set, is called when Redis is lost, with the error of the last
	// call, and with nil when it is back. It must not block.
	Changed func(err error)
	// Metrics may be nil.
	Metrics Metrics
	// Now is the clock for the age of entries and for the leases of writes of this
	// replica; time.Now if nil. In Redis, leases go by the clock of Redis.
	Now func() time.Time

	// CallTimeout and BreakerPause are those of [redisclient.GuardOptions].
	CallTimeout  time.Duration
	BreakerPause time.Duration
	// SlowCall is how long a call may take before it counts as a failure although
	// its reply is good: a miss makes several calls, and a caller waits for all of
	// them. A fifth of CallTimeout if not positive.
	SlowCall time.Duration
	// RepairInterval is the time between two attempts to repeat invalidations that
	// did not reach Redis. 250 ms if not positive.
	RepairInterval time.Duration
	// Heartbeat is the interval at which Redis is asked, and at which Listen checks
	// its connection. After three without a reply Listen reconnects, and Redis is
	// lost. 1 s if not positive.
	Heartbeat time.Duration
	// MemberLease is how long after its last heartbeat a replica counts as alive.
	// [DefaultMemberLease] if not positive.
	MemberLease time.Duration
}

// DefaultMemberLease is how long after its last heartbeat a replica counts as alive.
// Then the epoch ends, because it may have owed invalidations.
const DefaultMemberLease = 10 * time.Second

func (o RedisOptions) withDefaults() RedisOptions {
	or := func(d *time.Duration, standard time.Duration) {
		if *d <= 0 {
			*d = standard
		}
	}
	or(&o.RepairInterval, 250*time.Millisecond)
	or(&o.Heartbeat, time.Second)
	or(&o.MemberLease, DefaultMemberLease)
	if o.Prefix == "" {
		o.Prefix = redisclient.DefaultPrefix
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Changed == nil {
		o.Changed = func(error) {}
	}
	o.Metrics = OrDiscard(o.Metrics)
	return o
}

// Connect makes a client of Redis, mostly by [redisclient.New], which calls
// onConnect with each new connection.
type Connect func(onConnect func(ctx context.Context, conn *redis.Conn) error) (redis.UniversalClient, error)

// Redis is a [Store] that replicas share, the [Bus] between them and the
// [Leases] of their fetches.
//
// A call to Redis takes at most CallTimeout. After several failures, calls fail at
// once for a while. The store remembers invalidations that did not reach Redis:
// until they do, it loads nothing that depends on their slots.
type Redis struct {
	client  redis.UniversalClient
	options RedisOptions
	scripts redisScripts
	leases  redisLeaseScripts
	guard   *redisclient.Guard
	// sender names this replica, which ignores messages of the same name.
	sender string
	tokens atomic.Uint64

	mu   sync.Mutex
	orgs map[string]*redisOrg

	health redisHealth
	repair chan struct{} // holds one while there is an invalidation to repeat
	cancel context.CancelFunc
	ended  chan struct{}
}

var (
	_ Store  = (*Redis)(nil)
	_ Bus    = (*Redis)(nil)
	_ Leases = (*Redis)(nil)
)

// NewRedis returns a store on the client of connect. It connects at once and by
// itself, and reports nothing of that: see [Redis.Join]. Close it.
func NewRedis(connect Connect, options RedisOptions) (*Redis, error) {
	if options.Lease <= 0 {
		return nil, errNoLease
	}
	options = options.withDefaults()
	ctx, cancel := context.WithCancel(context.Background())
	r := &Redis{
		options: options,
		scripts: newRedisScripts(),
		leases:  newRedisLeaseScripts(),
		guard: redisclient.NewGuard(redisclient.GuardOptions{
			CallTimeout:  options.CallTimeout,
			SlowCall:     max(options.SlowCall, 0),
			BreakerPause: options.BreakerPause,
		}),
		sender: rand.Text(),
		orgs:   make(map[string]*redisOrg),
		repair: make(chan struct{}, 1),
		cancel: cancel,
		ended:  make(chan struct{}),
	}
	var err error
	if r.client, err = connect(r.connected); err != nil {
		cancel()
		return nil, err
	}
	go func() {
		defer close(r.ended)
		r.keepLoop(ctx)
	}()
	return r, nil
}

// Close signs off, and closes the client. A replica that owes invalidations does not
// sign off: when its lease is over, the others end the epoch. See [Redis.Settle].
func (r *Redis) Close() {
	r.cancel()
	<-r.ended
	r.signOff()
	_ = r.client.Close()
}

// Load implements [Store]. It gets entry and generations in one round trip, of two
// commands: a script for both takes Redis twice as long.
func (r *Redis) Load(ctx context.Context, key Key, tags Tags) (Entry, bool, error) {
	if err := validateLoad(key, tags); err != nil {
		return Entry{}, false, err
	}
	o, err := r.ready(ctx, key.Org)
	if err != nil {
		return r.failed(err)
	}
	if blocked, _ := o.isBlocked(tags.slots, r.options.Now()); blocked {
		return r.miss()
	}
	era := o.era.Load()
	seen := era.seenAt(tags.slots)

	var data []byte
	var states []any
	err = r.call(ctx, func(ctx context.Context) error {
		pipe := r.client.Pipeline()
		get := pipe.Get(ctx, o.entryKey(key))
		current := pipe.HMGet(ctx, o.slotsKey, fieldNames(tags.slots)...)
		if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, redis.Nil) {
			return err
		}
		if states, err = current.Result(); err != nil {
			return err
		}
		if data, err = get.Bytes(); errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil {
		return r.failed(err)
	}
	current, closed := parseStates(states, tags)
	if closed && !r.accept(o, era, current, seen) {
		return r.miss()
	}
	if !closed || data == nil {
		return r.miss()
	}
	e, at, err := decodeEntry(data, key)
	if err != nil {
		r.countUnreadable(err)
		return r.miss()
	}
	now := r.options.Now()
	// Redis's reply may not include a write of this replica that began since.
	blocked, _ := o.isBlocked(tags.slots, now)
	if blocked || !at.sameGenerations(current) || e.remaining(now) <= 0 {
		return r.miss()
	}
	if e.Fresh(now) {
		r.count(Hit)
	} else {
		r.count(Stale)
	}
	return e, true, nil
}

// Snapshot implements [Store].
func (r *Redis) Snapshot(ctx context.Context, tags Tags) (Snapshot, error) {
	if err := tags.validate(); err != nil {
		return Snapshot{}, err
	}
	o, err := r.ready(ctx, tags.org)
	if err != nil {
		return Snapshot{}, err
	}
	if blocked, writing := o.isBlocked(tags.slots, r.options.Now()); writing {
		return Snapshot{}, ErrWriting
	} else if blocked {
		return Snapshot{}, fmt.Errorf("%w: an invalidation has not reached Redis", ErrUnavailable)
	}
	era := o.era.Load()
	seen := era.seenAt(tags.slots)
	taken := r.options.Now()

	args := make([]any, 0, 4+len(tags.slots))
	args = append(args, r.newEpoch(era), epochName(era.epoch), o.channel, r.sender)
	for _, slot := range tags.slots {
		args = append(args, int(slot))
	}
	var states []any
	err = r.call(ctx, func(ctx context.Context) error {
		states, err = r.scripts.snapshot.Run(ctx, r.client, []string{o.slotsKey}, args...).Slice()
		return err
	})
	if err != nil {
		r.count(Failed)
		return Snapshot{}, err
	}
	current, closed := parseStates(states, tags)
	if !closed {
		return Snapshot{}, ErrWriting
	}
	if !r.accept(o, era, current, seen) {
		return Snapshot{}, fmt.Errorf("%w: Redis lost invalidations", ErrUnavailable)
	}
	current.taken = taken
	return current, nil
}

// Save implements [Store]. Redis checks the snapshot and stores the entry in one
// step.
func (r *Redis) Save(ctx context.Context, key Key, e Entry, at Snapshot) error {
	if err := validateSave(key, e, at); err != nil {
		return err
	}
	now := r.options.Now()
	life := e.remaining(now).Milliseconds()
	if life <= 0 {
		return nil
	}
	o, err := r.ready(ctx, key.Org)
	if err != nil {
		return err
	}
	if blocked, _ := o.isBlocked(at.tags.slots, now); blocked {
		r.count(Refused)
		return ErrInvalidated
	}
	args := make([]any, 0, 4+2*len(at.generations))
	args = append(args, encodeEntry(key, e, at), life, encodedSnapshotEnd(at), epochName(at.epoch))
	for i, slot := range at.tags.slots {
		args = append(args, int(slot), strconv.FormatUint(at.generations[i], 10))
	}
	var stored int
	err = r.call(ctx, func(ctx context.Context) error {
		stored, err = r.scripts.save.Run(ctx, r.client, []string{o.slotsKey, o.entryKey(key)}, args...).Int()
		return err
	})
	switch {
	case err != nil:
		r.count(Failed)
		return err
	case stored == 0:
		r.count(Refused)
		return ErrInvalidated
	}
	r.count(Saved)
	return nil
}

// call makes a call to Redis. Its error wraps ErrUnavailable.
func (r *Redis) call(ctx context.Context, f func(context.Context) error) error {
	if err := r.guard.Call(ctx, f); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return nil
}

func (r *Redis) miss() (Entry, bool, error) {
	r.count(Miss)
	return Entry{}, false, nil
}

func (r *Redis) failed(err error) (Entry, bool, error) {
	r.count(Failed)
	return Entry{}, false, err
}

func (r *Redis) count(e Event) { r.options.Metrics.Count(StoreRedis, e) }

func (r *Redis) countUnreadable(err error) {
	switch {
	case errors.Is(err, errWrongKey):
		r.count(WrongKey)
	case errors.Is(err, errMalformed):
		r.count(Malformed)
	}
}

// org returns the state of an organization, which it adds if it is new.
func (r *Redis) org(name string) (*redisOrg, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	o, ok := r.orgs[name]
	if !ok {
		if len(r.orgs) >= maxRedisOrgs {
			return nil, fmt.Errorf("%w: more than %d organizations", ErrUnavailable, maxRedisOrgs)
		}
		o = newRedisOrg(r.options.Prefix, name)
		o.recall = r.recall
		r.orgs[name] = o
	}
	return o, nil
}

func (r *Redis) listOrgs() []*redisOrg {
	r.mu.Lock()
	defer r.mu.Unlock()
	orgs := make([]*redisOrg, 0, len(r.orgs))
	for _, o := range r.orgs {
		orgs = append(orgs, o)
	}
	return orgs
}

// parseStates reads epoch and generations. closed is false if one of the slots is
// open, or if there is no epoch: then no entry is valid.
func parseStates(states []any, tags Tags) (current Snapshot, closed bool) {
	if len(states) != 1+len(tags.slots) {
		return Snapshot{}, false
	}
	epoch, ok := states[0].(string)
	if !ok {
		return Snapshot{}, false
	}
	number, err := strconv.ParseUint(epoch, 16, 64)
	if err != nil || number == 0 {
		return Snapshot{}, false
	}
	current = Snapshot{tags: tags, epoch: number, generations: make([]uint64, len(tags.slots))}
	for i, state := range states[1:] {
		if state == nil {
			continue // Generation 0.
		}
		text, ok := state.(string)
		if !ok {
			return Snapshot{}, false
		}
		// An open slot has more than a number.
		if current.generations[i], err = strconv.ParseUint(text, 10, 64); err != nil {
			return Snapshot{}, false
		}
	}
	return current, true
}

func fieldNames(slots []Slot) []string {
	names := make([]string, 0, 1+len(slots))
	names = append(names, "e")
	for _, slot := range slots {
		names = append(names, slotName(slot))
	}
	return names
}

func epochName(epoch uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], epoch)
	return hex.EncodeToString(b[:])
}
