"""Lua scripts of reliable delivery: steps that must be atomic; none decodes JSON.

A script that fails in its middle is not rolled back. Each therefore writes a message to its new place before it
removes it from the old one, takes it out of the new one when that is refused, so that it is not there twice, and raises
counters and marks last, without failing for their sake or for a key of somebody else's type. What a worker holds is
touched by whoever has the token of its lease, and by nobody else; an empty token is that of a tool without a lease.
"""

from __future__ import annotations

CHANGE = """
-- What is known of a queue is not true any more, see delivery/transport/fetch_script.py; its name ends that of the key.
local function note_change(key, before)
  local at = string.find(key, before, 1, true)
  if at then redis.pcall('HSET', string.sub(key, 1, at - 1) .. 'nexus:waiting', string.sub(key, at + #before), '?') end
end
"""

WAKE = (
    CHANGE
    + """
local function wake(key)
  note_change(key, 'nexus:wake:')
  if redis.pcall('LLEN', key) == 0 then redis.pcall('LPUSH', key, 1) end
end
local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end
local function count(key, counter)
  if redis.pcall('HINCRBY', key, counter, 1) ~= 1 then return end
  local is_known, at = pcall(now)
  if is_known then redis.pcall('HSETNX', key, 'since', string.format('%.6f', at)) end
end
"""
)

STEPS = """
-- The first command that was refused: a step ends before it, and answers what it did.
local problem
local function try(...)
  local answer = redis.pcall(...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  problem = problem or answer
  return nil
end
-- Nothing refuses to end what it let begin; if something does all the same, it is tried once more.
local function finish(...)
  return try(...) or try(...)
end
-- Gives commands in their order, each with the one that takes it back: when one is refused, those before it are.
local function carry_out(steps)
  for number, step in ipairs(steps) do
    local done = try(unpack(step[1]))
    if done == -1 then problem = redis.error_reply('the message behind which others belong is gone') end  -- LINSERT
    if not done or done == -1 then
      for before = number - 1, 1, -1 do
        if steps[before][2] then redis.pcall(unpack(steps[before][2])) end
      end
      return false
    end
  end
  return true
end
"""
"""Lua function that takes several steps of which none may be left out."""

FENCE = """
local function holds(leases, node, token)
  if token == '' then return true end
  local record = redis.call('HGET', leases, node)
  return record and string.find(record, token, 1, true) ~= nil
end
"""

MARK = """
-- A message of somebody else that was counted says so in its text once it leaves the worker that counted it.
local function marked(message, is_adopted)
  local brace = is_adopted == '1' and string.find(message, '{', 1, true)
  if not brace or string.find(message, '"nexus_publication"', 1, true) then return message end
  return string.sub(message, 1, brace) .. '"nexus_publication": "adopted", ' .. string.sub(message, brace + 1)
end
"""

PUBLISH = (
    WAKE
    + """
-- KEYS: list, wake, counters, delayed, the run's latest publication
-- ARGV: message, counter, due time or '', member of the delayed set, publication, seconds to remember it
-- Answers 0 when this publication arrived before: the publisher did not hear the answer and tries again;
-- 2 when the run was published a moment ago, so that it is not counted a second time; else 1.
local latest = redis.pcall('GET', KEYS[5])
if latest == ARGV[5] then return 0 end
if ARGV[3] ~= '' and tonumber(ARGV[3]) > now() then
  redis.call('ZADD', KEYS[4], ARGV[3], ARGV[4])
  note_change(KEYS[2], 'nexus:wake:')
else
  redis.call('LPUSH', KEYS[1], ARGV[1])
  wake(KEYS[2])
end
redis.pcall('SET', KEYS[5], ARGV[5], 'EX', ARGV[6])
if type(latest) == 'string' and ARGV[2] == 'submitted' then return 2 end
count(KEYS[3], ARGV[2])
return 1
"""
)

NOT_COUNTED = 2
"""Reply of :data:`PUBLISH` when the run was published a moment ago, too."""

ADOPT = (
    WAKE
    + STEPS
    + FENCE
    + """
-- KEYS: in flight, leases, counters; ARGV: node, token, field, its new name, counter
-- Answers 0 when the message is not held any more.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
local message = redis.call('HGET', KEYS[1], ARGV[3])
if not message then return 0 end
local renamed = carry_out({
  {{'HSET', KEYS[1], ARGV[4], message}, {'HDEL', KEYS[1], ARGV[4]}},
  {{'HDEL', KEYS[1], ARGV[3]}},
})
if not renamed then return problem end
count(KEYS[3], ARGV[5])
return 1
"""
)

FENCED = "FENCED"
"""Beginning of the error with which a fetch answers a worker whose lease is another's by now."""

START = (
    FENCE
    + """
-- KEYS: in flight, leases, started
-- ARGV: node, token, field, how many acknowledgements, fields that are acknowledged, fields of runs that have ended
-- Answers 0 when the run must not start: its message is not held any more. Else 1 and how many of the acknowledged
-- were held, -1 when the acknowledgements were refused.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
if redis.call('HEXISTS', KEYS[1], ARGV[3]) == 0 then return 0 end
redis.pcall('HSET', KEYS[3], ARGV[3], '')
local last, removed = 4 + tonumber(ARGV[4]), 0
if last > 4 then removed = redis.pcall('HDEL', KEYS[1], unpack(ARGV, 5, last)) end
if #ARGV > last then redis.pcall('HDEL', KEYS[3], unpack(ARGV, last + 1)) end
return type(removed) == 'number' and 1 + removed or -1
"""
)

RESTORE = (
    WAKE
    + STEPS
    + MARK
    + FENCE
    + """
-- KEYS: in flight, leases, list, wake
-- ARGV: node, token, field, RPUSH (next) or LPUSH (last), message or '' for the recorded one, adopted
-- Answers 0 when the message is not held any more.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
local message = redis.call('HGET', KEYS[1], ARGV[3])
if not message then return 0 end
if ARGV[5] ~= '' then message = ARGV[5] end
local restored = carry_out({
  {{ARGV[4], KEYS[3], marked(message, ARGV[6])}, {ARGV[4] == 'RPUSH' and 'RPOP' or 'LPOP', KEYS[3]}},
  {{'HDEL', KEYS[1], ARGV[3]}},
})
if not restored then return problem end
wake(KEYS[4])
return 1
"""
)

DELAY = (
    CHANGE
    + STEPS
    + MARK
    + FENCE
    + """
-- KEYS: in flight, leases, delayed; ARGV: node, token, field, due time, priority, adopted
-- Answers 0 when the message is not held any more.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then return 0 end
local message = redis.call('HGET', KEYS[1], ARGV[3])
if not message then return 0 end
local member = ARGV[5] .. marked(message, ARGV[6])
local delayed = carry_out({
  {{'ZADD', KEYS[3], ARGV[4], member}, {'ZREM', KEYS[3], member}},
  {{'HDEL', KEYS[1], ARGV[3]}},
})
if not delayed then return problem end
note_change(KEYS[3], 'nexus:delayed:')
return 1
"""
)

RELEASE = (
    CHANGE
    + STEPS
    + """
-- KEYS: delayed, list; ARGV: member, its message
-- Answers 0 when it is not delayed any more.
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
local released = carry_out({
  {{'LPUSH', KEYS[2], ARGV[2]}, {'LPOP', KEYS[2]}},
  {{'ZREM', KEYS[1], ARGV[1]}},
})
if not released then return problem end
note_change(KEYS[1], 'nexus:delayed:')
return 1
"""
)
"""Script that moves a delayed message to its queue before its time; the worker that takes it waits until then."""

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

REVIVE = """
-- KEYS: record of the result backend, then of its group: parts, who counted, claim; ARGV: id, place in its group
-- Forgets that a run was revoked or failed, and its part of a chord that goes on; answers 0 when that has ended.
local known = redis.pcall('GETRANGE', KEYS[1], 0, 100)
for _, state in ipairs({'"status": "REVOKED"', '"status": "FAILURE"'}) do
  if type(known) == 'string' and string.find(known, state, 1, true) then redis.call('DEL', KEYS[1]) end
end
if not KEYS[2] then return 1 end
if redis.call('EXISTS', KEYS[4]) == 1 then return 0 end
if redis.call('SISMEMBER', KEYS[3], ARGV[1] .. ':' .. ARGV[2]) == 0 then return 1 end
local mine = '[1, "' .. ARGV[1] .. '"'
for _, part in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], ARGV[2], ARGV[2])) do
  if string.sub(part, 1, #mine) == mine then redis.call('ZREM', KEYS[2], part) end
end
redis.call('SREM', KEYS[3], ARGV[1] .. ':' .. ARGV[2])  -- last: who tries again looks for it
return 1
"""

RELEASE_LOCK = """
-- KEYS: lock; ARGV: who holds it. Somebody else's is left alone.
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

TAKE_LEASE = """
-- KEYS: leases; ARGV: node, the record that was seen ('' for none), the new record
local seen = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if seen ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
"""

DROP_LEASE = (
    FENCE
    + """
-- KEYS: leases, started; ARGV: node, token
if ARGV[2] == '' or not holds(KEYS[1], ARGV[1], ARGV[2]) then return 0 end
redis.pcall('DEL', KEYS[2])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""
)
