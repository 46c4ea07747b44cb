"""Takeover of lists that earlier versions named with :data:`celery_nexus.queues.FORMER_SEPARATOR`.

Lists of messages and bindings carry the separator in their names; what is delayed, in flight or a dead letter names its
queue, or is understood by :func:`celery_nexus.delivery.keys.queue_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import redis

from celery_nexus.delivery.keys import split_binding
from celery_nexus.queues import FORMER_SEPARATOR, PRIORITIES, PRIORITY_SEPARATOR, priority_key

MOST = 10_000
"""Most messages that one step moves singly: some milliseconds of the server's time."""

BINDINGS = "_kombu.binding."
PERMANENT_BINDINGS = "_kombu.binding_permanent."

INTERNAL_EXCHANGES = ("celeryev", "celery.pidbox", "reply.celery.pidbox")
"""Exchanges of Celery itself: their bindings are gone with the process that made them."""

MERGE = """
-- KEYS: in threes a list, the one that its messages go to, and the bindings of a queue that has the name of the first,
--   which then stays; ARGV: messages to move singly, at most
-- Answers: messages that were moved, 1 when there are more.
-- The right end is consumed first: what is moved goes in front. The shorter list is moved.
local left, moved = tonumber(ARGV[1]), 0
local function kind(key) return redis.call('TYPE', key).ok end
for i = 1, #KEYS, 3 do
  local old, new = KEYS[i], KEYS[i + 1]
  local there = kind(old) == 'list' and redis.call('EXISTS', KEYS[i + 2]) == 0 and kind(new)
  if there == 'list' or there == 'none' then
    local older, newer = redis.call('LLEN', old), redis.call('LLEN', new)
    if newer <= older then
      local count = math.min(newer, left)
      for _ = 1, count do redis.call('LMOVE', new, old, 'RIGHT', 'LEFT') end
      left = left - count
      if count == newer then
        redis.call('RENAME', old, new)
        moved = moved + older
      end
    else
      local count = math.min(older, left)
      for _ = 1, count do redis.call('LMOVE', old, new, 'LEFT', 'RIGHT') end
      left, moved = left - count, moved + count
    end
    if left == 0 then return {moved, 1} end
  end
end
return {moved, 0}
"""


class FormerLists:
    """Takes over what earlier versions left of some queues.

    Args:
        client: The broker.
        prefix: kombu's ``global_keyprefix``.
    """

    def __init__(self, client: redis.Redis, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix
        self._script = client.register_script(MERGE)

    def take_over(self, queues: Iterable[str]) -> int:
        """Move what waits into today's lists, ahead of what came later; returns how many messages.

        A list whose name is that of another queue stays.

        Raises:
            RedisError: The broker does not answer.
        """
        return merge(self._script, [self._prefix + key for queue in queues for key in _threes(queue)])

    def renew_bindings(self, queues: Iterable[str]) -> None:
        """Write the bindings of these queues as kombu reads them now: one that it can't read refuses every publisher.

        Raises:
            RedisError: The broker does not answer.
        """
        for exchange in (*queues, *INTERNAL_EXCHANGES):
            for table in (BINDINGS, PERMANENT_BINDINGS):
                self._renew(f"{self._prefix}{table}{exchange}", keeps=exchange not in INTERNAL_EXCHANGES)

    def _renew(self, key: str, *, keeps: bool) -> None:
        members = cast("set[bytes]", self._client.smembers(key))
        pipeline: Any = self._client.pipeline()
        for member in members:
            parts = split_binding(member.decode("utf-8", "surrogateescape"))
            if parts is None or PRIORITY_SEPARATOR.encode() in member:
                continue
            if keeps:
                pipeline.sadd(key, PRIORITY_SEPARATOR.join(parts).encode("utf-8", "surrogateescape"))
            pipeline.srem(key, member)
        pipeline.execute()


def merge(script: Any, names: Sequence[str]) -> int:
    """Move lists into others, ahead of what is there; returns how many messages.

    Args:
        script: :data:`MERGE`, registered with the broker.
        names: Its keys.

    Raises:
        RedisError: The broker does not answer.
    """
    moved, more = 0, bool(names)
    while more:
        part, more = cast("tuple[int, int]", script(keys=names, args=[MOST]))
        moved += part
    return moved


def _threes(queue: str) -> Iterator[str]:
    for priority in PRIORITIES[1:]:
        former = priority_key(queue, priority, FORMER_SEPARATOR)
        yield from (former, priority_key(queue, priority), BINDINGS + former)
