"""The steps on dead letters that must not come apart, as Lua scripts; see :mod:`workers.delivery.scripts`."""

from __future__ import annotations

from workers.delivery.scripts import FENCE, WAKE

BURY = (
    FENCE
    + """
-- KEYS: in flight, leases, dead, facts, bytes, ends
-- ARGV: node, token, field, id, facts, facts of a message that was counted, time, oldest time to keep, most to keep,
--   most bytes of a message that are noted
-- Its run ends, too: the facts are the first line of a note of that, see workers/delivery/ends.py.
-- Answers 0 when the message is not held any more.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
local message = redis.call('HGET', KEYS[1], ARGV[3])
if not message then return 0 end
local is_counted = string.find(message, '"nexus_publication"', 1, true)
for _, step in ipairs({
  {'HSET', KEYS[5], ARGV[4], message},
  {'HSET', KEYS[4], ARGV[4], is_counted and ARGV[6] or ARGV[5]},
  {'ZADD', KEYS[3], ARGV[7], ARGV[4]},
  {'HDEL', KEYS[1], ARGV[3]},
}) do
  local done = redis.pcall(unpack(step))
  if type(done) == 'table' then
    redis.pcall('HDEL', KEYS[5], ARGV[4])
    redis.pcall('HDEL', KEYS[4], ARGV[4])
    redis.pcall('ZREM', KEYS[3], ARGV[4])
    return done
  end
end
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
    + """
-- KEYS: dead, facts, bytes, trash, list and wake (of a retry); ARGV: id, seconds that the trash lives, message
-- A letter that is dropped or retried goes to the trash, whence it can be taken back. Answers 0 when it is gone.
local bytes = redis.call('HGET', KEYS[3], ARGV[1])
if not bytes then return 0 end
local at = redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0
local facts = redis.call('HGET', KEYS[2], ARGV[1]) or '{}'
if tonumber(ARGV[2]) > 0 then
  redis.call('RPUSH', KEYS[4], cmsgpack.pack({ARGV[1], at, facts, bytes, KEYS[5] or '', ARGV[3] or ''}))
  redis.pcall('EXPIRE', KEYS[4], ARGV[2])
end
local function give_up(problem)
  if tonumber(ARGV[2]) > 0 then redis.pcall('RPOP', KEYS[4]) end
  return problem
end
if KEYS[5] then
  local pushed = redis.pcall('LPUSH', KEYS[5], ARGV[3])
  if type(pushed) == 'table' then return give_up(pushed) end
end
local removed = redis.pcall('HDEL', KEYS[3], ARGV[1])
if type(removed) == 'table' then
  if KEYS[5] then redis.pcall('LPOP', KEYS[5]) end
  return give_up(removed)
end
if KEYS[5] then wake(KEYS[6]) end
redis.pcall('HDEL', KEYS[2], ARGV[1])
redis.pcall('ZREM', KEYS[1], ARGV[1])
return 1
"""
)

RETURN_LETTERS = """
-- KEYS: dead, facts, bytes, trash, ends; ARGV: how many at most
-- A run that was to be tried again ends once more.
-- Answers: letters that are back, letters whose run was taken by a worker meanwhile
local function lift(id)
  redis.pcall('ZREM', KEYS[1], id)
  redis.pcall('HDEL', KEYS[2], id)
  redis.pcall('HDEL', KEYS[3], id)
end
local function lay(id, at, facts, bytes)
  for _, step in ipairs({{'HSET', KEYS[3], id, bytes}, {'HSET', KEYS[2], id, facts}, {'ZADD', KEYS[1], at, id}}) do
    local done = redis.pcall(unpack(step))
    if type(done) == 'table' then
      lift(id)
      return done
    end
  end
end
local back, taken = 0, 0
for _ = 1, tonumber(ARGV[1]) do
  local packed = redis.call('LINDEX', KEYS[4], -1)
  if not packed then break end
  local id, at, facts, bytes, list, message = unpack(cmsgpack.unpack(packed))
  local problem = lay(id, at, facts, bytes)
  if problem then return problem end
  local popped = redis.pcall('RPOP', KEYS[4])
  if type(popped) == 'table' then
    lift(id)
    return popped
  end
  local removed = list == '' and 1 or redis.pcall('LREM', list, 1, message)
  if type(removed) == 'table' then
    if type(redis.pcall('RPUSH', KEYS[4], packed)) == 'number' then lift(id) end
    return removed
  end
  if removed == 0 then
    lift(id)
    taken = taken + 1
  else
    if list ~= '' then redis.pcall('RPUSH', KEYS[5], facts .. '\\n' .. bytes) end
    back = back + 1
  end
end
return {back, taken}
"""
