"""Lua scripts that restore messages from the trash.

Fates, a letter for each message that a step was asked to give back: ``b`` it is back, ``s`` it had started, ``!`` the
trash is not as it was read, and the step ended there.
"""

from __future__ import annotations

from celery_nexus.broker.bulk.rotation_scripts import ASIDE
from celery_nexus.broker.wire.scripts import DELETED, WAKE
from celery_nexus.delivery.scripts import STEPS

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
-- Answers the change and its place; nil when the trash is not as it was read.
local function look(trash, mode, sha)
  local place = mode == '<' and 0 or mode == '>' and -1 or mode
  local packed = try('LINDEX', trash, place)
  while packed == '' and place ~= mode do
    if not try(mode == '<' and 'LPOP' or 'RPOP', trash) then return nil end
    packed = try('LINDEX', trash, place)
  end
  if not packed or redis.sha1hex(packed) ~= sha then return nil end
  return packed, place
end
-- Where it went; it was brought near an end before, so that not finding it there says that it started.
-- Answers: list, whence LREM finds it, its place
local function find(near, target, changed)
  for number = 1, #near + 1 do
    local key = near[number] or target
    local place = try('LINDEX', key, 0) == changed and 0 or try('LPOS', key, changed, 'MAXLEN', 5000)
    if place then return key, 1, place end
  end
  local place = try('LPOS', target, changed, 'RANK', -1, 'MAXLEN', 5000)
  if place then return target, -1, place end
end
local function steps_of_delayed(set, message, changed, due)
  if changed == '' then return {{{'ZADD', set, due, message}, {'ZREM', set, message}}} end
  if not try('ZSCORE', set, changed) then return nil end
  if changed == message then return {{{'ZADD', set, due, message}}} end
  return {{{'ZADD', set, due, message}, {'ZREM', set, message}}, {{'ZREM', set, changed}}}
end
local function steps_of_waiting(names, target, message, changed, push)
  if changed == '' then return {push(message)} end
  local key, from, place = find(names.near, target, changed)
  if not key then return nil end
  if key ~= names.list or changed ~= message then return {push(message), {{'LREM', key, from, changed}}} end
  -- It only changed its place there: until it is out of it, a space tells the two apart.
  local spaced = changed .. ' '
  return {{{'LSET', key, place, spaced}, {'LSET', key, place, changed}}, push(message), {{'LREM', key, from, spaced}}}
end
-- Gives a change back to a list; `push` says how a message gets there, and how it is taken out again.
-- Keys by name: trash, list, near (where to look first for what it became), counters, told
-- Answers the message when it was put into the list, '' when it was not; nil when the step ends here
local function give(names, mode, sha, push)
  local packed, place = look(names.trash, mode, sha)
  if not packed then
    if not problem then fates[#fates + 1] = '!' end
    return nil
  end
  local source, message, target, changed, due, wakes = unpack(cmsgpack.unpack(packed), 1, 6)
  local steps
  if target == 'delayed' then
    steps = steps_of_delayed(source, message, changed, due)
  else
    steps = steps_of_waiting(names, target, message, changed, push)
  end
  if problem then return nil end
  local is_back = steps ~= nil
  local strike = {{'LSET', names.trash, place, ''}, {'LSET', names.trash, place, packed}}
  if is_back then table.insert(steps, #steps > 1 and #steps or 2, strike) end
  if not carry_out(steps or {strike}) then return nil end
  if place ~= mode then redis.pcall(mode == '<' and 'LPOP' or 'RPOP', names.trash) end
  if is_back and changed == '' then count_deleted(names.counters, message, -1) end
  fates[#fates + 1] = is_back and 'b' or 's'
  redis.pcall('HINCRBY', names.told, is_back and 'back' or 'started', 1)
  if target == 'delayed' or not is_back then return '' end
  wake(wakes)
  return message
end
"""
)

MERGE = (
    ASIDE
    + _GIVE
    + """
-- KEYS[4…]: trash, list where what they became was gathered, counters, what was given back so far
-- ARGV[3]: how many must stay in the list; ARGV[5…] for each message behind which some are given back: its place from
--   0, its SHA1, how many, and of each, that which runs last first: where it is in the trash, its SHA1 there
-- Takes messages from the left of the list to the right of its neighbour, those that are given back in their places.
-- Answers false when what was at the left moved away
local new = set_aside()
if not new then return problem or false end
local looked, back, at = 0, 0, 5
local names = {trash = KEYS[4], list = neighbour, near = {KEYS[5]}, counters = KEYS[6], told = KEYS[7]}
local function push(message)
  return {{'RPUSH', neighbour, message}, {'RPOP', neighbour}}
end
local function give_behind(place, message)
  if not ARGV[at] or tonumber(ARGV[at]) ~= place then return true end
  if redis.sha1hex(message) ~= ARGV[at + 1] then return false end
  local many = tonumber(ARGV[at + 2])
  for one = at + 3, at + 1 + 2 * many, 2 do
    local given = give(names, ARGV[one], ARGV[one + 1], push)
    if not given then return false end
    if given ~= '' then back = back + 1 end
  end
  at = at + 3 + 2 * many
  return true
end
for place = 0, count do
  local message = try('LINDEX', source, 0)
  if not message or (try('LLEN', source) or 0) <= tonumber(ARGV[3]) then break end
  if not give_behind(place, message) or place == count then break end
  if not try('LMOVE', source, neighbour, 'LEFT', 'RIGHT') then break end
  looked = looked + 1
end
return answer(new, looked, back, table.concat(fates))
"""
)

PUT = (
    STEPS
    + _GIVE
    + """
-- KEYS: list, empty list, trash, list where what they became was gathered, counters, what was given back so far, hash
--   of what the last step of each list that is laid over answered
-- ARGV: message behind which they are given back ('': they are next), then of each, that which runs last first: where
--   it is in the trash, its SHA1 there
-- Answers: fates, the message that is now at the left of what was put into the list ('' when nothing was)
local source, aside, behind = KEYS[1], KEYS[2], ARGV[1]
local names = {trash = KEYS[3], list = source, near = {KEYS[4]}, counters = KEYS[5], told = KEYS[6]}
local room, is_inserted = 0, false
-- Finds the way to the message behind which they are given back: the way from the left may be long, then what runs
-- before it makes room at the right end.
local function prepare()
  if behind == '' then return true end
  local length = try('LLEN', source)
  local place = length and length > 20000 and try('LPOS', source, behind, 'RANK', -1, 'MAXLEN', 2000)
  if place then
    names.near = {aside, KEYS[4]}
    for _ = place + 1, length do
      if not try('LMOVE', source, aside, 'RIGHT', 'LEFT') then return false end
      room = room + 1
    end
  elseif length then
    is_inserted = try('LPOS', source, behind, 'MAXLEN', length > 20000 and 5000 or 0)
  end
  return not problem
end
local function push(message)
  if is_inserted then return {{'LINSERT', source, 'BEFORE', behind, message}, {'LREM', source, 1, message}} end
  return {{'RPUSH', source, message}, {'RPOP', source}}
end
local leftmost = ''
local is_prepared = prepare()
for one = 2, is_prepared and #ARGV or 0, 2 do
  local given = give(names, ARGV[one], ARGV[one + 1], push)
  if not given then break end
  if leftmost == '' then leftmost = given end
end
for _ = 1, room do finish('LMOVE', aside, source, 'LEFT', 'RIGHT') end
-- What is laid back comes behind what was put back at the left end, though nobody may hear of it.
local told = leftmost ~= '' and redis.pcall('HGET', KEYS[7], source)
if type(told) == 'string' then
  local step, first = string.match(told, '^(%d+ %d+ %d+ %d+ =%S* )(.*)$')
  if first == behind or first == '' then redis.pcall('HSET', KEYS[7], source, step .. leftmost) end
end
if problem and #fates == 0 then return problem end
return {table.concat(fates), leftmost}
"""
)

GATHER = """
-- KEYS: list, list to gather in; ARGV: messages, the next to run first
-- Brings messages from near the right of the one to the left of the other
for _, message in ipairs(ARGV) do
  redis.call('LPUSH', KEYS[2], message)
  local removed = redis.pcall('LREM', KEYS[1], -1, message)
  if removed ~= 1 then redis.pcall('LPOP', KEYS[2]) end
  if type(removed) == 'table' then return removed end
end
"""
