package outcome

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/cache"
	"github.com/admin-gateway/admin-gateway/internal/redisclient"
)

// RedisOptions are the settings of a [Redis]. The zero value is good.
type RedisOptions struct {
	// Prefix begins the name of every key. [redisclient.DefaultPrefix] if empty.
	Prefix string
	// Life is how long an outcome is stored. [DefaultLife] if not positive.
	Life time.Duration
	// CallTimeout and BreakerPause are those of [redisclient.GuardOptions].
	CallTimeout  time.Duration
	BreakerPause time.Duration
	// Metrics may be nil.
	Metrics cache.Metrics
}

// Redis is the [Store] that replicas share. Its guarantees end where Redis loses
// data: an outcome that Redis evicts, or loses in a failover or a restart, is
// forgotten. Redis bounds the room, and owners have no shares of it.
//
// While another caller has the claim, Begin polls: after 10 ms at first, and every
// 250 ms at last.
type Redis struct {
	client  redis.UniversalClient
	guard   *redisclient.Guard
	prefix  string
	life    time.Duration
	metrics cache.Metrics
	scripts scripts
}

// NewRedis returns a store on client, which should be made by [redisclient.New]
// and stays the caller's to close. It connects when it is used, starts no
// goroutine and needs no closing.
func NewRedis(client redis.UniversalClient, o RedisOptions) *Redis {
	if o.Life <= 0 {
		o.Life = DefaultLife
	}
	return &Redis{
		client:  client,
		guard:   redisclient.NewGuard(redisclient.GuardOptions{CallTimeout: o.CallTimeout, BreakerPause: o.BreakerPause}),
		prefix:  cmp.Or(o.Prefix, redisclient.DefaultPrefix),
		life:    o.Life,
		metrics: cache.OrDiscard(o.Metrics),
		scripts: newScripts(),
	}
}

var _ Store = (*Redis)(nil)

// Begin implements [Store].
func (s *Redis) Begin(ctx context.Context, key Key, fingerprint Fingerprint, lease time.Duration) (Result, error) {
	if err := validateBegin(ctx, key, lease, s.life); err != nil {
		return Result{}, err
	}
	claim := &redisClaim{store: s, name: s.name(key), fingerprint: fingerprint, token: rand.Text()}
	for wait := firstPoll; ; wait = min(2*wait, lastPoll) {
		outcome, err := claim.begin(ctx, max(lease.Milliseconds(), 1))
		if err != nil || outcome.State != 0 {
			return outcome, err
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return Result{}, ctx.Err()
		}
	}
}

// name is the name of an outcome in Redis.
func (s *Redis) name(key Key) string {
	digest := key.Digest()
	return redisclient.KeyPrefix(s.prefix, key.Org) + "o:" + hex.EncodeToString(digest[:])
}

// call makes a call to Redis. Its error wraps cache.ErrUnavailable.
func (s *Redis) call(ctx context.Context, f func(context.Context) error) error {
	if err := s.guard.Call(ctx, f); err != nil {
		return fmt.Errorf("%w: %w", cache.ErrUnavailable, err)
	}
	return nil
}

func (s *Redis) count(e cache.Event) { s.metrics.Count(cache.StoreRedis, e) }

// The first and the longest wait of Begin between two polls. Finish waits a
// multiple of the first before it tries again.
const (
	firstPoll = 10 * time.Millisecond
	lastPoll  = 250 * time.Millisecond
)

// redisClaim is a claim, or an attempt to get one.
type redisClaim struct {
	store       *Redis
	name        string
	fingerprint Fingerprint
	token       string
	over        atomic.Bool
}

// begin asks once. The state is zero while another caller has the claim.
func (c *redisClaim) begin(ctx context.Context, lease int64) (Result, error) {
	r := c.store
	var reply []string
	err := r.call(ctx, func(ctx context.Context) (err error) {
		reply, err = r.scripts.begin.Run(ctx, r.client, []string{c.name},
			version, c.fingerprint[:], c.token, lease, r.life.Milliseconds()).StringSlice()
		return err
	})
	if err != nil {
		r.count(cache.Failed)
		if !errors.Is(err, redisclient.ErrOpen) {
			// The claim may have been made although the reply was lost. If giving
			// it back fails too, the operation is lost when the lease is over.
			_ = c.giveBack(ctx)
		}
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		return Result{}, err
	}
	if len(reply) == 0 {
		return Result{}, fmt.Errorf("%w: empty reply", cache.ErrUnavailable)
	}
	switch reply[0] {
	case "B":
		return Result{State: Claimed, Claim: c}, nil
	case "R":
		return Result{}, nil
	case "D":
		if len(reply) == 2 {
			return Result{State: Completed, Body: []byte(reply[1])}, nil
		}
	case "O":
		return Result{State: Mismatch}, nil
	case "L":
		return Result{State: Lost}, nil
	}
	r.count(cache.Malformed)
	return Result{State: Lost}, nil
}

// finishTries is the number of attempts to store an outcome. No other call to Redis
// is retried, but an outcome that is not stored now is lost.
const finishTries = 3

// Finish implements [Claim].
func (c *redisClaim) Finish(ctx context.Context, body []byte) error {
	if len(body) > MaxBodyBytes {
		return cache.ErrTooLarge
	}
	if !c.over.CompareAndSwap(false, true) {
		return ErrClaimOver
	}
	r := c.store
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		var stored int
		err := r.call(ctx, func(ctx context.Context) (err error) {
			stored, err = r.scripts.finish.Run(ctx, r.client, []string{c.name},
				version, c.fingerprint[:], c.token, body, r.life.Milliseconds()).Int()
			return err
		})
		switch {
		case err == nil && stored == 0:
			return ErrClaimOver
		case err == nil:
			return nil
		}
		r.count(cache.Failed)
		if try == finishTries {
			return err
		}
		<-time.After(time.Duration(try) * firstPoll)
	}
}

// Abandon implements [Claim].
func (c *redisClaim) Abandon(ctx context.Context) error {
	if !c.over.CompareAndSwap(false, true) {
		return nil
	}
	return c.giveBack(ctx)
}

func (c *redisClaim) giveBack(ctx context.Context) error {
	r := c.store
	err := r.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return r.scripts.abandon.Run(ctx, r.client, []string{c.name}, c.token).Err()
	})
	if err != nil {
		r.count(cache.Failed)
	}
	return err
}
