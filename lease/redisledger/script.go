package redisledger

import "github.com/redis/go-redis/v9"

// The keys of an organization's ledger, all in one slot of a cluster because of the
// {}. There are no others, so every script names all that it touches:
//
//	PREFIX:{ORG}:lease:meta     a hash, see below
//	PREFIX:{ORG}:lease:rows     a hash: ID → record
//	PREFIX:{ORG}:lease:heads    a hash: ID → head
//	PREFIX:{ORG}:lease:secrets  a hash: ID → sealed secret
//	PREFIX:{ORG}:lease:index    a sorted set, all scores 0: see package layout
//	PREFIX:{ORG}:lease:counts   a hash: group → number of its members
//	PREFIX:{ORG}:lease:events   a stream, SEQUENCE-0
//	PREFIX:{ORG}:lease:accounts a hash: see layout.AccountFields
//	PREFIX:{ORG}:lease:documents a hash: see documents.go
//
// meta has
//
//	schema  the version of all this
//	epoch   drawn when the ledger began, so that one that was lost is not mistaken
//	        for its successor
//	seq     the sequence of the latest event
//	leader, term, until   who leads, as which number, until when
//
// A head is what a script has to know of a row, as JSON:
//
//	v  version       s  state, a letter   i  identity
//	f  fence         o  owner of the claim, u  its end, "0" if none
//	w  token of the last write: a write that is repeated because its answer was lost
//	   is not made twice
//	x  its keys in the index, n  those of its groups that are counted
//
// Instants are Unix milliseconds by Redis's clock.
//
// A script checks everything before it writes anything, and its first write is one
// that Redis refuses when it is out of memory: Redis refuses no later one.

// scriptBegin is the beginning of all scripts.
//
//	KEYS  meta, rows, heads, secrets, index, counts, events
//	ARGV  schema, epoch
const scriptBegin = `
local meta, rows, heads, secrets, index, counts, events = unpack(KEYS)
local begun = redis.call('HMGET', meta, 'schema', 'epoch', 'term')
if not begun[1] then return {'LOST'} end
if begun[1] ~= ARGV[1] then return {'SCHEMA', begun[1]} end
if begun[2] ~= ARGV[2] then return {'LOST'} end
local term = tonumber(begun[3] or '0')
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local whole = function(n) return string.format('%.0f', n) end

local function head_of(id)
	local text = redis.call('HGET', heads, id)
	return text and cjson.decode(text)
end

local function claimed(head) return tonumber(head.u) > now end

local function save_head(id, head) redis.call('HSET', heads, id, cjson.encode(head)) end

local function count(groups, by)
	for _, group in ipairs(groups) do
		if redis.call('HINCRBY', counts, group, by) <= 0 then redis.call('HDEL', counts, group) end -- if
	end -- of it
end

local function set_of(list)
	local set = {}
	for _, key in ipairs(list) do set[key] = true end
	return set
end

-- Moves a row from its old keys to its new ones.
local function reindex(old, new)
	local before, after = set_of(old.x), set_of(new.x)
	for _, key in ipairs(new.x) do
		if not before[key] then redis.call('ZADD', index, 0, key) end -- if
	end
	for _, key in ipairs(old.x) do
		if not after[key] then redis.call('ZREM', index, key) end -- if
	end
	count(old.n, -1)
	count(new.n, 1)
end
`

// scriptCommit makes changes, and a new row, all or none.
//
//	ARGV  …; control, as commit in commit.go; then for each row, the new one first,
//	      its record, its sealed secret and its event
//
// It returns OK and the fence of the new row, REPEATED with the id and the record of
// the row that was there, or what is wrong and with which change.
const scriptCommit = scriptBegin + `
local control = cjson.decode(ARGV[3])
local changes, new = control.changes, control.new
local arg = 4

local function refused(i, c, head)
	if not head then return {'NOTFOUND', i} end
	if c.term > 0 and c.term < term then return {'FENCED', i} end
	if c.fence > 0 and c.fence ~= head.f then return {'FENCED', i} end
	if c.fence == 0 and claimed(head) then return {'CLAIMED', i} end
	if head.v ~= c.version then return {'CONFLICT', i} end
	if not c.from:find(head.s, 1, true) then return {'TRANSITION', i, head.s} end
	if head.i ~= c.identity then return {'IMMUTABLE', i} end
	if c.secret == 'keep' and redis.call('HEXISTS', secrets, c.id) == 0 then return {'NOSECRET', i} end -- of it
end

if new then
	local there = redis.call('ZRANGEBYLEX', index, '[' .. new.request .. '\n', '(' .. new.request .. '\v', 'LIMIT', 0, 1)[1]
	local id = there and there:sub(-#new.id)
	local head = head_of(id or new.id)
	if id and not head then return {'CORRUPT'} end
	if head and id == new.id and head.w == control.token then return {'OK', whole(head.f)} end
	if id then return {'REPEATED', id, redis.call('HGET', rows, id)} end
	if head then return {'CONFLICT', 0} end
elseif #changes > 0 then
	local head = head_of(changes[1].id)
	if head and head.w == control.token then return {'OK', '0'} end -- of a repetition
end
local held = {}
for i, c in ipairs(changes) do
	held[i] = head_of(c.id)
	local no = refused(i, c, held[i])
	if no then return no end -- of a change
end
if new then
	for i, limit in ipairs(new.limits) do
		local n = tonumber(redis.call('HGET', counts, limit.group) or '0')
		if n >= limit.max then return {'LIMIT', limit.name} end -- of a limit
	end
	local mints = new.mints
	if mints then
		local from, to = '[' .. mints.group .. '\n' .. mints.first, '(' .. mints.group .. '\v'
		local n = redis.call('ZLEXCOUNT', index, from, to)
		if n >= mints.max then
			local last = redis.call('ZRANGEBYLEX', index, from, to, 'LIMIT', n - mints.max, 1)
			return {'LIMIT', mints.name, last[1] or ''}
		end -- of it
	end -- of it
end

local function event(text)
	local seq = redis.call('HINCRBY', meta, 'seq', 1)
	redis.call('XADD', events, 'MAXLEN', '=', control.events, whole(seq) .. '-0', 'e', text)
end

if new then
	local fence, owner, till = 0, '', '0'
	if new.owner then fence, owner, till = 1, new.owner, whole(now + new.life) end
	save_head(new.id, {v = 1, s = new.state, i = new.identity, f = fence, o = owner, u = till, w = control.token, x = new.x, n = new.n})
	redis.call('HSET', rows, new.id, ARGV[arg])
	reindex({x = {}, n = {}}, new)
	event(ARGV[arg + 2])
	arg = arg + 3
end
for i, c in ipairs(changes) do
	local old = held[i]
	local head = {v = old.v + 1, s = c.state, i = old.i, f = old.f, o = old.o, u = old.u, w = control.token, x = c.x, n = c.n}
	if c.release then head.o, head.u = '', '0' end
	save_head(c.id, head)
	redis.call('HSET', rows, c.id, ARGV[arg])
	if c.secret == 'set' then redis.call('HSET', secrets, c.id, ARGV[arg + 1]) end
	if c.secret == 'none' then redis.call('HDEL', secrets, c.id) end
	reindex(old, c)
	event(ARGV[arg + 2])
	arg = arg + 3
end
return {'OK', new and new.owner and '1' or '0'}
`

// scriptImport keeps new rows.
//
//	ARGV  …; control, as imported in commit.go; then for each row its record
const scriptImport = scriptBegin + `
local control = cjson.decode(ARGV[3])
for i, new in ipairs(control.rows) do
	local head = head_of(new.id)
	if head and head.w == control.token then return {'OK'} end
	local there = redis.call('ZRANGEBYLEX', index, '[' .. new.request .. '\n', '(' .. new.request .. '\v', 'LIMIT', 0, 1)
	if head or there[1] then return {'CONFLICT', i} end -- if
end
for i, new in ipairs(control.rows) do
	save_head(new.id, {v = new.version, s = new.state, i = new.identity, f = 0, o = '', u = '0', w = control.token, x = new.x, n = new.n})
	redis.call('HSET', rows, new.id, ARGV[3 + i])
	reindex({x = {}, n = {}}, new)
end
return {'OK'}
`

// scriptClaim claims a row.
//
//	ARGV  …; id; owner; life in ms
const scriptClaim = scriptBegin + `
local id, owner, life = ARGV[3], ARGV[4], tonumber(ARGV[5])
local head = head_of(id)
if not head then return {'NOTFOUND', 0} end
if claimed(head) and head.o ~= owner then return {'CLAIMED', 0} end
if not claimed(head) then head.f = head.f + 1 end
head.o, head.u = owner, whole(now + life)
save_head(id, head)
return {'OK', whole(head.f), redis.call('HGET', rows, id)}
`

// scriptRelease gives a claim back.
//
//	ARGV  …; id; fence
const scriptRelease = scriptBegin + `
local id, fence = ARGV[3], tonumber(ARGV[4])
local head = head_of(id)
if head and head.f == fence and head.o ~= '' then
	head.o, head.u = '', '0'
	save_head(id, head)
end
return {'OK'}
`

// scriptForget removes a row.
//
//	ARGV  …; id; version; letters of the states that are ends
const scriptForget = scriptBegin + `
local id, version, ends = ARGV[3], tonumber(ARGV[4]), ARGV[5]
local head = head_of(id)
if not head then return {'OK'} end
if claimed(head) then return {'CLAIMED', 0} end
if head.v ~= version then return {'CONFLICT', 0} end
if not ends:find(head.s, 1, true) then return {'TRANSITION', 0, head.s} end
redis.call('HDEL', heads, id)
redis.call('HDEL', rows, id)
redis.call('HDEL', secrets, id)
reindex(head, {x = {}, n = {}})
return {'OK'}
`

// scriptLead makes a replica the leader, or keeps it so.
//
//	ARGV  …; replica; life in ms
const scriptLead = scriptBegin + `
local replica, life = ARGV[3], tonumber(ARGV[4])
local lead = redis.call('HMGET', meta, 'leader', 'until')
local leads = tonumber(lead[2] or '0') > now
if leads and lead[1] ~= replica then return {'CLAIMED', 0} end
if not leads then term = term + 1 end
redis.call('HSET', meta, 'leader', replica, 'term', whole(term), 'until', whole(now + life))
return {'OK', whole(term)}
`

// scriptResign ends a term.
//
//	ARGV  …; term
const scriptResign = scriptBegin + `
if term == tonumber(ARGV[3]) then redis.call('HSET', meta, 'until', '0') end
return {'OK'}
`

// scriptCheck compares rows with their heads and their keys, in one moment.
//
//	ARGV  …; ids
//
// It returns for each id its record, its head, whether it has a secret, and how many
// of its keys are missing.
const scriptCheck = scriptBegin + `
local reply = {'OK'}
for i = 3, #ARGV do
	local id, missing = ARGV[i], 0
	local head = head_of(id)
	for _, key in ipairs(head and head.x or {}) do
		if not redis.call('ZSCORE', index, key) then missing = missing + 1 end -- if
	end
	reply[#reply + 1] = redis.call('HGET', rows, id) or ''
	reply[#reply + 1] = redis.call('HGET', heads, id) or ''
	reply[#reply + 1] = redis.call('HEXISTS', secrets, id)
	reply[#reply + 1] = missing
end
return reply
`

// scriptCheckKeys returns those keys of the index that their rows do not have.
//
//	ARGV  …; length of an id; keys
const scriptCheckKeys = scriptBegin + `
local reply, length = {'OK'}, tonumber(ARGV[3])
for i = 4, #ARGV do
	local key = ARGV[i]
	if redis.call('ZSCORE', index, key) then -- It may have gone since it was read.
		local head = head_of(key:sub(-length))
		if not head or not set_of(head.x)[key] then reply[#reply + 1] = key end -- if
	end -- of it
end
return reply
`

// scriptCheckCounts returns the groups whose counts are wrong.
//
//	ARGV  …; groups
const scriptCheckCounts = scriptBegin + `
local reply = {'OK'}
for i = 3, #ARGV do
	local group = ARGV[i]
	local n = redis.call('ZLEXCOUNT', index, '[' .. group .. '\n', '(' .. group .. '\v')
	if n ~= tonumber(redis.call('HGET', counts, group) or '0') then reply[#reply + 1] = group end -- if
end
return reply
`

type scripts struct {
	commit, imports, claim, release, forget, lead, resign, check, checkKeys, checkCounts, keepAccount, forgetAccount, putDocument *redis.Script
}

func newScripts() scripts {
	return scripts{
		commit:      redis.NewScript(scriptCommit),
		imports:     redis.NewScript(scriptImport),
		claim:       redis.NewScript(scriptClaim),
		release:     redis.NewScript(scriptRelease),
		forget:      redis.NewScript(scriptForget),
		lead:        redis.NewScript(scriptLead),
		resign:      redis.NewScript(scriptResign),
		check:       redis.NewScript(scriptCheck),
		checkKeys:   redis.NewScript(scriptCheckKeys),
		checkCounts: redis.NewScript(scriptCheckCounts),

		keepAccount:   redis.NewScript(scriptKeepAccount),
		forgetAccount: redis.NewScript(scriptForgetAccount),
		putDocument:   redis.NewScript(scriptPutDocument),
	}
}
