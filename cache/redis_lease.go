package cache

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// The value of a lease is "token class departed generation". The generation is the
// epoch and the sum of the generations of the tags when it was acquired, which differ
// after each invalidation.

// scriptAcquire takes the lease of a fetch, and returns its generation; "held" if
// another replica has it whose response will do, and "writing" if a slot is open.
//
//	KEYS  lease, hash
//	ARGV  token; class; lease in ms; then the slots' numbers
const scriptAcquire = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fields = {'e'}
for i = 4, #ARGV do fields[#fields + 1] = ARGV[i] end
local states = redis.call('HMGET', KEYS[2], unpack(fields))
local sum = 0
for i = 2, #fields do
	local state = states[i] or '0'
	for lease_end in state:gmatch(':(%d+)') do
		if tonumber(lease_end) > now then return 'writing' end -- if
	end
	sum = sum + tonumber(state:match('^%d+'))
end
local generation = (states[1] or '') .. '.' .. string.format('%.0f', sum)

local held = redis.call('GET', KEYS[1])
if held then
	local class, departed, of = held:match('^%S+ (%d+) (%d) (%S+)$')
	if of == generation and (departed == '1' or tonumber(class) <= tonumber(ARGV[2])) then return 'held' end -- if
end
redis.call('SET', KEYS[1], table.concat({ARGV[1], ARGV[2], '0', generation}, ' '), 'PX', ARGV[3])
return generation
`

// scriptRenew extends a lease, and returns 1 if the caller has it. A fetch that departs
// takes the lease back from one for the same generation that has not: there need be
// only one. A lease that is gone is not taken again before that: whoever had it may
// have saved its response.
//
//	KEYS  lease
//	ARGV  token; class; lease in ms; 1 if the fetch has departed, else 0; generation
const scriptRenew = `
local token, departed, of = (redis.call('GET', KEYS[1]) or ''):match('^(%S+) %d+ (%d) (%S+)$')
local departs = ARGV[4] == '1' and (not token or (departed == '0' and of == ARGV[5]))
if token ~= ARGV[1] and not departs then return 0 end
redis.call('SET', KEYS[1], table.concat({ARGV[1], ARGV[2], ARGV[4], ARGV[5]}, ' '), 'PX', ARGV[3])
return 1
`

// scriptRelease gives a lease back if the caller still has it.
//
//	KEYS  lease
//	ARGV  token
const scriptRelease = `
local held = redis.call('GET', KEYS[1])
if held and held:match('^%S+') == ARGV[1] then return redis.call('DEL', KEYS[1]) end -- if
return 0
`

type redisLeaseScripts struct{ acquire, renew, release *redis.Script }

func newRedisLeaseScripts() redisLeaseScripts {
	return redisLeaseScripts{
		acquire: redis.NewScript(scriptAcquire), renew: redis.NewScript(scriptRenew), release: redis.NewScript(scriptRelease),
	}
}

// Acquire implements [Leases].
func (r *Redis) Acquire(ctx context.Context, claim Claim, ttl time.Duration) (Lease, bool, error) {
	if err := validateLoad(claim.Key, claim.Tags); err != nil {
		return nil, false, err
	}
	o, err := r.ready(ctx, claim.Key.Org)
	if err != nil {
		return nil, false, err
	}
	l := &redisLease{redis: r, name: o.leaseKey(claim.Key), token: r.newToken(), ttl: max(1, ttl.Milliseconds())}
	args := make([]any, 0, 3+len(claim.Tags.slots))
	args = append(args, l.token, claim.Class, l.ttl)
	for _, slot := range claim.Tags.slots {
		args = append(args, int(slot))
	}
	err = r.call(ctx, func(ctx context.Context) error {
		l.generation, err = r.leases.acquire.Run(ctx, r.client, []string{l.name, o.slotsKey}, args...).Text()
		return err
	})
	switch {
	case err != nil:
		return nil, false, err
	case l.generation == "writing":
		return nil, false, ErrWriting
	case l.generation == "held":
		return nil, false, nil
	}
	return l, true, nil
}

// redisLease is a [Lease] in Redis.
type redisLease struct {
	redis                   *Redis
	name, token, generation string
	ttl                     int64 // in milliseconds
}

// Renew implements [Lease].
func (l *redisLease) Renew(ctx context.Context, class int, departed bool) (held bool, err error) {
	has := 0
	if departed {
		has = 1
	}
	err = l.redis.call(ctx, func(ctx context.Context) error {
		held, err = l.redis.leases.renew.Run(ctx, l.redis.client, []string{l.name}, l.token, class, l.ttl, has, l.generation).Bool()
		return err
	})
	return held, err
}

// Release implements [Lease].
func (l *redisLease) Release(ctx context.Context) error {
	return l.redis.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
		return l.redis.leases.release.Run(ctx, l.redis.client, []string{l.name}, l.token).Err()
	})
}
