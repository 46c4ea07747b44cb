"""Lua scripts of the list rotation."""

from __future__ import annotations

from celery_nexus.broker.wire.scripts import DELETED, NOTE_END, WAKE
from celery_nexus.delivery.scripts import STEPS

ASIDE = (
    STEPS
    + """
-- KEYS begin with: list, the list that is consumed after it, empty list; the last is the hash of what the last step of
--   each list answered
-- ARGV begin with: message that was last at the left of the list, how many messages, what the script says, number of
--   the step
local source, neighbour, aside = KEYS[1], KEYS[2], KEYS[3]
local count = tonumber(ARGV[2])
local function put_back(new)
  for _ = 1, new do finish('LMOVE', aside, source, 'RIGHT', 'LEFT') end
end
-- What was published meanwhile is at the left of what we work on: it is set aside for the time of this step.
-- Answers how many messages; nil when what was at the left moved away, or something was refused.
local function set_aside()
  local first = ARGV[1]
  local new = first ~= '' and redis.call('LPOS', source, first, 'MAXLEN', 5000)
  if not new then
    new = redis.call('LLEN', source)
    if first ~= '' and new > 5000 then return nil end
  end
  for moved = 1, new do
    if not try('LMOVE', source, aside, 'LEFT', 'RIGHT') then
      put_back(moved - 1)
      return nil
    end
  end
  return new
end
-- Answers: messages gone through, messages changed, what is now at the left ('' when nothing is), how many stayed,
--   what became of each message that was to be given back; or what refused the very first of it
local function answer(new, looked, changed, fates)
  local first, rest = finish('LINDEX', source, 0) or '', finish('LLEN', source) or 0
  put_back(new)
  if problem and looked + changed + #fates == 0 then return problem end
  local told = table.concat({ARGV[4], looked, changed, rest, '=' .. fates, first}, ' ')
  redis.pcall('HSET', KEYS[#KEYS], source, told)
  return {looked, changed, first, rest, fates}
end
"""
)
"""Lua functions with which each step begins and ends."""

_WALK = (
    WAKE
    + DELETED
    + NOTE_END
    + ASIDE
    + """
-- KEYS[4…]: trash, target, wake lists of list and target, counters, ends
-- ARGV[5…]: seconds that the trash lives, LPUSH | RPUSH, note of the end of what is taken out, then for each message
--   to be changed: its place from 0, its SHA1, its new bytes or ''
local trash, target = KEYS[4], KEYS[5]
local lives, push = tonumber(ARGV[5]), ARGV[6]
-- Takes the message at an end of a list out, when the trash and its new place have it; false when one refuses it.
local function edit(from, pop, message, changed, pivot)
  local from_left = pop == 'LPOP'
  local kept = cmsgpack.pack({source, message, target, changed, pivot or '', KEYS[6], pop == 'LPOP'})
  local steps = {}
  if lives > 0 then steps[1] = {{'RPUSH', trash, kept}, {'RPOP', trash}} end
  if changed ~= '' then
    steps[#steps + 1] = {{push, target, changed}, {push == 'LPUSH' and 'LPOP' or 'RPOP', target}}
  end
  steps[#steps + 1] = {{pop, from}}
  if not carry_out(steps) then return false end
  if changed == '' then note_end(KEYS[9], ARGV[7], message) else wake(KEYS[7]) end
  if lives > 0 then
    redis.pcall('EXPIRE', trash, lives)
    if changed == '' then count_deleted(KEYS[8], message, 1) end
  end
  return true
end
-- The message that runs just before the one at an end of a list, when that is taken out.
local function pivot_of(from, from_left)
  return try('LINDEX', source, from == source and from_left and 1 or 0)
end
local function walk(from, side, to, stay)
  local from_left, looked, changed, next_one = side == 'LEFT', 0, 0, 8
  for place = 0, count - 1 do
    local message = try('LINDEX', from, from_left and 0 or -1)
    if not message or (try('LLEN', from) or 0) <= stay then break end
    if ARGV[next_one] and tonumber(ARGV[next_one]) == place then
      if redis.sha1hex(message) ~= ARGV[next_one + 1] then break end
      local pivot = pivot_of(from, from_left)
      local pop = from_left and 'LPOP' or 'RPOP'
      if problem or not edit(from, pop, message, ARGV[next_one + 2], pivot) then break end
      changed = changed + 1
      next_one = next_one + 3
    elseif not try('LMOVE', from, to, side, from_left and 'RIGHT' or 'LEFT') then
      break
    end
    looked = looked + 1
  end
  return looked, changed
end
"""
)

LAY_OVER = (
    _WALK
    + """
-- ARGV[3]: how many must stay in the list
-- Takes messages from the left of the list to the right of its neighbour, where they are still consumed after all
-- others of the list and before the neighbour's own; those that are named are changed.
-- Answers false when what was at the left moved away
local new = set_aside()
if not new then return problem or false end
local looked, changed = walk(source, 'LEFT', neighbour, tonumber(ARGV[3]))
return answer(new, looked, changed, '')
"""
)

LAY_BACK = (
    _WALK
    + """
-- ARGV[3]: SHA1 of the message that is expected at the right of the neighbour; places count from there
-- Answers false when another message is there
if redis.sha1hex(redis.call('LINDEX', neighbour, -1) or '') ~= ARGV[3] then return false end
local new = set_aside() or 0
if problem then return problem end
local looked, changed = walk(neighbour, 'RIGHT', source, 0)
if looked > changed then wake(KEYS[6]) end
return answer(new, looked, changed, '')
"""
)

RELEASE = """
-- KEYS[1] lock; ARGV: who holds it. Somebody else's is left alone.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
