package pace

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
	b.here, b.seen = here, {[class] = true}
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
	if class == urgent then run = b.behind and b.run + 1 or b.run end -- of one
	if run ~= b.run then set('run', whole(run)) end -- of one
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
