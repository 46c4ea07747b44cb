"""Lua script that counts waiting and held messages, and stops after a bounded amount of work."""

from __future__ import annotations

from celery_nexus.broker.wire.json_scripts import SECONDS, STRINGS

TOO_MANY = -1
"""Answer in the place of what workers hold: there is more of it than is counted."""

OBSERVE = (
    STRINGS
    + SECONDS
    + """
-- KEYS[1] unacked hash, KEYS[2…] lists
-- ARGV: header of the time, work to do, most entries and most bytes of unacked to look at, the time now in seconds,
--   lists of each queue, 1 when no lists follow these, tags of unacked that are left (none: all of them)
-- Answers: lengths (-1: not a list) of the lists of as many queues as the work allowed, times of the next two messages
--   of each list
--   ('id …' of one that carries none), tags that are left, false when unacked was not come to, or -1 when it is too
--   large; its bytes; [exchange, routing key, count, how many of them wait for their time, the first of these times …],
--   [exchange, routing key, body …] of messages whose body alone tells their time ('' for one that is too long)
-- One unit of work is about a microsecond. With stock delivery a message in flight does not say which list it came
-- from, only its exchange and routing key.
local header, work = '"' .. ARGV[1] .. '"', tonumber(ARGV[2])
local most, most_bytes, now = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function sent_at(message)
  work = work - 10 - #message / 1000
  local _, at = string.find(message, header, 1, true)
  local time = at and string.match(message, '^%s*:%s*([%d%.eE+]+)', at + 1)
  if time then return time end
  local id = string_of(message, 'id') or string_of(message, 'correlation_id')
  return id and 'id ' .. id or ''
end
local lengths, times = {}, {}
for index = 2, #KEYS do
  if work <= 0 and (index - 2) % ARGV[6] == 0 then break end
  work = work - 1
  local length = redis.pcall('LLEN', KEYS[index])
  if type(length) == 'table' then length = -1 end
  lengths[index - 1] = length
  local ages = {}
  if length > 0 then
    for place, message in ipairs(redis.call('LRANGE', KEYS[index], -2, -1)) do ages[place] = sent_at(message) end
  end
  times[index - 1] = ages
end
if #lengths < #KEYS - 1 or ARGV[7] ~= '1' then return {lengths, times, false, 0, {}, {}} end
local tags = {}
for index = 8, #ARGV do tags[index - 7] = ARGV[index] end
if #tags == 0 then
  local held = redis.pcall('HLEN', KEYS[1])
  if type(held) == 'table' or held > most then return {lengths, times, -1, 0, {}, {}} end
  tags = redis.call('HKEYS', KEYS[1])
end
local bytes, place = 0, 1
local counts, waits, flat, old = {}, {}, {}, {}
local function count(message)
  local tail = string.sub(message, -4096)
  local stop = string.match(tail, '()"%s*%]%s*$')
  local key, from = string_before(tail, stop or 0)
  local before = key and string.match(string.sub(tail, 1, from - 1), '()"%s*,%s*$')
  local exchange = string_before(tail, before or 0)
  if not exchange then return end
  local name = exchange .. '\0' .. key
  counts[name] = (counts[name] or 0) + 1
  if not string.find(message, '"task": ?"') then  -- task protocol 1 has nothing in its headers
    local body = string.match(message, '"body": ?"([^"]*)"') or ''
    old[#old + 1] = exchange
    old[#old + 1] = key
    old[#old + 1] = #body <= 8192 and body or ''
  end
  local eta = seconds_of(string_of(message, 'eta'))
  if eta and eta > now then
    local known = waits[name]
    waits[name] = {known and known[1] + 1 or 1, known and known[2] < eta and known[2] or eta}
  end
end
while place <= #tags and work > 0 do
  bytes = bytes + redis.call('HSTRLEN', KEYS[1], tags[place])
  if bytes > most_bytes then return {lengths, times, -1, 0, {}, {}} end
  local message = redis.call('HGET', KEYS[1], tags[place]) or ''
  work = work - 40 - #message / 500
  count(message)
  place = place + 1
end
for name, count in pairs(counts) do
  local cut = string.find(name, '\0', 1, true)
  flat[#flat + 1] = string.sub(name, 1, cut - 1)
  flat[#flat + 1] = string.sub(name, cut + 1)
  flat[#flat + 1] = count
  flat[#flat + 1] = waits[name] and waits[name][1] or 0
  flat[#flat + 1] = waits[name] and string.format('%.6f', waits[name][2]) or ''
end
local left = {}
for index = place, #tags do left[index - place + 1] = tags[index] end
return {lengths, times, left, bytes, flat, old}
"""
)
