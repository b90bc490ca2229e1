package cache

import "github.com/redis/go-redis/v9"

// The keys of an organization, all in one slot of a cluster because of the {}:
//
//	PREFIX:{ORG}:g         a hash: the generations of its slots
//	PREFIX:{ORG}:e:DIGEST  a string that expires: an entry, see encodeEntry
//	PREFIX:{ORG}:l:DIGEST  a string that expires: the lease of a fetch
//	PREFIX:{ORG}:bus       a channel: the slots that are opened, closed and purged,
//	                       each with its generation and the number of its open writes
//
// A field of the hash is the number of a slot. Its value is the generation, followed
// by " token:end" for each open write; end is the end of its lease, in Unix
// milliseconds by Redis's clock. An absent field is generation 0. Three fields are
// about the hash itself:
//
//	e  the epoch. Entries of another epoch are invalid. It is drawn when the hash is
//	   created, so that a hash that was lost (flushed, evicted, not persisted)
//	   cannot be mistaken for its successor, and it only grows, so that a hash that
//	   came back older can be told from the one that a replica has seen.
//	r  the run_id of the server that the epoch belongs to. Another server may have
//	   older data.
//	m  the members, "sender:end" for each replica: see scriptKeep.
//
// Writes have tokens and are not just counted, so that a write whose lease is over
// cannot close another one, and a write whose open was lost can still be closed.

// scriptEpoch is the beginning of the scripts that may begin an epoch. Epochs have 16
// hexadecimal digits, and are compared as strings: a number of Lua has 53 bits.
const scriptEpoch = `
local function successor(epoch)
	local high, low = tonumber(epoch:sub(1, 8), 16), tonumber(epoch:sub(9), 16) + 1
	if low == 4294967296 then high, low = high + 1, 0 end -- if
	return string.format('%08x%08x', high, low)
end

local function server_id() return redis.call('INFO', 'server'):match('run_id:(%x+)') or '' end

-- begin_epoch makes all entries invalid, and returns the new epoch; nothing if it had
-- to drop the hash instead. The memories of replicas may have what the old epoch
-- should not have had; of a hash that was lost or never there they have nothing that
-- they should not have, as long as there is no other invalidation.
local function begin_epoch(old, fresh, channel, sender)
	if old and fresh <= old then fresh = successor(old) end
	local done = redis.pcall('HSET', KEYS[1], 'e', fresh, 'r', server_id())
	if type(done) == 'table' and done.err then
		redis.call('DEL', KEYS[1])
		fresh = nil
	end
	if old then redis.call('PUBLISH', channel, sender .. ' *') end -- if
	return fresh
end
`

// scriptKeep renews the membership of a replica, and ends the epoch for any reason
// to believe that the generations lack invalidations.
//
//	KEYS  hash
//	ARGV  sender; its lease in ms, or 0 to sign off; a fresh epoch; the highest
//	      epoch that was seen; an epoch whose generations went back, or ""; channel
//
// It returns the epoch, or nothing if it had to drop the hash.
//
// A member that lapses may have died with invalidations that it owed, or owes them
// still: it is all the same whether it was away, or Redis was.
const scriptKeep = scriptEpoch + `
local sender, lease, fresh, seen, suspect, channel = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'e', 'r', 'm')
local epoch = state[1]

local members, lapsed = {}, {}
for member, lease_end in (state[3] or ''):gmatch('([%w_]+):(%d+)') do
	local alive = tonumber(lease_end) > now
	if member == sender then alive = nil -- It is replaced below.
	elseif alive or lease == 0 then members[#members + 1] = member .. ':' .. lease_end
	else lapsed[#lapsed + 1] = member end -- if
end
if lease > 0 then members[#members + 1] = sender .. ':' .. string.format('%.0f', now + lease) end

if not epoch or epoch < seen or epoch == suspect or state[2] ~= server_id() or #lapsed > 0 then
	epoch = begin_epoch(epoch, fresh, channel, sender)
	if not epoch then return {} end -- if
end
-- Where Redis is full, the lease is not renewed, and nothing else is lost.
redis.pcall('HSET', KEYS[1], 'm', table.concat(members, ' '))
return {epoch}
`

// scriptMove moves slots to their next generations.
//
//	KEYS  hash
//	ARGV  "open", "close" or "purge"; a fresh epoch; the highest epoch that was
//	      seen; the token of the write; its lease in ms; channel; sender; then for
//	      each slot its number and the highest generation that was seen
//
// A write that is opened again gets another lease.
//
// It returns the epoch and the new generations, or nothing if it had to drop the
// hash: Redis is out of memory, and an invalidation must not be lost. Without an
// epoch, all entries are invalid. Whatever it returns, it has told the other replicas.
const scriptMove = scriptEpoch + `
local op, token, channel, sender = ARGV[1], ARGV[4], ARGV[6], ARGV[7]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local number = function(n) return string.format('%.0f', n) end
local max_writes = 64

local fields = {'e'}
for i = 8, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end
local states = redis.call('HMGET', KEYS[1], unpack(fields))
local epoch = states[1]
if not epoch or epoch < ARGV[3] then
	epoch = begin_epoch(epoch, ARGV[2], channel, sender)
	if not epoch then
		-- The memories of replicas may have answers that Redis never knew of.
		redis.call('PUBLISH', channel, sender .. ' *')
		return {}
	end -- if
end

local set, reply, message = {'e', epoch}, {epoch}, {sender, epoch}
for i = 2, #fields do
	local state = states[i] or '0'
	local seen = tonumber(ARGV[7 + 2 * (i - 1)])
	local generation = number(math.max(tonumber(state:match('^%d+')), seen) + 1)
	local writes, last = {}, now
	for other, lease_end in state:gmatch(' ([%w_]+):(%d+)') do
		if tonumber(lease_end) > now and other ~= token then
			writes[#writes + 1] = ' ' .. other .. ':' .. lease_end
			last = math.max(last, tonumber(lease_end))
		end -- of those that stay
	end
	if op == 'open' then
		last = math.max(last, now + tonumber(ARGV[5]))
		writes[#writes + 1] = ' ' .. token .. ':' .. number(now + tonumber(ARGV[5]))
		if #writes > max_writes then
			-- A token of no write: open until the last lease is over.
			writes = {' _:' .. number(last)}
		end -- if
	end
	set[#set + 1] = fields[i]
	set[#set + 1] = generation .. table.concat(writes)
	reply[#reply + 1] = generation
	message[#message + 1] = fields[i] .. ':' .. generation .. ':' .. #writes
end

local done = redis.pcall('HSET', KEYS[1], unpack(set))
if type(done) == 'table' and done.err then
	redis.call('DEL', KEYS[1])
	reply, message = {}, {sender, '*'}
end
redis.call('PUBLISH', channel, table.concat(message, ' '))
return reply
`

// scriptSnapshot returns the epoch and the generations of slots, or nothing if one
// of them is open. It removes expired leases, so that a load or a save compares
// values without a look at the clock.
//
//	KEYS  hash
//	ARGV  a fresh epoch; the highest epoch that was seen; channel; sender; then
//	      the slots' numbers
const scriptSnapshot = scriptEpoch + `
local fields = {'e'}
for i = 5, #ARGV do fields[#fields + 1] = ARGV[i] end
local states = redis.call('HMGET', KEYS[1], unpack(fields))
local epoch = states[1]
if not epoch or epoch < ARGV[2] then
	epoch = begin_epoch(epoch, ARGV[1], ARGV[3], ARGV[4])
	if not epoch then return {} end -- if
end

local reply, now = {epoch}, nil
for i = 2, #fields do
	local state = states[i] or '0'
	local generation = state:match('^%d+')
	if #generation ~= #state then
		if not now then
			local time = redis.call('TIME')
			now = time[1] * 1000 + math.floor(time[2] / 1000)
		end
		for lease_end in state:gmatch(':(%d+)') do
			if tonumber(lease_end) > now then return {} end -- if
		end
		redis.call('HSET', KEYS[1], fields[i], generation)
	end
	reply[i] = generation
end
return reply
`

// scriptSave stores an entry if epoch and generations are still those of its
// snapshot, and returns 1 if they are. It does not replace a valid entry whose fetch
// began later. It reads the encoding of entries at the offsets below.
//
//	KEYS  hash, entry
//	ARGV  encoded entry; its remaining life in ms; the offset of the end of its
//	      snapshot; epoch; then for each slot its number and generation
const scriptSave = `
local fields = {'e'}
for i = 5, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end
local states = redis.call('HMGET', KEYS[1], unpack(fields))
if states[1] ~= ARGV[4] then return 0 end
for i = 2, #fields do
	if (states[i] or '0') ~= ARGV[4 + 2 * (i - 1)] then return 0 end -- if
end

local entry, snapshot_end = ARGV[1], tonumber(ARGV[3])
local old = redis.call('GETRANGE', KEYS[2], 0, snapshot_end - 1)
if #old == snapshot_end and old:sub(1, 1) == entry:sub(1, 1) and old:sub(34) == entry:sub(34, snapshot_end) then
	for i = 2, 9 do
		local was, is = old:byte(i), entry:byte(i)
		if was > is then return 1 end
		if was < is then break end -- if
	end -- for
end
redis.call('SET', KEYS[2], entry, 'PX', ARGV[2])
return 1
`

// The offsets at which scriptSave reads an encoded entry: the version in byte 0,
// StoredAt in bytes 1 to 8, big-endian, and the snapshot (epoch, count, and slots
// with their generations) from byte 33 on. Lua counts from 1.
const encodedSnapshotOffset = 33

func encodedSnapshotEnd(at Snapshot) int {
	return encodedSnapshotOffset + 8 + 2 + 10*len(at.generations)
}

type redisScripts struct {
	keep, move, snapshot, save *redis.Script
}

func newRedisScripts() redisScripts {
	return redisScripts{
		keep:     redis.NewScript(scriptKeep),
		move:     redis.NewScript(scriptMove),
		snapshot: redis.NewScript(scriptSnapshot),
		save:     redis.NewScript(scriptSave),
	}
}
