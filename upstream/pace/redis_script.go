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

// scriptTake takes a token from both buckets, or registers this replica as waiting
// for the bucket without one.
//
//	KEYS  bucket, organization
//	ARGV  rules; terms of both; this replica; class; debts of both; what waits
//	      for each, as Waits.number
//
// It returns whether it took them, the time until each bucket has a token (another
// one), the states of both, and the arguments of scriptReturn.
const scriptTake = scriptTerms + `
local me, class = ARGV[4], tonumber(ARGV[5])
local urgent, revocation, interactive, fan_out, mint, spare = 0, 1, 2, 3, 4, 5
local prompt = {[revocation] = true, [interactive] = true, [mint] = true}

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

-- What waits for b, here and elsewhere.
local survey = function(b, here)
	b.here, b.mints_wait, b.revocations_wait, b.seen = here, false, false, {[class] = true}
	local note = function(class, waits)
		b.mints_wait = b.mints_wait or class == mint or waits % 2 == 1
		b.revocations_wait = b.revocations_wait or class == revocation or waits >= 2
	end
	note(class, here)
	for replica, turn in pairs(b.turns) do
		if replica ~= me and turn.due + b.grace > now then
			b.others, b.seen[turn.class] = true, true
			note(turn.class, b.waits[replica] or 0)
		end -- of one that waits
	end
	b.contested = b.mints_wait and b.revocations_wait
	b.owes_mint = b.contested and b.mints + rules.mint_share > 1 - 1e-9
	b.behind = b.seen[revocation] or b.seen[interactive] or b.seen[fan_out] or b.seen[mint]
	b.paused = now < b.express and b.seen[interactive]
end

-- The place of a class in the order.
local rank = function(b, class)
	if class == urgent then return b.run >= rules.urgent_run and 35 or 0 end
	if class == mint and b.owes_mint then return 5 end
	if class == interactive or prompt[class] and b.paused then return 20 end
	return ({[revocation] = 10, [mint] = 15, [fan_out] = 30})[class] or 40
end

-- Since when this replica waits. Prompt calls share a turn.
local since = function(b)
	local mine = b.turns[me]
	if mine and (mine.class == class or prompt[mine.class] and prompt[class]) then return mine.since end
	return now
end

-- Whether all tokens are for replicas that go before this one.
local spoken_for = function(b)
	if class == spare then return b.others end
	local mine, from, ahead = rank(b, class), since(b), 0
	for replica, turn in pairs(b.turns) do
		local other = rank(b, turn.class)
		if turn.due + rules.window < now then
			redis.call('HDEL', b.key, 'w:' .. replica, 'm:' .. replica)
		elseif replica ~= me and turn.due + b.grace > now and
			(other < mine or (other == mine and turn.since < from)) then
			ahead = ahead + 1
		end -- of its turn
	end
	return ahead >= tokens(b)
end

local leave = function(b)
	if b.turns[me] then redis.call('HDEL', b.key, 'w:' .. me, 'm:' .. me) end -- if
end

local line_up = function(b, wait)
	if class == spare then return leave(b) end
	if b.waits[me] and b.here == 0 then redis.call('HDEL', b.key, 'm:' .. me) end -- if
	local fields = {'w:' .. me, whole(class) .. ':' .. whole(since(b)) .. ':' .. whole(now + wait)}
	if b.here > 0 then fields[3], fields[4] = 'm:' .. me, whole(b.here) end -- if
	write(b, unpack(fields))
end

-- The time until there is a token for this class.
local until_token = function(b)
	if class ~= spare then return wait(b) end
	if b.burst > 1 then return wait(b) + b.interval end -- if: one is left
	return math.max(wait(b), (b.tat or 0) + rules.window - now)
end

-- Of the tokens that urgent calls do not take, mints earn their share.
local earn = function(b)
	if class == urgent then return b.mints end
	if class == mint then return math.max(0, b.mints + rules.mint_share - 1) end
	if b.contested then return math.min(1, b.mints + rules.mint_share) end
	return b.mints_wait and b.mints or 0
end

local take = function(b)
	local before = tat(b)
	b.tat = before + b.interval
	local fields = {'tat', whole(b.tat)}
	local set = function(name, value)
		fields[#fields + 1] = name
		fields[#fields + 1] = value
	end
	-- Not the next token, and the one after that.
	if (class == revocation or class == mint and not b.owes_mint) and now >= b.express then
		set('express', whole(now + b.interval * 1.5))
	end -- of what goes before turns
	local run, mints = 0, earn(b)
	if class == urgent then run = b.behind and b.run + 1 or b.run end -- if
	if run ~= b.run then set('run', whole(run)) end -- if
	if mints ~= b.mints then set('mints', exact(mints)) end -- if
	b.run, b.mints = run, mints
	write(b, unpack(fields))
	leave(b)
	return whole(b.tat) .. ':' .. whole(before)
end

local own, all = read(KEYS[1], cjson.decode(ARGV[2])), read(KEYS[2], cjson.decode(ARGV[3]))
raise(own)
pay(own, cjson.decode(ARGV[6]))
pay(all, cjson.decode(ARGV[7]))
survey(own, tonumber(ARGV[8]))
survey(all, tonumber(ARGV[9]))
local own_wait, all_wait = until_token(own), until_token(all)
if own_wait <= 0 and spoken_for(own) then own_wait = class == spare and own.interval or own.grace end
if all_wait <= 0 and spoken_for(all) then all_wait = class == spare and all.interval or all.grace end

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
