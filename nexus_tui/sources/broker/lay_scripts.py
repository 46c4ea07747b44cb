"""What laying a list over and back runs inside Redis."""

from __future__ import annotations

from nexus_tui.sources.broker.scripts import DELETED, NOTE_END, WAKE

ASIDE = """
-- KEYS begin with: list, the list that is consumed after it, empty list; the last is the hash of what the last step of
--   each list answered
-- ARGV begin with: message that was last at the left of the list, how many messages, what the script says, number of
--   the step
local source, neighbour, aside = KEYS[1], KEYS[2], KEYS[3]
local count = tonumber(ARGV[2])
-- What was published meanwhile is at the left of what we work on: it is set aside for the time of this step.
local function set_aside()
  local new, first = 0, ARGV[1]
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
-- Answers: messages gone through, messages changed, what is now at the left ('' when nothing is), how many stayed,
--   what became of each message that was to be given back
local function answer(new, looked, changed, fates)
  local first, rest = redis.call('LINDEX', source, 0) or '', redis.call('LLEN', source)
  for _ = 1, new do redis.call('LMOVE', aside, source, 'RIGHT', 'LEFT') end
  redis.call('HSET', KEYS[#KEYS], source, table.concat({ARGV[4], looked, changed, rest, '=' .. fates, first}, ' '))
  return {looked, changed, first, rest, fates}
end
"""
"""How a step begins and ends."""

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
local function edit(message, changed, pivot, from_left)
  if changed == '' then note_end(KEYS[9], ARGV[7], message) end
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
local function walk(from, side, to, stay)
  local from_left, looked, changed, next_one = side == 'LEFT', 0, 0, 8
  for place = 0, count - 1 do
    local message = redis.call('LINDEX', from, from_left and 0 or -1)
    if not message or redis.call('LLEN', from) <= stay then break end
    if ARGV[next_one] and tonumber(ARGV[next_one]) == place then
      if redis.sha1hex(message) ~= ARGV[next_one + 1] then break end
      redis.call(from_left and 'LPOP' or 'RPOP', from)
      edit(message, ARGV[next_one + 2], redis.call('LINDEX', source, 0), from_left)
      changed = changed + 1
      next_one = next_one + 3
    else
      redis.call('LMOVE', from, to, side, from_left and 'RIGHT' or 'LEFT')
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
if not new then return false end
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
local looked, changed = walk(neighbour, 'RIGHT', source, 0)
if looked > changed then wake(KEYS[6]) end
return answer(new, looked, changed, '')
"""
)

RELEASE = """
-- KEYS[1] lock; ARGV: who holds it. Somebody else's is left alone.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
