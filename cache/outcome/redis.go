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
	// Life is how long an outcome is kept. [DefaultLife] if not positive.
	Life time.Duration
	// CallTimeout bounds one call to Redis. [redisclient.DefaultCallTimeout] if
	// not positive.
	CallTimeout time.Duration
	// BreakerPause is how long nothing is asked after Redis failed five times in
	// a row; then one call is let through to see. 1 s if not positive.
	BreakerPause time.Duration
	// Metrics, if set, counts.
	Metrics cache.Metrics
}

// Redis is the [Store] that replicas share. It keeps what it promises
// as long as Redis does: a key that Redis evicts, or loses in a failover or a
// restart, is forgotten. The room is Redis', and no owner has a share of it.
//
// An operation is waited for by looking for it, 10 ms after the first look and
// 250 ms after the later ones.
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
	for look := firstLook; ; look = min(2*look, lastLook) {
		outcome, err := claim.begin(ctx, max(lease.Milliseconds(), 1))
		if err != nil || outcome.State != 0 {
			return outcome, err
		}
		timer := time.NewTimer(look)
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

// How long Begin waits before it asks again for the outcome of another caller's
// operation, and Finish before it tries again.
const (
	firstLook = 10 * time.Millisecond
	lastLook  = 250 * time.Millisecond
)

// redisClaim is a claim, or what may become one.
type redisClaim struct {
	store       *Redis
	name        string
	fingerprint Fingerprint
	token       string
	over        atomic.Bool
}

// begin asks once; no state is an operation of another's that is under way.
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
			// The claim may have been made and its answer lost. If it cannot be
			// given back either, it ends as lost.
			_ = c.giveBack(ctx)
		}
		if ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
		return Result{}, err
	}
	if len(reply) == 0 {
		return Result{}, fmt.Errorf("%w: it says nothing of an outcome", cache.ErrUnavailable)
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

// finishTries is how often an outcome is tried to be kept. Nothing else of Redis
// is tried twice; but this one is a promise that can be kept at no other time.
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
		var kept int
		err := r.call(ctx, func(ctx context.Context) (err error) {
			kept, err = r.scripts.finish.Run(ctx, r.client, []string{c.name},
				version, c.fingerprint[:], c.token, body, r.life.Milliseconds()).Int()
			return err
		})
		switch {
		case err == nil && kept == 0:
			return ErrClaimOver
		case err == nil:
			return nil
		}
		r.count(cache.Failed)
		if try == finishTries {
			return err
		}
		<-time.After(time.Duration(try) * firstLook)
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
