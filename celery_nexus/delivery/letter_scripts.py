"""Lua scripts for dead letters; see :mod:`celery_nexus.delivery.scripts`."""

from __future__ import annotations

from celery_nexus.delivery.scripts import FENCE, STEPS, WAKE

SET_ASIDE = (
    STEPS
    + FENCE
    + """
-- KEYS: in flight, leases, dead, facts, bytes, ends
-- ARGV: node, token, field, id, facts, facts of a message that was counted, time, oldest time to keep, most to keep,
--   most bytes of a message that are noted
-- Its run ends, too: the facts are the first line of a note of that, see celery_nexus/delivery/ends/endings.py.
-- Answers 0 when the message is not held any more.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
local message = redis.call('HGET', KEYS[1], ARGV[3])
if not message then return 0 end
local is_counted = string.find(message, '"nexus_publication"', 1, true)
local is_done = carry_out({
  {{'HSET', KEYS[5], ARGV[4], message}, {'HDEL', KEYS[5], ARGV[4]}},
  {{'HSET', KEYS[4], ARGV[4], is_counted and ARGV[6] or ARGV[5]}, {'HDEL', KEYS[4], ARGV[4]}},
  {{'ZADD', KEYS[3], ARGV[7], ARGV[4]}, {'ZREM', KEYS[3], ARGV[4]}},
  {{'HDEL', KEYS[1], ARGV[3]}},
})
if not is_done then return problem end
local noted = message
if #message > tonumber(ARGV[10]) then noted = string.sub(message, -65536) end
redis.pcall('RPUSH', KEYS[6], ARGV[5] .. '\\n' .. noted)
local function drop(ids)
  for _, id in ipairs(ids) do
    if type(redis.pcall('ZREM', KEYS[3], id)) ~= 'number' then return end
    redis.pcall('HDEL', KEYS[4], id)
    redis.pcall('HDEL', KEYS[5], id)
  end
end
drop(redis.pcall('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[8], 'LIMIT', 0, 100))
local letters = redis.pcall('ZCARD', KEYS[3])
local extra = type(letters) == 'number' and letters - tonumber(ARGV[9]) or 0
if extra > 0 then drop(redis.pcall('ZRANGE', KEYS[3], 0, math.min(extra, 100) - 1)) end
return 1
"""
)

TAKE_LETTER = (
    WAKE
    + STEPS
    + """
-- KEYS: dead, facts, bytes, trash, list and wake (of a retry); ARGV: id, seconds that the trash lives, message
-- A letter that is dropped or retried goes to the trash, whence it can be taken back. Answers 0 when it is gone.
local bytes = redis.call('HGET', KEYS[3], ARGV[1])
if not bytes then return 0 end
local at = redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0
local facts = redis.call('HGET', KEYS[2], ARGV[1]) or '{}'
local is_kept, steps = tonumber(ARGV[2]) > 0, {}
if is_kept then
  local kept = cmsgpack.pack({ARGV[1], at, facts, bytes, KEYS[5] or '', ARGV[3] or ''})
  steps[1] = {{'RPUSH', KEYS[4], kept}, {'RPOP', KEYS[4]}}
end
if KEYS[5] then steps[#steps + 1] = {{'LPUSH', KEYS[5], ARGV[3]}, {'LPOP', KEYS[5]}} end
steps[#steps + 1] = {{'ZREM', KEYS[1], ARGV[1]}, {'ZADD', KEYS[1], at, ARGV[1]}}
steps[#steps + 1] = {{'HDEL', KEYS[2], ARGV[1]}, {'HSET', KEYS[2], ARGV[1], facts}}
steps[#steps + 1] = {{'HDEL', KEYS[3], ARGV[1]}}
if not carry_out(steps) then return problem end
if is_kept then redis.pcall('EXPIRE', KEYS[4], ARGV[2]) end
if KEYS[5] then wake(KEYS[6]) end
return 1
"""
)

RETURN_LETTERS = (
    STEPS
    + """
-- KEYS: dead, facts, bytes, trash, ends; ARGV: how many at most
-- A run that was to be tried again ends once more.
-- Answers: letters that are back, letters whose run was taken by a worker meanwhile
local back, taken = 0, 0
for _ = 1, tonumber(ARGV[1]) do
  local packed = try('LINDEX', KEYS[4], -1)
  if not packed then break end
  local id, at, facts, bytes, list, message = unpack(cmsgpack.unpack(packed))
  local is_retried = list ~= ''
  local is_there = is_retried and try('LPOS', list, message)
  if problem then break end
  local steps = {{{'RPOP', KEYS[4]}, {'RPUSH', KEYS[4], packed}}}
  if is_there or not is_retried then
    table.insert(steps, 1, {{'HSET', KEYS[3], id, bytes}, {'HDEL', KEYS[3], id}})
    table.insert(steps, 2, {{'HSET', KEYS[2], id, facts}, {'HDEL', KEYS[2], id}})
    table.insert(steps, 3, {{'ZADD', KEYS[1], at, id}, {'ZREM', KEYS[1], id}})
  end
  if is_there then steps[#steps + 1] = {{'LREM', list, 1, message}} end
  if not carry_out(steps) then break end
  if is_retried and not is_there then
    taken = taken + 1
  else
    if is_retried then redis.pcall('RPUSH', KEYS[5], facts .. '\\n' .. bytes) end
    back = back + 1
  end
end
if problem and back + taken == 0 then return problem end
return {back, taken}
"""
)
