package pace

import "github.com/redis/go-redis/v9"

// The keys of an organization, all in one slot of a cluster because of the {}:
//
//	PREFIX:{ORG}:p         a hash: the organization's bucket
//	PREFIX:{ORG}:p:BUCKET  a hash: a bucket
//
// A hash expires when it is not used for long. Its fields are
//
//	tat           when the bucket is full again: the theoretical arrival time
//	              of GCRA, later by an interval with each call
//	rate          the rate in calls per window; the configured one if absent
//	epoch         the number of times that the rate was lowered
//	raised        the time of the last change of the rate
//	refused       the time of the last refusal
//	refused_rate  the rate that was refused when the rate was last lowered
//	closed        the time until which no call is made
//	express       the time until which revocations and mints wait as interactive calls,
//	              where such calls wait
//	mints         what mints have earned of the next token, as level.credit
//	run           the number of urgent calls that went in succession before others
//	w:REPLICA     class:since:due, of a replica that waits until due
//	m:REPLICA     what waits there besides: Waits.number, absent if that is 0
//
// Instants are Unix microseconds by Redis's clock. Classes have the numbers of
// Class.number.
//
// Waiting replicas take turns: by class, then by since. Of two tokens in succession
// one at the most goes before the turns of others to a revocation or a mint, whatever
// replica asks for it. Where revocations wait, mints have their share of the tokens of
// all replicas, and where urgent calls wait, the others have every tenth. Spare calls
// have no turn. A replica that does not ask within the grace after its due loses its
// turn, so a replica that died or has no waiting calls left delays the others by no
// more than the grace.

// scriptTerms is the common part of the scripts: the arithmetic of Rules.priceOf
// and of learned in Lua.
//
//	ARGV  rules, as redisRules
const scriptTerms = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local rules = cjson.decode(ARGV[1])
local whole = function(n) return string.format('%.0f', n) end
local exact = function(n) return string.format('%.17g', n) end

local price = function(b)
	b.burst = math.max(1, math.floor(b.terms.burst * b.rate / b.terms.calls))
	b.interval = math.ceil(rules.window * (1 + rules.margin) / (b.rate - b.burst + 1))
	b.slack = math.min(rules.window * rules.margin / 3, b.interval / 2)
	b.grace = math.min(rules.grace, b.interval / 4)
end

local read = function(key, terms)
	local b = {
		key = key, terms = terms, turns = {}, waits = {}, epoch = 0, raised = 0, refused = 0, refused_rate = 0,
		closed = 0, express = 0, mints = 0, run = 0,
	}
	local fields = redis.call('HGETALL', key)
	for i = 1, #fields, 2 do
		local name, value = fields[i], fields[i + 1]
		if name:sub(1, 2) == 'w:' then
			local class, since, due = value:match('^(%d+):(%d+):(%d+)$')
			b.turns[name:sub(3)] = {class = tonumber(class), since = tonumber(since), due = tonumber(due)}
		elseif name:sub(1, 2) == 'm:' then
			b.waits[name:sub(3)] = tonumber(value)
		else
			b[name] = tonumber(value)
		end -- of a field
	end
	b.floor = math.min(terms.floor, terms.calls)
	b.rate = math.min(b.rate or terms.calls, terms.calls)
	price(b)
	if (b.tat or 0) + b.interval < now then b.run = 0 end -- if: nobody has waited since
	return b
end

local tat = function(b) return math.max(b.tat or 0, now - b.slack) end

-- The time until there is a token.
local wait = function(b)
	return math.max(tat(b) - (b.burst - 1) * b.interval, b.closed) - now
end

local tokens = function(b)
	if b.closed > now then return 0 end
	local n = math.floor((now - tat(b)) / b.interval + b.burst)
	return math.max(0, math.min(n, b.burst))
end

local write = function(b, ...)
	redis.call('HSET', b.key, ...)
	redis.call('PEXPIRE', b.key, rules.expire)
end

local state = function(b, reply, me)
	local others, ago = 0, -1
	for replica, turn in pairs(b.turns) do
		if replica ~= me and turn.due + b.grace > now then others = others + 1 end -- if
	end
	if b.refused > 0 then ago = now - b.refused end
	for _, n in ipairs({
		exact(b.rate), exact(b.refused_rate), whole(tokens(b)), whole(b.epoch),
		whole(math.max(0, b.closed - now)), whole(ago), whole(others), exact(b.mints),
	}) do reply[#reply + 1] = n end
	return reply
end
`

// scriptReturn gives a token back to each bucket from which none was taken since.
// It restores the state before the token was taken.
//
//	KEYS  bucket, organization
//	ARGV  for each, its tat after the token was taken, and before
const scriptReturn = `
for i, key in ipairs(KEYS) do
	if redis.call('HGET', key, 'tat') == ARGV[2 * i - 1] then
		redis.call('HSET', key, 'tat', ARGV[2 * i])
	end -- if
end
return 1
`

// scriptRefuse closes a bucket and lowers its rate.
//
//	KEYS  bucket
//	ARGV  rules; its terms; how long it is closed; epoch of the call; a rate to
//	      which a replica lowered it alone, or 0; 1 if the rate stays, or 0
//
// It returns the state, and whether the rate was lowered.
const scriptRefuse = scriptTerms + `
local b = read(KEYS[1], cjson.decode(ARGV[2]))
local rate, lowered = tonumber(ARGV[5]), '0'
if rate == 0 and ARGV[6] == '0' and tonumber(ARGV[4]) >= b.epoch then rate = b.rate * rules.lower end
if rate > 0 then
	b.refused_rate = b.rate
	lowered = '1'
	b.rate = math.max(b.floor, math.min(b.rate, rate))
	b.raised = now
	b.epoch = b.epoch + 1
end
b.refused = now
b.closed = math.max(b.closed, now + tonumber(ARGV[3]))
price(b)
b.tat = math.max(tat(b), b.closed + (b.burst - 1) * b.interval)
write(b, 'tat', whole(b.tat), 'rate', exact(b.rate), 'raised', whole(b.raised), 'epoch', whole(b.epoch),
	'refused', whole(b.refused), 'refused_rate', exact(b.refused_rate), 'closed', whole(b.closed))
return state(b, {lowered}, '')
`

// scriptLook returns the states of buckets.
//
//	KEYS  buckets
//	ARGV  rules; this replica; terms of each
const scriptLook = scriptTerms + `
local reply = {}
for i, key in ipairs(KEYS) do state(read(key, cjson.decode(ARGV[2 + i])), reply, ARGV[2]) end
return reply
`

type redisScripts struct{ take, giveBack, refuse, look *redis.Script }

func newRedisScripts() redisScripts {
	return redisScripts{
		take:     redis.NewScript(scriptTake),
		giveBack: redis.NewScript(scriptReturn),
		refuse:   redis.NewScript(scriptRefuse),
		look:     redis.NewScript(scriptLook),
	}
}
