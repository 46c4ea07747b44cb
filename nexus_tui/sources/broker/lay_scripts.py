"""What laying a list over and back runs inside Redis."""

from __future__ import annotations

from nexus_tui.sources.broker.scripts import DELETED, WAKE

_EDIT = (
    WAKE
    + DELETED
    + """
local source, neighbour, aside, trash, target = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local lives, push = tonumber(ARGV[1]), ARGV[2]
local from_left = true
local function edit(message, changed, pivot)
  if changed ~= '' then
    redis.call(push, target, changed)
    wake(KEYS[7])
  end
  if lives > 0 then
    redis.call('RPUSH', trash, cmsgpack.pack({source, message, target, changed, pivot or '', KEYS[6], from_left}))
    redis.call('EXPIRE', trash, lives)
    if changed == '' then count_deleted(KEYS[8], message, 1) end
  end
end
-- What was published meanwhile is at the left of what we work on: it is set aside for the time of this step.
local function set_aside(first)
  local new = 0
  if first == '' then
    new = redis.call('LLEN', source)
  else
    local place = redis.call('LPOS', source, first, 'MAXLEN', 5000)
    if not place then
      if redis.call('LLEN', source) > 5000 then return nil end
      place = redis.call('LLEN', source)
    end
    new = place
  end
  for _ = 1, new do redis.call('LMOVE', source, aside, 'LEFT', 'RIGHT') end
  return new
end
local function put_back(new)
  for _ = 1, new do redis.call('LMOVE', aside, source, 'RIGHT', 'LEFT') end
end
"""
)

LAY_OVER = (
    _EDIT
    + """
-- KEYS: list, the list that is consumed after it, empty list, trash, target, wake lists of list and target, counters
-- ARGV: seconds that the trash lives, LPUSH | RPUSH, message that was last at the left, how many messages,
--   how many must stay in the list, then for each to be changed: its place from 0, its SHA1, its new bytes or ''
-- Takes messages from the left of the list to the right of its neighbour, where they are still consumed after all
-- others of the list and before the neighbour's own; those that are named are changed.
-- Answers: messages laid over, messages changed, what is now at the left ('' when nothing is), how many stayed;
--   false: what was at the left moved away
local new = set_aside(ARGV[3])
if not new then return false end
local laid, changed, next_one, stay = 0, 0, 6, tonumber(ARGV[5])
for place = 0, tonumber(ARGV[4]) - 1 do
  local message = redis.call('LINDEX', source, 0)
  if not message or redis.call('LLEN', source) <= stay then break end
  if ARGV[next_one] and tonumber(ARGV[next_one]) == place then
    if redis.sha1hex(message) ~= ARGV[next_one + 1] then break end
    redis.call('LPOP', source)
    edit(message, ARGV[next_one + 2], redis.call('LINDEX', source, 0))
    changed = changed + 1
    next_one = next_one + 3
  else
    redis.call('LMOVE', source, neighbour, 'LEFT', 'RIGHT')
    laid = laid + 1
  end
end
local first, rest = redis.call('LINDEX', source, 0) or '', redis.call('LLEN', source)
put_back(new)
return {laid, changed, first, rest}
"""
)

LAY_BACK = (
    _EDIT
    + """
-- KEYS and ARGV as above, but places count from the right of the neighbour, and after the message at the left of the
--   list comes the SHA1 of the message that is expected at the right of the neighbour.
-- Answers: messages looked at, messages changed, what is now at the left; false when another message is there
from_left = false
if redis.sha1hex(redis.call('LINDEX', neighbour, -1) or '') ~= ARGV[4] then return false end
local new = set_aside(ARGV[3]) or 0
local looked, changed, next_one = 0, 0, 6
for place = 0, tonumber(ARGV[5]) - 1 do
  local message = redis.call('LINDEX', neighbour, -1)
  if not message then break end
  if ARGV[next_one] and tonumber(ARGV[next_one]) == place then
    if redis.sha1hex(message) ~= ARGV[next_one + 1] then break end
    redis.call('RPOP', neighbour)
    edit(message, ARGV[next_one + 2], redis.call('LINDEX', source, 0))
    changed = changed + 1
    next_one = next_one + 3
  else
    redis.call('LMOVE', neighbour, source, 'RIGHT', 'LEFT')
  end
  looked = looked + 1
end
local first = redis.call('LINDEX', source, 0) or ''
put_back(new)
if redis.call('LLEN', source) > 0 then wake(KEYS[6]) end
return {looked, changed, first}
"""
)
