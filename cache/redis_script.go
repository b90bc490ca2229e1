package cache

import "github.com/redis/go-redis/v9"

// The keys of an organization, all in one slot of a cluster because of the {}:
//
//	PREFIX:{ORG}:g         a hash: the generations of its slots
//	PREFIX:{ORG}:e:DIGEST  a string that expires: an entry, see encodeEntry
//	PREFIX:{ORG}:l:DIGEST  a string that expires: the lease of a fetch
//	PREFIX:{ORG}:bus       a channel: the slots that are opened, closed and purged
//
// A field of the hash is the number of a slot. Its value is the generation, followed
// by " token:end" for each open write; end is the end of its lease, in Unix
// milliseconds by Redis's clock. An absent field is generation 0. The field e is the
// epoch: it is drawn when the hash is created, so that a hash that was lost (flushed,
// evicted, not persisted) cannot be mistaken for its successor.
//
// Writes have tokens and are not just counted, so that a write whose lease is over
// cannot close another one, and a write whose open was lost can still be closed.

// scriptMove moves slots to their next generations.
//
//	KEYS  hash
//	ARGV  "open", "close" or "purge"; an epoch if there is none; the token of the
//	      write; its lease in ms; channel; sender; then for each slot its number
//	      and the highest generation that was seen
//
// It returns the epoch and the new generations, or nothing if it had to drop the
// hash: Redis is out of memory, and an invalidation must not be lost. Without an
// epoch, all entries are invalid.
const scriptMove = `
local op, token, channel, sender = ARGV[1], ARGV[3], ARGV[5], ARGV[6]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local number = function(n) return string.format('%.0f', n) end
local max_writes = 64

local fields = {'e'}
for i = 7, #ARGV, 2 do fields[#fields + 1] = ARGV[i] end
local states = redis.call('HMGET', KEYS[1], unpack(fields))
local epoch = states[1] or ARGV[2]

local set, reply, message = {'e', epoch}, {epoch}, {sender, epoch}
for i = 2, #fields do
	local state = states[i] or '0'
	local seen = tonumber(ARGV[6 + 2 * (i - 1)])
	local generation = number(math.max(tonumber(state:match('^%d+')), seen) + 1)
	local writes, last = {}, now
	for other, lease_end in state:gmatch(' ([%w_]+):(%d+)') do
		if tonumber(lease_end) > now and not (op == 'close' and other == token) then
			writes[#writes + 1] = ' ' .. other .. ':' .. lease_end
			last = math.max(last, tonumber(lease_end))
		end -- of those that stay
	end
	if op == 'open' then
		last = math.max(last, now + tonumber(ARGV[4]))
		writes[#writes + 1] = ' ' .. token .. ':' .. number(now + tonumber(ARGV[4]))
		if #writes > max_writes then
			-- A token of no write: open until the last lease is over.
			writes = {' _:' .. number(last)}
		end -- if
	end
	set[#set + 1] = fields[i]
	set[#set + 1] = generation .. table.concat(writes)
	reply[#reply + 1] = generation
	message[#message + 1] = fields[i] .. ':' .. generation
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
//	ARGV  an epoch if there is none; then the slots' numbers
const scriptSnapshot = `
local fields = {'e'}
for i = 2, #ARGV do fields[i] = ARGV[i] end
local states = redis.call('HMGET', KEYS[1], unpack(fields))
local epoch = states[1]
if not epoch then
	epoch = ARGV[1]
	redis.call('HSET', KEYS[1], 'e', epoch)
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

// scriptRelease gives a lease back if the caller still has it.
const scriptRelease = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`

// The offsets at which scriptSave reads an encoded entry: the version in byte 0,
// StoredAt in bytes 1 to 8, big-endian, and the snapshot (epoch, count, and slots
// with their generations) from byte 33 on. Lua counts from 1.
const encodedSnapshotOffset = 33

func encodedSnapshotEnd(at Snapshot) int {
	return encodedSnapshotOffset + 8 + 2 + 10*len(at.generations)
}

type redisScripts struct {
	move, snapshot, save, release *redis.Script
}

func newRedisScripts() redisScripts {
	return redisScripts{
		move:     redis.NewScript(scriptMove),
		snapshot: redis.NewScript(scriptSnapshot),
		save:     redis.NewScript(scriptSave),
		release:  redis.NewScript(scriptRelease),
	}
}
