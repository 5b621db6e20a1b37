package limit

import "github.com/redis/go-redis/v9"

// clock is Redis's time in milliseconds: the only clock that all workers share.
const clock = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function number(key, field)
	return tonumber(redis.call('HGET', key, field) or 0)
end

-- keep puts the holders' leases at now + lease. Workers may have different
-- leases: the key lives as long as the longest.
local function keep(key, lease, first)
	for i = first, #ARGV do
		redis.call('ZADD', key, now + lease, ARGV[i])
	end
	local last = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
	redis.call('PEXPIRE', key, math.max(last[2] - now, 1))
end
`

// gcra is the generic cell rate algorithm: each call that is let through moves a time
// on by the interval, and that time may be ahead of now by as much as a burst is worth.
// A time further ahead comes from a clock that was set back, and is not waited for.
// Seconds since the epoch below leave a double room for microseconds.
const gcra = `
local rateEpoch = 1483228800 -- 2017-01-01
local seconds = t[1] - rateEpoch + t[2] / 1000000

local function paidFor(interval, burst)
	local till = tonumber(redis.call('GET', KEYS[4]) or seconds) -- before the epoch 0 would be far ahead
	return math.max(seconds, math.min(till, seconds + interval * burst))
end

-- pause is how many milliseconds the rate lets no call through.
local function pause(interval, burst)
	return math.max(math.ceil((paidFor(interval, burst) + interval - interval * burst - seconds) * 1000), 0)
end

local function count(interval, burst)
	local till = paidFor(interval, burst) + interval
	redis.call('SET', KEYS[4], till, 'PX', math.ceil((till - seconds) * 1000))
end
`

// acquire takes a slot ARGV[1] and one call of the rate, both or neither: limit, lease,
// breaker's failures and open time, the rate's interval (0 is none) and burst in
// ARGV[2..7]. It answers an answer and milliseconds to wait. go-redis sends it
// again when the reply was lost; a holder that has its slot already keeps it.
var acquire = redis.NewScript(clock + gcra + `
local id, limit, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local failures, open = tonumber(ARGV[4]), tonumber(ARGV[5])
local interval, burst = tonumber(ARGV[6]), tonumber(ARGV[7])

local mine = redis.call('ZSCORE', KEYS[1], id)
if mine and tonumber(mine) > now then
	return {0, 0}
end
local wait = number(KEYS[2], 'until') - now
local tripped = number(KEYS[3], 'failures') >= failures
if tripped then
	wait = math.max(wait, number(KEYS[3], 'until') - now)
end
if wait > 0 then
	return {2, wait}
end
if limit > 0 then
	redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
	if redis.call('ZCARD', KEYS[1]) >= limit then
		return {3, 0}
	end
end
if interval > 0 then
	wait = pause(interval, burst)
	if wait > 0 then
		return {4, wait}
	end
	count(interval, burst)
end
if limit > 0 then
	redis.call('ZADD', KEYS[1], now + lease, id)
	keep(KEYS[1], lease, #ARGV + 1)
end
if tripped then
	redis.call('HSET', KEYS[3], 'until', now + open)
	return {1, 0}
end
return {0, 0}
`)

// spent answers for how many milliseconds the rate of interval ARGV[1] and burst
// ARGV[2] lets no call through.
var spent = redis.NewScript(clock + gcra + `
return pause(tonumber(ARGV[1]), tonumber(ARGV[2]))
`)

// untry releases the slot ARGV[1] and leaves the trial to the next who asks.
var untry = redis.NewScript(`
redis.call('ZREM', KEYS[1], ARGV[1])
if redis.call('EXISTS', KEYS[3]) == 1 then
	redis.call('HSET', KEYS[3], 'until', 0)
end
return 0
`)

// renew takes the lease and the holders. Holders that are not there, because
// Redis lost them or was away for longer than a lease, are put back: their
// calls are under way whatever Redis knows.
var renew = redis.NewScript(clock + `
keep(KEYS[1], tonumber(ARGV[1]), 2)
return 0
`)

// shut closes an account for ARGV[1] milliseconds because of ARGV[2]; ARGV[3] is 1 if
// that ends by itself, ARGV[4] and ARGV[5] are what can be done. It never shortens a closing.
var shut = redis.NewScript(clock + `
local till = now + tonumber(ARGV[1])
if till > number(KEYS[2], 'until') then
	redis.call('HSET', KEYS[2], 'until', till, 'reason', ARGV[2], 'eases', ARGV[3], 'advice', ARGV[4], 'about', ARGV[5])
	redis.call('PEXPIRE', KEYS[2], ARGV[1])
end
return 0
`)

// fail counts a failure. The one that reaches ARGV[1] opens the breaker for
// ARGV[2] milliseconds; those of calls that were already under way then do not
// prolong it. Failures more than ARGV[3] milliseconds apart are not in a row. ARGV[4]
// says what failed, ARGV[5] and ARGV[6] what can be done.
var fail = redis.NewScript(clock + `
local n = redis.call('HINCRBY', KEYS[3], 'failures', 1)
redis.call('HSET', KEYS[3], 'reason', ARGV[4], 'advice', ARGV[5], 'about', ARGV[6])
if n >= tonumber(ARGV[1]) and number(KEYS[3], 'until') <= now then
	redis.call('HSET', KEYS[3], 'until', now + tonumber(ARGV[2]))
end
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return 0
`)

// look answers until when the account is closed, the reason, until when its
// breaker is open, the failures in a row, the slots taken, 1 if the closing ends by
// itself, and the last failure; then what can be done about the closing and the failure.
var look = redis.NewScript(clock + `
local function ahead(till)
	if till > now then return till end
	return 0
end
return {
	ahead(number(KEYS[2], 'until')),
	redis.call('HGET', KEYS[2], 'reason') or '',
	ahead(number(KEYS[3], 'until')),
	number(KEYS[3], 'failures'),
	redis.call('ZCOUNT', KEYS[1], '(' .. now, '+inf'),
	redis.call('HGET', KEYS[2], 'eases') or '',
	redis.call('HGET', KEYS[3], 'reason') or '',
	redis.call('HGET', KEYS[2], 'advice') or '',
	redis.call('HGET', KEYS[2], 'about') or '',
	redis.call('HGET', KEYS[3], 'advice') or '',
	redis.call('HGET', KEYS[3], 'about') or '',
}
`)
