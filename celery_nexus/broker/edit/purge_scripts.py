"""Lua scripts that purge whole lists, and restore them."""

from __future__ import annotations

from celery_nexus.broker.wire.scripts import WAKE

PURGE = """
-- KEYS: list, trash, list, trash …, ends; ARGV: seconds that the trash lives, note of the end of all or ''
-- Answers how many messages are gone, and 1 when their end was noted (a broker without memory left can't); costs the
-- same for one and for a million
local gone, noted = 0, 0
if ARGV[2] ~= '' then
  -- First of all: a script that has written something is not refused any more for want of memory.
  noted = type(redis.pcall('RPUSH', KEYS[#KEYS], ARGV[2] .. '\\n')) == 'number' and 1 or 0
end
local function give_up(problem, last)
  for index = 1, last, 2 do
    if redis.pcall('EXISTS', KEYS[index]) == 0 then
      redis.pcall('PERSIST', KEYS[index + 1])
      redis.pcall('RENAME', KEYS[index + 1], KEYS[index])
    end
  end
  if noted == 1 then redis.pcall('RPOP', KEYS[#KEYS]) end
  return problem
end
for index = 1, #KEYS - 1, 2 do
  local length = redis.pcall('LLEN', KEYS[index])
  if type(length) == 'table' then return give_up(length, index - 2) end
  if length > 0 then
    local renamed = redis.pcall('RENAME', KEYS[index], KEYS[index + 1])
    if renamed.err then return give_up(renamed, index - 2) end
    redis.pcall('EXPIRE', KEYS[index + 1], ARGV[1])
    gone = gone + length
  end
end
if gone == 0 and noted == 1 then
  redis.pcall('RPOP', KEYS[#KEYS])
  noted = 0
end
return {gone, noted}
"""

UNPURGE = (
    WAKE
    + """
-- KEYS[1] trash, KEYS[2] list, KEYS[3] wake list; ARGV: how many at most
-- Puts messages back where they run before everything that came later. Answers how many
wake(KEYS[3])
if redis.call('EXISTS', KEYS[2]) == 0 then
  local length, left_ms = redis.call('LLEN', KEYS[1]), redis.call('PTTL', KEYS[1])
  if length > 0 then
    redis.call('PERSIST', KEYS[1])  -- what is back in its queue must not end with the trash
    local renamed = redis.pcall('RENAME', KEYS[1], KEYS[2])
    if renamed.err then
      if left_ms > 0 then redis.pcall('PEXPIRE', KEYS[1], left_ms) end
      return renamed
    end
  end
  return length
end
local back = 0
for _ = 1, tonumber(ARGV[1]) do
  local moved = redis.pcall('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT')
  if type(moved) == 'table' and back == 0 then return moved end
  if type(moved) ~= 'string' then break end
  back = back + 1
end
return back
"""
)
