"""The steps that must not come apart, as Lua scripts; none of them decodes JSON."""

from __future__ import annotations

import hashlib

_PUSH = """
local function wake(key)
  if redis.call('LLEN', key) == 0 then redis.call('LPUSH', key, 1) end
end
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
"""

PUBLISH = (
    _PUSH
    + """
-- KEYS: list, wake, counters, delayed; ARGV: message, counter, due time or '', member of the delayed set
if ARGV[3] ~= '' and tonumber(ARGV[3]) > now() then
  redis.call('ZADD', KEYS[4], ARGV[3], ARGV[4])
else
  redis.call('LPUSH', KEYS[1], ARGV[1])
  wake(KEYS[2])
end
redis.call('HINCRBY', KEYS[3], ARGV[2], 1)
return 1
"""
)

FETCH = """
-- KEYS: in flight, the queues' delayed sets, their lists by priority and queue
-- ARGV: id, number of queues, priorities as digits
-- Answers {list, message}, or the seconds until the next delayed message as text, or false.
local queues = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local soonest = false
for q = 1, queues do
  local first = redis.call('ZRANGE', KEYS[1 + q], 0, 0, 'WITHSCORES')
  if first[1] then
    if tonumber(first[2]) > now then
      local left = tonumber(first[2]) - now
      if not soonest or left < soonest then soonest = left end
    else
      local due = redis.call('ZRANGEBYSCORE', KEYS[1 + q], '-inf', now, 'LIMIT', 0, 100)
      for _, member in ipairs(due) do
        local place = string.find(ARGV[3], string.sub(member, 1, 1), 1, true) or 1
        redis.call('ZREM', KEYS[1 + q], member)
        redis.call('LPUSH', KEYS[1 + queues + (place - 1) * queues + q], string.sub(member, 2))
      end
    end
  end
end
for i = 2 + queues, #KEYS do
  local message = redis.call('RPOP', KEYS[i])
  if message then
    redis.call('HSET', KEYS[1], ARGV[1] .. ' ' .. KEYS[i], message)
    return {KEYS[i], message}
  end
end
if soonest then return string.format('%.6f', soonest) end
return false
"""

FETCH_SHA = hashlib.sha1(FETCH.encode()).hexdigest()  # noqa: S324  (Redis names scripts so)

RESTORE = (
    _PUSH
    + """
-- KEYS: in flight, list, wake; ARGV: field, RPUSH (next) or LPUSH (last), message or '' for the recorded one
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
if ARGV[3] ~= '' then message = ARGV[3] end
redis.call(ARGV[2], KEYS[2], message)
wake(KEYS[3])
return 1
"""
)

DELAY = """
-- KEYS: in flight, delayed; ARGV: field, due time, priority
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3] .. message)
return 1
"""

BURY = """
-- KEYS: in flight, dead, facts, bytes; ARGV: field, id, facts, time, oldest time to keep, most to keep
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
redis.call('HSET', KEYS[3], ARGV[2], ARGV[3])
redis.call('HSET', KEYS[4], ARGV[2], message)
local function drop(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
    redis.call('HDEL', KEYS[4], id)
  end
end
drop(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[5], 'LIMIT', 0, 100))
local extra = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[6])
if extra > 0 then drop(redis.call('ZRANGE', KEYS[2], 0, math.min(extra, 100) - 1)) end
return 1
"""

RETRY_LETTER = (
    _PUSH
    + """
-- KEYS: dead, facts, bytes, list, wake; ARGV: id, message
if redis.call('HDEL', KEYS[3], ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('LPUSH', KEYS[4], ARGV[2])
wake(KEYS[5])
return 1
"""
)

TAKE_LEASE = """
-- KEYS: leases; ARGV: node, the record that was seen ('' for none), the new record without its time
local seen = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if seen ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

DROP_LEASE = """
-- KEYS: leases; ARGV: node, the record that was seen
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
