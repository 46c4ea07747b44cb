"""The steps of mail for later that must not come apart, as Lua scripts.

KEYS of each: due (ids by time), mails (id to text), claimed (ids by time of the claim), what became of this id. A
command that is refused leaves the mail where it is found again: a script that is called once more goes on from there.
"""

from __future__ import annotations

ADD = """
-- ARGV: id, mail, time. Answers what became of it, or 'waiting'
local settled = redis.call('GET', KEYS[4])
if settled then return settled end
local is_known = redis.call('HEXISTS', KEYS[2], ARGV[1]) == 1
local has_place = redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZSCORE', KEYS[3], ARGV[1])
if is_known and has_place then return 'waiting' end
redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1])
if not is_known then
  local stored = redis.pcall('HSET', KEYS[2], ARGV[1], ARGV[2])
  if type(stored) == 'table' then
    redis.pcall('ZREM', KEYS[1], ARGV[1])
    return stored
  end
end
return 'waiting'
"""

CLAIM = """
-- ARGV: seconds after which a claim is anybody's, most mails. Answers the mails
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local ids = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2] - #ids)) do
  redis.call('ZADD', KEYS[3], now, id)
  redis.call('ZREM', KEYS[1], id)
  table.insert(ids, id)
end
local found = {}
for _, id in ipairs(ids) do
  local mail = redis.call('HGET', KEYS[2], id)
  if mail then
    redis.call('ZADD', KEYS[3], now, id)
    table.insert(found, mail)
  else
    redis.call('ZREM', KEYS[3], id)
  end
end
return found
"""

SETTLE = """
-- ARGV: id, seconds that it is known. The mail goes first, so that it is not handed over again
redis.call('HDEL', KEYS[2], ARGV[1])
redis.pcall('SET', KEYS[4], 'sent', 'EX', ARGV[2])
redis.pcall('ZREM', KEYS[3], ARGV[1])
"""

CANCEL = """
-- ARGV: id, seconds that it is known. Answers 'cancelled now', or what had become of it before
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  redis.call('HDEL', KEYS[2], ARGV[1])
  redis.call('SET', KEYS[4], 'cancelled', 'EX', ARGV[2])
  redis.call('ZREM', KEYS[1], ARGV[1])  -- last: who tries again looks for it
  return 'cancelled now'
end
if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return 'sent' end
return redis.call('GET', KEYS[4])
"""

CHANGE = """
-- ARGV: id, mail as it was read, new mail, new time. Answers 'changed', 'again', or what had become of it before
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  if redis.call('ZSCORE', KEYS[3], ARGV[1]) then return 'sent' end
  return redis.call('GET', KEYS[4]) or 'unknown'
end
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then return 'again' end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
local moved = redis.pcall('ZADD', KEYS[1], ARGV[4], ARGV[1])
if type(moved) == 'table' then
  redis.pcall('HSET', KEYS[2], ARGV[1], ARGV[2])
  return moved
end
return 'changed'
"""
