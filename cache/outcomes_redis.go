package cache

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// RedisOutcomes is the [Outcomes] that replicas share. It keeps what it promises
// as long as Redis does: a key that Redis evicts, or loses in a failover or a
// restart, is forgotten. The room is Redis', and no owner has a share of it.
//
// An operation is waited for by looking for it, 10 ms after the first look and
// 250 ms after the later ones.
type RedisOutcomes struct {
	redis   *Redis
	life    time.Duration
	scripts outcomeScripts
}

// NewRedisOutcomes returns an Outcomes that asks what r asks, with its bounds of
// time. life is how long an outcome is kept, [DefaultOutcomeLife] if not
// positive.
func NewRedisOutcomes(r *Redis, life time.Duration) *RedisOutcomes {
	if life <= 0 {
		life = DefaultOutcomeLife
	}
	return &RedisOutcomes{redis: r, life: life, scripts: newOutcomeScripts()}
}

var _ Outcomes = (*RedisOutcomes)(nil)

// Begin implements [Outcomes].
func (s *RedisOutcomes) Begin(ctx context.Context, key OutcomeKey, fingerprint Fingerprint, lease time.Duration) (Outcome, error) {
	if err := validateBegin(ctx, key, lease, s.life); err != nil {
		return Outcome{}, err
	}
	o, err := s.redis.org(key.Org)
	if err != nil {
		return Outcome{}, err
	}
	claim := &redisClaim{outcomes: s, name: o.outcomeKey(key.Key), fingerprint: fingerprint, token: rand.Text()}
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
			return Outcome{}, ctx.Err()
		}
	}
}

// redisClaim is a claim, or what may become one.
type redisClaim struct {
	outcomes    *RedisOutcomes
	name        string
	fingerprint Fingerprint
	token       string
	over        atomic.Bool
}

// begin asks once; no state is an operation of another's that is under way.
func (c *redisClaim) begin(ctx context.Context, lease int64) (Outcome, error) {
	r := c.outcomes.redis
	var reply []string
	err := r.call(ctx, func(ctx context.Context) (err error) {
		reply, err = c.outcomes.scripts.begin.Run(ctx, r.client, []string{c.name},
			outcomeVersion, c.fingerprint[:], c.token, lease, c.outcomes.life.Milliseconds()).StringSlice()
		return err
	})
	if err != nil {
		r.count(Failed)
		if !errors.Is(err, gobreaker.ErrOpenState) && !errors.Is(err, gobreaker.ErrTooManyRequests) {
			// The claim may have been made and its answer lost. If it cannot be
			// given back either, it ends as lost.
			_ = c.giveBack(ctx)
		}
		if ctx.Err() != nil {
			return Outcome{}, ctx.Err()
		}
		return Outcome{}, err
	}
	if len(reply) == 0 {
		return Outcome{}, fmt.Errorf("%w: it says nothing of an outcome", ErrUnavailable)
	}
	switch reply[0] {
	case "B":
		return Outcome{State: OutcomeBegun, Claim: c}, nil
	case "R":
		return Outcome{}, nil
	case "D":
		if len(reply) == 2 {
			return Outcome{State: OutcomeKept, Body: []byte(reply[1])}, nil
		}
	case "O":
		return Outcome{State: OutcomeOther}, nil
	case "L":
		return Outcome{State: OutcomeLost}, nil
	}
	r.count(Malformed)
	return Outcome{State: OutcomeLost}, nil
}

// finishTries is how often an outcome is tried to be kept. Nothing else of Redis
// is tried twice; but this one is a promise that can be kept at no other time.
const finishTries = 3

// Finish implements [Claim].
func (c *redisClaim) Finish(ctx context.Context, body []byte) error {
	if len(body) > MaxOutcomeBytes {
		return ErrTooLarge
	}
	if !c.over.CompareAndSwap(false, true) {
		return ErrClaimOver
	}
	r := c.outcomes.redis
	ctx = context.WithoutCancel(ctx)
	for try := 1; ; try++ {
		var kept int
		err := r.call(ctx, func(ctx context.Context) (err error) {
			kept, err = c.outcomes.scripts.finish.Run(ctx, r.client, []string{c.name},
				outcomeVersion, c.fingerprint[:], c.token, body, c.outcomes.life.Milliseconds()).Int()
			return err
		})
		switch {
		case err == nil && kept == 0:
			return ErrClaimOver
		case err == nil:
			return nil
		}
		r.count(Failed)
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
	r := c.outcomes.redis
	err := r.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return c.outcomes.scripts.abandon.Run(ctx, r.client, []string{c.name}, c.token).Err()
	})
	if err != nil {
		r.count(Failed)
	}
	return err
}
