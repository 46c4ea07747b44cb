"""The steps that must not come apart, as Lua scripts; none of them decodes JSON.

A script that fails in its middle is not rolled back. Each therefore writes a message to its new place before it
removes it from the old one, and does not fail for the sake of a counter or a key of somebody else's type.
"""

from __future__ import annotations

import hashlib

_PUSH = """
local function wake(key)
  if redis.pcall('LLEN', key) == 0 then redis.pcall('LPUSH', key, 1) end
end
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local function count(key, counter)
  redis.pcall('HINCRBY', key, counter, 1)
  redis.pcall('HSETNX', key, 'since', string.format('%.6f', now()))
end
"""

_MARK = """
-- A message of somebody else that was counted says so in its text once it leaves the worker that counted it.
local function marked(message, is_adopted)
  local brace = is_adopted == '1' and string.find(message, '{', 1, true)
  if not brace or string.find(message, '"nexus_publication"', 1, true) then return message end
  return string.sub(message, 1, brace) .. '"nexus_publication": "adopted", ' .. string.sub(message, brace + 1)
end
"""

PUBLISH = (
    _PUSH
    + """
-- KEYS: list, wake, counters, delayed, the run's latest publication
-- ARGV: message, counter, due time or '', member of the delayed set, publication, seconds to remember it
-- Answers 0 when this publication arrived before: the publisher did not hear the answer and tries again;
-- 2 when the run was published a moment ago, so that it is not counted a second time; else 1.
local latest = redis.call('GET', KEYS[5])
if latest == ARGV[5] then return 0 end
redis.call('SET', KEYS[5], ARGV[5], 'EX', ARGV[6])
if ARGV[3] ~= '' and tonumber(ARGV[3]) > now() then
  redis.call('ZADD', KEYS[4], ARGV[3], ARGV[4])
else
  redis.call('LPUSH', KEYS[1], ARGV[1])
  wake(KEYS[2])
end
if latest and ARGV[2] == 'submitted' then return 2 end
count(KEYS[3], ARGV[2])
return 1
"""
)

NOT_COUNTED = 2
"""What :data:`PUBLISH` answers when a run was published a moment ago, too."""

ADOPT = (
    _PUSH
    + """
-- KEYS: in flight, counters; ARGV: field, its new name, counter
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message then return 0 end
redis.call('HSET', KEYS[1], ARGV[2], message)
redis.call('HDEL', KEYS[1], ARGV[1])
count(KEYS[2], ARGV[3])
return 1
"""
)

FETCH = """
-- KEYS: in flight, the queues' delayed sets, their lists by priority and queue
-- ARGV: id, number of queues, priorities as digits, most bytes of a message
-- Answers {list, message} ({list, false, its size} of a larger one), or the seconds until the next delayed message as
-- text, or false. A key that is no list or no sorted set is passed over.
local queues = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local soonest = false
for q = 1, queues do
  local first = redis.pcall('ZRANGE', KEYS[1 + q], 0, 0, 'WITHSCORES')
  if first[1] then
    if tonumber(first[2]) > now then
      local left = tonumber(first[2]) - now
      if not soonest or left < soonest then soonest = left end
    else
      local due = redis.call('ZRANGEBYSCORE', KEYS[1 + q], '-inf', now, 'LIMIT', 0, 100)
      for _, member in ipairs(due) do
        local place = string.find(ARGV[3], string.sub(member, 1, 1), 1, true) or 1
        local pushed = redis.pcall('LPUSH', KEYS[1 + queues + (place - 1) * queues + q], string.sub(member, 2))
        if type(pushed) == 'number' then redis.call('ZREM', KEYS[1 + q], member) end
      end
    end
  end
end
for i = 2 + queues, #KEYS do
  local message = redis.pcall('RPOP', KEYS[i])
  if type(message) == 'string' then
    local noted = redis.pcall('HSET', KEYS[1], ARGV[1] .. ' ' .. KEYS[i], message)
    if type(noted) == 'table' then
      redis.call('RPUSH', KEYS[i], message)
      return noted
    end
    if #message > tonumber(ARGV[4]) then return {KEYS[i], false, #message} end
    return {KEYS[i], message}
  elseif message and not string.find(message.err, 'WRONGTYPE', 1, true) then
    return message
  end
end
if soonest then return string.format('%.6f', soonest) end
return false
"""

FETCH_SHA = hashlib.sha1(FETCH.encode()).hexdigest()  # noqa: S324  (Redis names scripts so)

RESTORE = (
    _PUSH
    + _MARK
    + """
-- KEYS: in flight, list, wake; ARGV: field, RPUSH (next) or LPUSH (last), message or '' for the recorded one, adopted
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message then return 0 end
if ARGV[3] ~= '' then message = ARGV[3] end
redis.call(ARGV[2], KEYS[2], marked(message, ARGV[4]))
redis.call('HDEL', KEYS[1], ARGV[1])
wake(KEYS[3])
return 1
"""
)

DELAY = (
    _MARK
    + """
-- KEYS: in flight, delayed; ARGV: field, due time, priority, adopted
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message then return 0 end
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3] .. marked(message, ARGV[4]))
redis.call('HDEL', KEYS[1], ARGV[1])
return 1
"""
)

BURY = """
-- KEYS: in flight, dead, facts, bytes
-- ARGV: field, id, facts, facts of a message that was counted, time, oldest time to keep, most to keep
local message = redis.call('HGET', KEYS[1], ARGV[1])
if not message then return 0 end
local is_counted = string.find(message, '"nexus_publication"', 1, true)
redis.call('HSET', KEYS[4], ARGV[2], message)
redis.call('HSET', KEYS[3], ARGV[2], is_counted and ARGV[4] or ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[5], ARGV[2])
redis.call('HDEL', KEYS[1], ARGV[1])
local function drop(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
    redis.call('HDEL', KEYS[4], id)
  end
end
drop(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[6], 'LIMIT', 0, 100))
local extra = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[7])
if extra > 0 then drop(redis.call('ZRANGE', KEYS[2], 0, math.min(extra, 100) - 1)) end
return 1
"""

TAKE_LETTER = (
    _PUSH
    + """
-- KEYS: dead, facts, bytes, trash, list and wake (of a retry); ARGV: id, seconds that the trash lives, message
-- A letter that is dropped or retried goes to the trash, whence it can be taken back. Answers 0 when it is gone.
local bytes = redis.call('HGET', KEYS[3], ARGV[1])
if not bytes then return 0 end
local at, facts = redis.call('ZSCORE', KEYS[1], ARGV[1]), redis.call('HGET', KEYS[2], ARGV[1])
if KEYS[5] then
  redis.call('LPUSH', KEYS[5], ARGV[3])
  wake(KEYS[6])
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('HDEL', KEYS[3], ARGV[1])
if tonumber(ARGV[2]) > 0 then
  redis.call('RPUSH', KEYS[4], cmsgpack.pack({ARGV[1], at, facts, bytes, KEYS[5] or '', ARGV[3] or ''}))
  redis.call('EXPIRE', KEYS[4], ARGV[2])
end
return 1
"""
)

RETURN_LETTERS = """
-- KEYS: dead, facts, bytes, trash; ARGV: how many at most
-- Answers: letters that are back, letters whose run was taken by a worker meanwhile
local back, taken = 0, 0
for _ = 1, tonumber(ARGV[1]) do
  local packed = redis.call('RPOP', KEYS[4])
  if not packed then break end
  local id, at, facts, bytes, list, message = unpack(cmsgpack.unpack(packed))
  if list ~= '' and redis.call('LREM', list, 1, message) == 0 then
    taken = taken + 1
  else
    redis.call('ZADD', KEYS[1], at, id)
    redis.call('HSET', KEYS[2], id, facts)
    redis.call('HSET', KEYS[3], id, bytes)
    back = back + 1
  end
end
return {back, taken}
"""

UNMARKED = """
-- KEYS[1] list or sorted set; ARGV: first and last index
-- Answers: how many messages were seen, how many of them nobody has counted yet
local read = redis.call('TYPE', KEYS[1]).ok == 'zset' and 'ZRANGE' or 'LRANGE'
local part, unmarked = redis.call(read, KEYS[1], ARGV[1], ARGV[2]), 0
for _, message in ipairs(part) do
  if not string.find(message, '"nexus_publication"', 1, true) then unmarked = unmarked + 1 end
end
return {#part, unmarked}
"""

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
