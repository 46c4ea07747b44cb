"""The fetch: the most urgent messages of a worker's queues, taken and noted as in flight in one step.

What it costs does not grow with the lists that are empty. The hash ``nexus:waiting`` says for each queue where to
look: ``?`` (something was put there since), or the priorities whose lists may hold messages, as digits, then ``@`` and
when the first delayed message is due, if there is one. A queue without an entry has nothing. Each step of ours that
puts a message somewhere leaves a ``?``, in the same step. Producers that know nothing of it don't: what they push is
found when a worker looks through all lists of its queues, which it does now and then.
"""

from __future__ import annotations

import hashlib

from celery_nexus.delivery.scripts import FENCE

UNKNOWN = "?"
"""State of a queue in which something changed."""

MOST_BYTES = 1_000_000
"""Size of a fetch from which it takes no further message."""

MOST_DUE = 100
"""Most due messages of one queue that a fetch moves into their lists."""

_LOOK = """
local function is_refused(answer)
  return type(answer) == 'table' and answer.err and not string.find(answer.err, 'WRONGTYPE', 1, true)
end
local clock
local function now()
  if not clock then
    local time = redis.call('TIME')
    clock = tonumber(time[1]) + tonumber(time[2]) / 1000000
  end
  return clock
end
local function list_of(queue, digit)
  return prefix .. queue .. (digit == '0' and '' or separator .. digit)
end
-- Moves what is due into its list. A key that is no list or no sorted set is passed over.
local function move_due(queue, delayed)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', delayed, '-inf', now(), 'LIMIT', 0, MOST_DUE)) do
    local digit = string.sub(member, 1, 1)
    local list = list_of(queue, string.find(digits, digit, 1, true) and digit or string.sub(digits, 1, 1))
    local pushed = redis.pcall('LPUSH', list, string.sub(member, 2))
    if is_refused(pushed) then return pushed end
    if type(pushed) == 'number' then
      local removed = redis.pcall('ZREM', delayed, member)
      if type(removed) == 'table' then  -- else it would be pushed again by each fetch
        redis.pcall('LPOP', list)
        return removed
      end
    end
  end
end
-- Answers which priorities of a queue hold something and when its next message is due; a refusal as a third
local function look(queue)
  local delayed, due = prefix .. 'nexus:delayed:' .. queue, false
  local first = redis.pcall('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  if is_refused(first) then return '', false, first end
  if first[1] and tonumber(first[2]) <= now() then
    local refusal = move_due(queue, delayed)
    if refusal then return '', false, refusal end
    first = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
  end
  if first[1] then due = tonumber(first[2]) end
  local lists, found = {}, ''
  for place = 1, #digits do lists[place] = list_of(queue, string.sub(digits, place, place)) end
  if redis.call('EXISTS', unpack(lists)) > 0 then
    for place, list in ipairs(lists) do
      if redis.call('EXISTS', list) > 0 then found = found .. string.sub(digits, place, place) end
    end
  end
  return found, due
end
""".replace("MOST_DUE", str(MOST_DUE))

FETCH = (
    FENCE
    + """
-- KEYS: in flight, leases, waiting
-- ARGV: node, token, id, prefix, separator, priorities as digits, most bytes of a message, most messages, 1 to look
--   through all lists, then the queues; of two with messages of one priority the first comes first
-- Answers a list of {number, list, message} ({number, list, false, its size} of a larger one), noted as in flight under
-- 'id.number list'; or the seconds until the next delayed message as text, or false.
if not holds(KEYS[2], ARGV[1], ARGV[2]) then return redis.error_reply('FENCED the lease is not ours any more') end
local prefix, separator, digits = ARGV[4], ARGV[5], ARGV[6]
local before, queues = 9, #ARGV - 9
"""
    + _LOOK
    + """
local states, looks_at_all = {}, ARGV[9] == '1'
local known_queues = redis.pcall('HLEN', KEYS[3])
if is_refused(known_queues) then return known_queues end
local is_cheaper = type(known_queues) == 'number' and known_queues * 4 < queues  -- to read all than to ask for each
if is_cheaper and known_queues > 0 then
  local part, named = redis.call('HGETALL', KEYS[3]), {}
  for place = 1, #part, 2 do named[part[place]] = part[place + 1] end
  for number = 1, queues do states[number] = named[ARGV[before + number]] end
end
for first = 1, is_cheaper and 0 or queues, 1000 do
  local part = redis.pcall('HMGET', KEYS[3], unpack(ARGV, before + first, before + math.min(first + 999, queues)))
  if is_refused(part) then return part end
  looks_at_all = looks_at_all or part.err
  for place, state in ipairs(part.err and {} or part) do states[first + place - 1] = state end
end
local known, changed, waiting, soonest = {}, {}, {}, false
for number = 1, queues do
  local state = states[number]
  if state or looks_at_all then
    local found, due, refusal = state or '', false, nil
    local at = state and string.find(state, '@', 1, true)
    if at then found, due = string.sub(state, 1, at - 1), tonumber(string.sub(state, at + 1)) end
    if looks_at_all or state == '?' or (due and due <= now()) then
      found, due, refusal = look(ARGV[before + number])
      if refusal then return refusal end
      changed[number] = true
    end
    known[number] = {found, due}
    if due and due > now() and (not soonest or due < soonest) then soonest = due end
    for place = 1, #found do
      local digit = string.sub(found, place, place)
      waiting[digit] = waiting[digit] or {}
      table.insert(waiting[digit], number)
    end
  end
end
local taken, size, problem = {}, 0, nil
local function take(list)
  local message = redis.pcall('LINDEX', list, -1)
  if type(message) ~= 'string' then
    problem = is_refused(message) and message or nil
    return false
  end
  local field = ARGV[3] .. '.' .. #taken .. ' ' .. list
  local noted = redis.pcall('HSET', KEYS[1], field, message)
  if type(noted) == 'table' then
    problem = noted
    return false
  end
  local removed = redis.pcall('RPOP', list)
  if type(removed) == 'table' then  -- else each fetch would note it once more
    redis.pcall('HDEL', KEYS[1], field)
    problem = removed
    return false
  end
  local is_large = #message > tonumber(ARGV[7])
  taken[#taken + 1] = is_large and {#taken, list, false, #message} or {#taken, list, message}
  size = size + #message
  return true
end
local most = tonumber(ARGV[8])
for place = 1, #digits do
  local digit = string.sub(digits, place, place)
  for _, number in ipairs(waiting[digit] or {}) do
    local list, is_there = list_of(ARGV[before + number], digit), true
    while is_there and #taken < most and size < MOST_BYTES do is_there = take(list) end
    if problem then break end
    if is_there then break end
    known[number][1], changed[number] = string.gsub(known[number][1], digit, ''), true
  end
  if problem or #taken == most or size >= MOST_BYTES then break end
end
if problem and #taken == 0 then return problem end
for number in pairs(changed) do
  local queue, state = ARGV[before + number], known[number][1]
  if known[number][2] then state = state .. string.format('@%.6f', known[number][2]) end
  if state == '' then
    if states[number] then redis.pcall('HDEL', KEYS[3], queue) end
  elseif state ~= states[number] then
    redis.pcall('HSET', KEYS[3], queue, state)
  end
end
if #taken > 0 then return taken end
if soonest then return string.format('%.6f', soonest - now()) end
return false
""".replace("MOST_BYTES", str(MOST_BYTES))
)

FETCH_SHA = hashlib.sha1(FETCH.encode()).hexdigest()  # noqa: S324  (Redis names scripts so)
