"""What giving back from the trash runs inside Redis.

Fates, a letter for each message that a step was asked to give back: ``b`` it is back, ``s`` it had started, ``!`` the
trash is not as it was read, and the step ended there.
"""

from __future__ import annotations

from nexus_tui.sources.broker.lay_scripts import ASIDE
from nexus_tui.sources.broker.scripts import DELETED, WAKE

READ = """
-- KEYS[1] trash; ARGV: first and last place
-- Answers how many places were looked at, and of each change: place, SHA1, list it was taken from, message, where it
--   went ('delayed': it was in a sorted set), what it became ('': nothing), message that ran just before it ('': none),
--   1 when those that run last were taken first
local changes = {}
local part = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
for offset, packed in ipairs(part) do
  if packed ~= '' then
    local entry = cmsgpack.unpack(packed)
    local pivot = entry[3] == 'delayed' and '' or entry[5]
    changes[#changes + 1] = {
      ARGV[1] + offset - 1, redis.sha1hex(packed), entry[1], entry[2], entry[3], entry[4], pivot, entry[7] and 1 or 0
    }
  end
end
return {#part, changes}
"""

_GIVE = (
    WAKE
    + DELETED
    + """
local fates = {}
-- From the trash: '<' its first change, '>' its last (what was given back in between is empty), or the one at a place.
local function take(trash, mode, sha)
  local packed
  if mode == '<' or mode == '>' then
    local pop, place = mode == '<' and 'LPOP' or 'RPOP', mode == '<' and 0 or -1
    packed = redis.call('LINDEX', trash, place)
    while packed == '' do
      redis.call(pop, trash)
      packed = redis.call('LINDEX', trash, place)
    end
    if not packed or redis.sha1hex(packed) ~= sha then return nil end
    redis.call(pop, trash)
  else
    packed = redis.call('LINDEX', trash, mode)
    if not packed or redis.sha1hex(packed) ~= sha then return nil end
    redis.call('LSET', trash, mode, '')
  end
  return cmsgpack.unpack(packed)
end
-- Out of where it went; it was brought near an end before, so that not finding it there says that it started.
local function take_out(target, gathered, changed)
  for _, key in ipairs(gathered == target and {target} or {gathered, target}) do
    if redis.call('LINDEX', key, 0) == changed then return redis.call('LPOP', key) end
    if redis.call('LPOS', key, changed, 'MAXLEN', 5000) then return redis.call('LREM', key, 1, changed) end
  end
  return redis.call('LPOS', target, changed, 'RANK', -1, 'MAXLEN', 5000) and redis.call('LREM', target, -1, changed)
end
-- Answers the message when it is to be put into a list now; nil when the trash is not as it was read
local function give(trash, gathered, counters, told, mode, sha)
  local entry = take(trash, mode, sha)
  if not entry then
    fates[#fates + 1] = '!'
    return nil
  end
  local source, message, target, changed, due = entry[1], entry[2], entry[3], entry[4], entry[5]
  local is_back, waits = true, true
  if target == 'delayed' then
    waits = false
    is_back = changed == '' or redis.call('ZREM', source, changed) > 0
    if is_back then redis.call('ZADD', source, due, message) end
  elseif changed ~= '' then
    is_back = take_out(target, gathered, changed)
  end
  if is_back and changed == '' then count_deleted(counters, message, -1) end
  if is_back and waits then wake(entry[6]) end
  fates[#fates + 1] = is_back and 'b' or 's'
  redis.call('HINCRBY', told, is_back and 'back' or 'started', 1)
  return is_back and waits and message or ''
end
"""
)

MERGE = (
    _GIVE
    + ASIDE
    + """
-- KEYS[4…]: trash, list where what they became was gathered, counters, what was given back so far
-- ARGV[3]: how many must stay in the list; ARGV[5…] for each message behind which some are given back: its place from
--   0, its SHA1, how many, and of each, that which runs last first: where it is in the trash, its SHA1 there
-- Takes messages from the left of the list to the right of its neighbour, those that are given back in their places.
-- Answers false when what was at the left moved away
local new = set_aside()
if not new then return false end
local looked, back, at = 0, 0, 5
local function give_behind(place, message)
  if not ARGV[at] or tonumber(ARGV[at]) ~= place then return true end
  if redis.sha1hex(message) ~= ARGV[at + 1] then return false end
  local many = tonumber(ARGV[at + 2])
  for one = at + 3, at + 1 + 2 * many, 2 do
    local given = give(KEYS[4], KEYS[5], KEYS[6], KEYS[7], ARGV[one], ARGV[one + 1])
    if not given then return false end
    if given ~= '' then
      redis.call('RPUSH', neighbour, given)
      back = back + 1
    end
  end
  at = at + 3 + 2 * many
  return true
end
for place = 0, count do
  local message = redis.call('LINDEX', source, 0)
  if not message or redis.call('LLEN', source) <= tonumber(ARGV[3]) then break end
  if not give_behind(place, message) or place == count then break end
  redis.call('LMOVE', source, neighbour, 'LEFT', 'RIGHT')
  looked = looked + 1
end
return answer(new, looked, back, table.concat(fates))
"""
)

PUT = (
    _GIVE
    + """
-- KEYS: list, empty list, trash, list where what they became was gathered, counters, what was given back so far
-- ARGV: message behind which they are given back ('': they are next), then of each, that which runs last first: where
--   it is in the trash, its SHA1 there
-- Answers: fates, the message that is now at the left of what was put into the list ('' when nothing was)
local source, aside, behind = KEYS[1], KEYS[2], ARGV[1]
local messages = {}
for one = 2, #ARGV, 2 do
  local given = give(KEYS[3], KEYS[4], KEYS[5], KEYS[6], ARGV[one], ARGV[one + 1])
  if not given then break end
  if given ~= '' then messages[#messages + 1] = given end
end
local function push()
  for _, message in ipairs(messages) do redis.call('RPUSH', source, message) end
end
local function put()
  local length = redis.call('LLEN', source)
  local place = length > 20000 and redis.call('LPOS', source, behind, 'RANK', -1, 'MAXLEN', 2000)
  if place then
    -- The way from the left would be long: what runs before it makes room.
    for _ = place + 1, length do redis.call('LMOVE', source, aside, 'RIGHT', 'LEFT') end
    push()
    for _ = place + 1, length do redis.call('LMOVE', aside, source, 'LEFT', 'RIGHT') end
  elseif redis.call('LPOS', source, behind, 'MAXLEN', length > 20000 and 5000 or 0) then
    for _, message in ipairs(messages) do redis.call('LINSERT', source, 'BEFORE', behind, message) end
  else
    push()
  end
end
if behind == '' then push() elseif messages[1] then put() end
return {table.concat(fates), messages[1] or ''}
"""
)

GATHER = """
-- KEYS: list, list to gather in; ARGV: messages, the next to run first
-- Brings messages from near the right of the one to the left of the other
for _, message in ipairs(ARGV) do
  if redis.call('LREM', KEYS[1], -1, message) > 0 then redis.call('LPUSH', KEYS[2], message) end
end
"""
