package diagnose

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/admin-gateway/admin-gateway/internal/redisclient"
	"github.com/admin-gateway/admin-gateway/lease"
	"github.com/admin-gateway/admin-gateway/lease/redisledger"
)

const (
	redisKey = "cache.redis_url"
	// slowRedis is how long an answer of Redis may take: a miss waits for some of them.
	slowRedis = 8 * time.Millisecond
	// pings are how often Redis is asked; the quickest answer counts.
	pings = 5
	// wrongClock is how far two clocks may be apart.
	wrongClock = 2 * time.Second
)

// redis connects, does once what the cache does, and looks at what may be forgotten.
func (d *diagnosis) redis(ctx context.Context) {
	if d.Config.Cache.RedisURL == "" {
		d.ok(redisKey, "there is none: this is the only replica, and forgets keyed writes when it ends")
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	client, err := d.Redis(ctx)
	if err != nil {
		d.failure(redisKey, err.Error()+": there is no client of Redis")
		return
	}
	if !d.reach(ctx, client) {
		return
	}
	d.clock(ctx, client)
	shared, err := d.SharedCache(ctx)
	if err == nil {
		err = shared.Rehearse(ctx)
	}
	d.result(redisKey, err, "an answer was stored, read and made stale", "the user of Redis may not do what docs/caching.md lists, or Redis is full")
	d.durability(ctx, client)
	if d.Config.Leases.Organization != "" {
		d.ledger(ctx, client)
	}
}

// reach connects, and measures how long Redis takes.
func (d *diagnosis) reach(ctx context.Context, client redis.UniversalClient) bool {
	if err := client.Ping(ctx).Err(); err != nil {
		err = redisclient.WithoutReply(err)
		advice := "replicas cache and count each for itself, and there are no leases; is the address right, and may this machine connect?"
		if redisclient.RefusedLogin(err) {
			advice = "the gateway does not start; is it the right user, with the password of cache.redis_password?"
		}
		d.failure(redisKey, err.Error()+": "+advice)
		return false
	}
	took := time.Hour
	for range pings {
		began := d.now()
		if err := client.Ping(ctx).Err(); err != nil {
			d.failure(redisKey, redisclient.WithoutReply(err).Error()+": Redis answers now and then")
			return false
		}
		took = min(took, d.now().Sub(began))
	}
	if took > slowRedis {
		d.warn(redisKey, fmt.Sprintf("an answer took %s, and replies after more than %s count as failures: is Redis near, and the machine idle?", took.Round(time.Millisecond), slowRedis))
		return true
	}
	d.ok(redisKey, fmt.Sprintf("answers after %s", took.Round(time.Microsecond)))
	return true
}

// clock compares that of Redis, by which leases end there, with that of this machine.
func (d *diagnosis) clock(ctx context.Context, client redis.UniversalClient) {
	theirs, err := client.Time(ctx).Result()
	if err != nil {
		d.failure(redisKey, redisclient.WithoutReply(err).Error()+": Redis does not tell the time; may its user run TIME?")
		return
	}
	if apart := theirs.Sub(d.now()).Abs(); apart > wrongClock {
		d.warn(redisKey, fmt.Sprintf("its clock and that of this machine are %s apart: synchronise them", apart.Round(time.Second)))
	}
}

// durability tells what Redis may forget: leases, and writes with a key.
func (d *diagnosis) durability(ctx context.Context, client redis.UniversalClient) {
	findings, err := redisclient.Durability(ctx, client, nil)
	if err != nil {
		d.failure(redisKey, err.Error()+": Redis cannot be asked how it keeps data")
		return
	}
	levels := map[redisclient.Level]Level{redisclient.Good: OK, redisclient.Unknown: Warning, redisclient.Risky: Warning}
	for _, f := range findings {
		d.report(Finding{redisKey, levels[f.Level], f.Text})
	}
}

// ledger looks at the form of the ledger.
func (d *diagnosis) ledger(ctx context.Context, client redis.UniversalClient) {
	const key = "leases.organization"
	found, err := redisledger.Peek(ctx, client, redisledger.Options{Organization: d.Config.Leases.Organization})
	switch {
	case errors.Is(err, lease.ErrSchema):
		d.failure(key, err.Error()+": docs/ledger.md says which builds go together")
	case err != nil:
		d.failure(key, err.Error()+": the ledger cannot be read; may the user of Redis do what docs/ledger.md lists?")
	case !found:
		d.ok(key, "there is no ledger yet: the first gateway begins it")
	default:
		d.ok(key, "the ledger has the form of this build")
	}
}
