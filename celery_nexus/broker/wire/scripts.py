"""Lua scripts that move single messages: each is one atomic step of bounded time.

A script that fails in its middle is not rolled back. A message that is taken is in the trash, and in its new place,
before it leaves the old one, and leaves both again when that is refused; counters, wake lists and times to live come
last, and fail nothing.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.exceptions import NoScriptError

from celery_nexus.broker.wire.json_scripts import STRINGS

FIND = """
-- KEYS[1] list; ARGV: text, first and last index, how many messages at most
-- Answers: [index from the right end (0 is next), message, …]
local found, last = {}, tonumber(ARGV[3])
local part = redis.call('LRANGE', KEYS[1], ARGV[2], ARGV[3])
for place, message in ipairs(part) do
  if string.find(message, ARGV[1], 1, true) then
    found[#found + 1] = #part - place - last - 1
    found[#found + 1] = message
    if #found >= 2 * tonumber(ARGV[4]) then break end
  end
end
return found
"""

FIND_DELAYED = """
-- KEYS[1] sorted set; ARGV: text, first and last index
-- Answers: [member, …]
local found = {}
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], ARGV[2], ARGV[3])) do
  if string.find(member, ARGV[1], 1, true) then found[#found + 1] = member end
end
return found
"""

WAKE = """
-- Idle workers with reliable delivery block on this list; nobody else looks at it. Where there are none, another key
-- is named in its place.
local function wake(key)
  local at = string.find(key, 'nexus:wake:', 1, true)
  if not at then return end
  -- What workers know of the queue is not true any more: see celery_nexus/delivery/transport/fetch_script.py.
  redis.pcall('HSET', string.sub(key, 1, at - 1) .. 'nexus:waiting', string.sub(key, at + 11), '?')
  if redis.pcall('LLEN', key) == 0 then
    redis.pcall('LPUSH', key, 1)
    redis.pcall('EXPIRE', key, 60)
  end
end
"""

DELETED = """
-- The balance sheet has a line for what operators deleted; only of messages that were counted as submitted.
local function count_deleted(counters, message, by)
  if string.find(message, '"nexus_publication"', 1, true) then redis.pcall('HINCRBY', counters, 'deleted', by) end
end
"""

NOTE_END = """
-- A run whose message is taken out ends; see celery_nexus/delivery/ends/endings.py. Without a note ('') nobody is told.
local function note_end(ends, note, message)
  if note ~= '' then redis.pcall('RPUSH', ends, note .. '\\n' .. message) end
end
"""

TAKE_DELAYED = (
    WAKE
    + DELETED
    + NOTE_END
    + """
-- KEYS[1] sorted set, KEYS[2] trash, KEYS[3] wake list, KEYS[4] counters, KEYS[5] ends
-- ARGV: member, new member or '', seconds that the trash lives (0: no trash), new due time or '' for the same, note
-- Answers 1 when the member was still there
local due = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not due then return 0 end
local changed, lives = ARGV[2], tonumber(ARGV[3])
if lives > 0 then redis.call('RPUSH', KEYS[2], cmsgpack.pack({KEYS[1], ARGV[1], 'delayed', changed, due})) end
local function give_up(problem)
  if lives > 0 then redis.pcall('RPOP', KEYS[2]) end
  return problem
end
if changed ~= '' then
  local added = redis.pcall('ZADD', KEYS[1], ARGV[4] ~= '' and ARGV[4] or due, changed)
  if type(added) == 'table' then return give_up(added) end
end
if changed ~= ARGV[1] then
  local removed = redis.pcall('ZREM', KEYS[1], ARGV[1])
  if type(removed) == 'table' then
    if changed ~= '' then redis.pcall('ZREM', KEYS[1], changed) end
    return give_up(removed)
  end
end
if changed == '' then note_end(KEYS[5], ARGV[5], string.sub(ARGV[1], 2)) end
-- Whoever sleeps until the old time must look again.
if ARGV[4] ~= '' then wake(KEYS[3]) end
if lives > 0 then
  redis.pcall('EXPIRE', KEYS[2], lives)
  if changed == '' then count_deleted(KEYS[4], ARGV[1], 1) end
end
return 1
"""
)

COUNT = (
    STRINGS
    + """
-- KEYS[1] list; ARGV: first and last index
-- Answers: how many messages were seen, [task name as JSON writes it, count, …]; an empty name is a message without one
local counts, flat = {}, {}
local part = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
for _, message in ipairs(part) do
  local _, headers = string.find(message, '"headers"', 1, true)
  local name = string_of(message, 'task', headers) or ''
  counts[name] = (counts[name] or 0) + 1
end
for name, count in pairs(counts) do flat[#flat + 1] = name; flat[#flat + 1] = count end
return {#part, flat}
"""
)

IS_UNACKED = """
-- KEYS[1] unacked hash; ARGV: cursor, spellings of a text
-- Answers: next cursor, 1 when one of them is in a message of this part
local part = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 200)
for index = 2, #part[2], 2 do
  local message = part[2][index]
  for text = 2, #ARGV do
    if string.find(message, ARGV[text], 1, true) then return {part[1], 1} end
  end
end
return {part[1], 0}
"""

TAKE = (
    WAKE
    + DELETED
    + NOTE_END
    + """
-- KEYS[1] list, KEYS[2] list to put it in, KEYS[3] trash, KEYS[4] and KEYS[5] wake lists of both, KEYS[6] counters,
--   KEYS[7] ends
-- ARGV: message, its depth or -1, new message or '', 'front' | 'back', seconds that the trash lives (0: no trash), 1
--   when it is one of many of which those that run last are taken first, note of its end
-- Answers 1 when the message was still there
local source, target, trash = KEYS[1], KEYS[2], KEYS[3]
local message, depth, changed, lives = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[5])
local direction, pivot = -1, false
if depth > redis.call('LLEN', source) / 2 then direction = 1 end
local stays = changed == message and target == source
if stays and not redis.call('LPOS', source, message, 'RANK', direction) then return 0 end
if lives > 0 and depth > 0 then
  -- The message that runs just before it: consumers may have brought both nearer to the end.
  for _, at in ipairs({depth, depth - 1, depth - 2, depth - 4, depth - 8}) do
    local near = at > 0 and redis.call('LRANGE', source, -at - 1, -at) or {}
    if near[1] == message and near[2] then pivot = near[2] break end
  end
end
if lives > 0 then
  redis.call('RPUSH', trash, cmsgpack.pack({source, message, target, changed, pivot or '', KEYS[4], ARGV[6] == '1'}))
end
local push, pop = 'LPUSH', 'LPOP'
if ARGV[4] == 'front' then push, pop = 'RPUSH', 'RPOP' end
local function give_up(answer)
  if lives > 0 then redis.pcall('RPOP', trash) end
  return answer
end
if changed ~= '' then
  local pushed = redis.pcall(push, target, changed)
  if type(pushed) == 'table' then return give_up(pushed) end
end
-- What only changes its place in its list is there twice now: where the new one would be found first, both go.
local is_both = stays and (direction == -1) == (push == 'RPUSH')
local removed = redis.pcall('LREM', source, is_both and 2 * direction or direction, message)
if type(removed) == 'table' or removed == 0 then
  if changed ~= '' then redis.pcall(pop, target) end
  return give_up(removed)
end
if is_both and type(redis.pcall(push, source, message)) == 'table' then
  redis.call(pop == 'LPOP' and 'RPUSH' or 'LPUSH', source, message)
end
if changed == '' then note_end(KEYS[7], ARGV[7], message) else wake(KEYS[5]) end
if lives > 0 then
  redis.pcall('EXPIRE', trash, lives)
  if changed == '' then count_deleted(KEYS[6], message, 1) end
end
return 1
"""
)

REVOKE_RESULT = """
-- KEYS: record of the result backend; ARGV: record that says REVOKED, seconds that it lives (0: for ever)
-- A success stays, as with Celery. Answers 1 when it was stored.
local known = redis.pcall('GETRANGE', KEYS[1], 0, 100)
if type(known) == 'string' and string.find(known, '"status": "SUCCESS"', 1, true) then return 0 end
if tonumber(ARGV[2]) > 0 then redis.call('SETEX', KEYS[1], ARGV[2], ARGV[1])
else redis.call('SET', KEYS[1], ARGV[1]) end
redis.pcall('PUBLISH', KEYS[1], ARGV[1])
return 1
"""

DELETED_IN = """
-- KEYS: trash; ARGV: first and last place. Answers how many places were looked at, and the messages that were deleted
local part, found = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2]), {}
for _, packed in ipairs(part) do
  if packed ~= '' then
    local entry = cmsgpack.unpack(packed)
    if entry[4] == '' then found[#found + 1] = entry[3] == 'delayed' and string.sub(entry[2], 2) or entry[2] end
  end
end
return {#part, found}
"""


class Script:
    """A script that is sent once and called by its digest: one round trip, also inside a pipeline.

    redis-py's own asks the server which scripts it has before each pipeline.
    """

    def __init__(self, client: redis.Redis, text: str) -> None:
        self._client = client
        self._text = text
        self._digest = str(client.register_script(text).sha)

    def __call__(self, keys: list[str], args: list[Any]) -> Any:
        """Run it, sending its text when the server does not know it."""
        try:
            return self._client.evalsha(self._digest, len(keys), *keys, *args)
        except NoScriptError:
            return self._client.eval(self._text, len(keys), *keys, *args)

    def queue(self, pipeline: Any, keys: list[str], args: list[Any]) -> None:
        """Add a call to a pipeline; when it raises ``NoScriptError``, :meth:`load` and run the pipeline again."""
        pipeline.evalsha(self._digest, len(keys), *keys, *args)

    def load(self) -> None:
        """Send the text to the server."""
        self._client.script_load(self._text)
