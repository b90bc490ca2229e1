package outcome

import "github.com/redis/go-redis/v9"

// What Redis holds of an outcome, under PREFIX:{ORG}:o:DIGEST, a string that
// expires:
//
//	version ‖ state ‖ fingerprint (32 bytes) ‖ token (26) ‖ rest
//
// The token is that of the claim, and the rest the end of its lease, in Unix
// milliseconds by Redis's clock, while the state is R (begun), or the outcome
// when it is D (done); L (lost) has none. An outcome of another version is lost
// to this one, which must not do again what it cannot read.

// version begins each of them.
const version = "1"

// scriptBegin claims what nobody has claimed, and says what is known of the
// rest: B (it is the caller's now), R, D with the outcome, L, or O (another
// fingerprint). That a lease is over is noted when it is first seen, so that it
// is true for everybody from then on.
//
//	KEYS  outcome
//	ARGV  version; fingerprint; token; lease and life in ms
const scriptBegin = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('GET', KEYS[1])
if not held then
	local lease_end = string.format('%.0f', now + tonumber(ARGV[4]))
	redis.call('SET', KEYS[1], ARGV[1] .. 'R' .. ARGV[2] .. ARGV[3] .. lease_end, 'PX', ARGV[5])
	return {'B'}
end
if held:sub(1, 1) ~= ARGV[1] then return {'V'} end
if held:sub(3, 34) ~= ARGV[2] then return {'O'} end
local state = held:sub(2, 2)
if state == 'D' then return {'D', held:sub(61)} end
if state == 'R' and tonumber(held:sub(61)) <= now then
	state = 'L'
	redis.call('SET', KEYS[1], ARGV[1] .. 'L' .. held:sub(3, 60), 'PX', ARGV[5])
end
return {state}
`

// scriptFinish keeps an outcome if the claim still stands, and returns 1 if it
// does. What Redis has lost meanwhile is put back. Keeping twice what was kept,
// because the answer to the first time was lost, is as good as once.
//
//	KEYS  outcome
//	ARGV  version; fingerprint; token; outcome; life in ms
const scriptFinish = `
local held = redis.call('GET', KEYS[1])
if held and (held:sub(35, 60) ~= ARGV[3] or held:sub(2, 2) == 'L') then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. 'D' .. ARGV[2] .. ARGV[3] .. ARGV[4], 'PX', ARGV[5])
return 1
`

// scriptAbandon gives a claim back if it still stands.
//
//	KEYS  outcome
//	ARGV  token
const scriptAbandon = `
local held = redis.call('GET', KEYS[1])
if held and held:sub(2, 2) == 'R' and held:sub(35, 60) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`

type scripts struct{ begin, finish, abandon *redis.Script }

func newScripts() scripts {
	return scripts{
		begin:   redis.NewScript(scriptBegin),
		finish:  redis.NewScript(scriptFinish),
		abandon: redis.NewScript(scriptAbandon),
	}
}
