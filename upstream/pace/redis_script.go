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
//	express       the time until which revocations wait as interactive calls
//	w:REPLICA     class:since:due, of a replica that waits until due
//
// Instants are Unix microseconds by Redis's clock.
//
// Waiting replicas take turns: by class, then by since. Of two tokens in succession
// one at the most goes before the turns of others to a revocation, whatever replica
// asks for it. A replica that does not ask within the grace after its due loses its
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
	local b = {key = key, terms = terms, turns = {}, others = 0, epoch = 0, raised = 0, refused = 0, refused_rate = 0, closed = 0, express = 0}
	local fields = redis.call('HGETALL', key)
	for i = 1, #fields, 2 do
		local name, value = fields[i], fields[i + 1]
		if name:sub(1, 2) == 'w:' then
			local class, since, due = value:match('^(%d+):(%d+):(%d+)$')
			b.turns[name:sub(3)] = {class = tonumber(class), since = tonumber(since), due = tonumber(due)}
		else
			b[name] = tonumber(value)
		end -- of a field
	end
	b.floor = math.min(terms.floor, terms.calls)
	b.rate = math.min(b.rate or terms.calls, terms.calls)
	price(b)
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
		whole(math.max(0, b.closed - now)), whole(ago), whole(others),
	}) do reply[#reply + 1] = n end
	return reply
end
`

// scriptTake takes a token from both buckets, or registers this replica as waiting
// for the bucket without one.
//
//	KEYS  bucket, organization
//	ARGV  rules; terms of both; this replica; class; debts of both
//
// It returns whether it took them, the time until each bucket has a token (another
// one), the states of both, and the arguments of scriptReturn.
const scriptTake = scriptTerms + `
local me, class = ARGV[4], tonumber(ARGV[5])

local raise = function(b)
	local calls = b.terms.calls
	if b.rate >= calls or now < b.closed or now - b.raised < rules.quiet or now - b.refused < rules.quiet then return end
	local top = calls
	if now - b.refused < rules.memory and b.refused_rate > 0 then
		top = math.min(top, b.refused_rate * (1 - rules.step))
	end -- of memory
	b.rate = math.max(b.rate, math.min(b.rate + rules.step * calls, top))
	b.raised = now
	price(b)
	write(b, 'rate', exact(b.rate), 'raised', whole(now))
end

-- A replica's own calls are in tat, but for late timers and the network, unless Redis
-- has lost some.
local pay = function(b, debt)
	local known = math.max(b.tat or 0, now)
	local spent = known + debt.unsettled
	if not b.tat or now + debt.own > known + b.interval + rules.grace then
		spent = math.max(spent, now + debt.own)
	end -- of what it lost
	if spent > known then
		b.tat = spent
		write(b, 'tat', whole(b.tat))
	end -- of a debt
end

-- The class that counts: revocations have a share of the tokens.
local counted = function(b, class)
	if class == 1 and now < b.express then return 2 end
	return class
end

-- Since when this replica waits. Revocations and interactive calls share a turn.
local since = function(b)
	local mine = b.turns[me]
	if mine and (mine.class == class or math.max(mine.class, class) <= 2) then return mine.since end
	return now
end

-- Whether all tokens are for replicas that go before this one.
local spoken_for = function(b)
	local mine, from, ahead = counted(b, class), since(b), 0
	for replica, turn in pairs(b.turns) do
		local other = counted(b, turn.class)
		if turn.due + rules.window < now then
			redis.call('HDEL', b.key, 'w:' .. replica)
		elseif replica ~= me and turn.due + b.grace > now and
			(other < mine or (other == mine and turn.since < from)) then
			ahead = ahead + 1
		end -- of its turn
	end
	return ahead >= tokens(b)
end

local line_up = function(b, wait)
	write(b, 'w:' .. me, whole(class) .. ':' .. whole(since(b)) .. ':' .. whole(now + wait))
end

local leave = function(b)
	if b.turns[me] then redis.call('HDEL', b.key, 'w:' .. me) end -- if
end

local take = function(b)
	local before = tat(b)
	b.tat = before + b.interval
	write(b, 'tat', whole(b.tat))
	-- Not the next token, and the one after that.
	if class == 1 and now >= b.express then write(b, 'express', whole(now + b.interval * 1.5)) end -- if
	leave(b)
	return whole(b.tat) .. ':' .. whole(before)
end

local own, all = read(KEYS[1], cjson.decode(ARGV[2])), read(KEYS[2], cjson.decode(ARGV[3]))
raise(own)
pay(own, cjson.decode(ARGV[6]))
pay(all, cjson.decode(ARGV[7]))
local own_wait, all_wait = wait(own), wait(all)
if own_wait <= 0 and spoken_for(own) then own_wait = own.grace end
if all_wait <= 0 and spoken_for(all) then all_wait = all.grace end

local granted, receipt = '0', ''
if own_wait > 0 then
	line_up(own, own_wait)
	leave(all)
elseif all_wait > 0 then
	line_up(all, all_wait)
else
	granted, receipt = '1', take(own) .. ':' .. take(all)
	own_wait, all_wait = wait(own), wait(all)
end
local reply = {granted, whole(math.max(0, own_wait)), whole(math.max(0, all_wait))}
state(own, reply, me)
state(all, reply, me)
reply[#reply + 1] = receipt
return reply
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
