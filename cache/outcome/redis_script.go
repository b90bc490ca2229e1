package outcome

import "github.com/redis/go-redis/v9"

// An outcome in Redis is a string that expires, under PREFIX:{ORG}:o:DIGEST:
//
//	version ‖ state ‖ fingerprint (32 bytes) ‖ token (26) ‖ rest
//
// The token is that of the claim. In state R (claimed) the rest is the end of the
// lease, in Unix milliseconds by Redis's clock; in state D (completed) it is the
// outcome; in state L (lost) it is empty. An outcome of another version counts as
// lost, because this build cannot read it and must not repeat its operation.

// version is the first byte of each outcome.
const version = "1"

// scriptBegin claims an operation that is not known, and returns B. Otherwise it
// returns the state: R, D with the outcome, L, O (another fingerprint) or V
// (another version). The first call after the end of a lease changes R to L, so
// that all callers agree from then on.
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

// scriptFinish stores an outcome if the claim is still valid, and returns 1 if it is.
// An outcome that Redis has lost meanwhile is stored too. Storing it twice, after
// the reply to the first call was lost, does no harm.
//
//	KEYS  outcome
//	ARGV  version; fingerprint; token; outcome; life in ms
const scriptFinish = `
local held = redis.call('GET', KEYS[1])
if held and (held:sub(35, 60) ~= ARGV[3] or held:sub(2, 2) == 'L') then return 0 end
redis.call('SET', KEYS[1], ARGV[1] .. 'D' .. ARGV[2] .. ARGV[3] .. ARGV[4], 'PX', ARGV[5])
return 1
`

// scriptAbandon gives a claim back if it is still valid.
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
