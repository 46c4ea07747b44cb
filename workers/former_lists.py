"""What earlier versions left in Redis under :data:`config.queues.FORMER_SEPARATOR`, and how it is taken over.

Lists of messages and bindings carry the separator in their names; what is delayed, in flight or a dead letter names its
queue, or is understood by :func:`workers.delivery.keys.queue_of`. Each worker takes over the queues that it consumes
when it starts, and goes on looking: a worker, beat or client of an earlier version that still runs adds more.
The guardian does so for declared queues that nobody consumes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import redis
from celery import bootsteps
from celery.utils.log import get_logger
from celery.worker.consumer.tasks import Tasks
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.celery_config import celery_app
from config.queues import FORMER_SEPARATOR, PRIORITIES, PRIORITY_SEPARATOR, priority_key
from config.redis_client import open_redis
from config.settings import settings
from workers.delivery.keys import binding_of

LOOK_EVERY_S = 5.0
MOST = 10_000
"""Messages that one step moves singly: some milliseconds of the server's time."""

TIMEOUT_S = 5

BINDINGS = "_kombu.binding."
PERMANENT_BINDINGS = "_kombu.binding_permanent."

INTERNAL_EXCHANGES = ("celeryev", "celery.pidbox", "reply.celery.pidbox")
"""Exchanges of Celery itself: their bindings are gone with the process that made them."""

TAKE_OVER = """
-- KEYS: in threes an earlier version's list, today's, and the bindings of a queue that has the name of the first, which
--   then is no list of an earlier version; ARGV: messages to move singly, at most
-- Answers: messages that were taken over, 1 when there are more.
-- The right end is consumed first; what an earlier version left is older, and goes in front. The shorter list is moved.
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

logger = get_logger(__name__)


class FormerLists:
    """Takes over what earlier versions left of some queues.

    Args:
        client: The broker.
        prefix: kombu's ``global_keyprefix``.
    """

    def __init__(self, client: redis.Redis, prefix: str = "") -> None:
        self._client = client
        self._prefix = prefix
        self._script = client.register_script(TAKE_OVER)

    def take_over(self, queues: Iterable[str]) -> int:
        """Move what waits into today's lists, ahead of what came later; returns how many messages.

        A list whose name is that of another queue stays.

        Raises:
            RedisError: The broker does not answer.
        """
        names = [self._prefix + key for queue in queues for key in _threes(queue)]
        taken, more = 0, bool(names)
        while more:
            moved, more = cast("tuple[int, int]", self._script(keys=names, args=[MOST]))
            taken += moved
        return taken

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
            parts = binding_of(member.decode("utf-8", "surrogateescape"))
            if parts is None or PRIORITY_SEPARATOR.encode() in member:
                continue
            if keeps:
                pipeline.sadd(key, PRIORITY_SEPARATOR.join(parts).encode("utf-8", "surrogateescape"))
            pipeline.srem(key, member)
        pipeline.execute()


def _threes(queue: str) -> Iterator[str]:
    for priority in PRIORITIES[1:]:
        former = priority_key(queue, priority, FORMER_SEPARATOR)
        yield from (former, priority_key(queue, priority), BINDINGS + former)


def open_former_lists() -> FormerLists:
    """Make one for the application's broker; it connects at first use."""
    client = open_redis(
        settings().broker.redis_py,
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=TIMEOUT_S,
        retry=Retry(NoBackoff(), 1),
    )
    options: dict[str, Any] = celery_app.conf.broker_transport_options
    return FormerLists(client, str(options.get("global_keyprefix", "")))


class FormerListsStep(bootsteps.StartStopStep):
    """Takes over what earlier versions left, before the worker's event loop takes the first message, and goes on."""

    requires = (Tasks,)

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._timer: Any = None
        self._lists = open_former_lists()

    def start(self, parent: Any) -> None:
        """Take over, and go on looking; without an answer the worker does not consume and connects anew."""
        self._lists.renew_bindings(_consumed(parent))
        self._take_over(parent)
        self._timer = parent.timer.call_repeatedly(LOOK_EVERY_S, self._look, (parent,))

    def stop(self, parent: Any) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self, parent: Any) -> None:
        try:
            self._take_over(parent)
        except (redis.RedisError, OSError) as error:
            logger.warning("can't look for lists of an earlier version: %s", error)

    def _take_over(self, parent: Any) -> None:
        if taken := self._lists.take_over(_consumed(parent)):
            logger.info("took over %d messages from lists of an earlier version", taken)


def _consumed(parent: Any) -> list[str]:
    return list(parent.app.amqp.queues.consume_from)


celery_app.steps["consumer"].add(FormerListsStep)
