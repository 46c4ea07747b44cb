"""What one worker holds: acknowledge it, put it back, delay it, or set it aside."""

from __future__ import annotations

import json
import logging
import time
import uuid
from typing import Any, cast

import redis

from config.queues import PRIORITY_SEPARATOR
from workers.delivery import keys, scripts
from workers.delivery.keys import FetchedTag

MAX_DEAD_LETTERS = 10_000
DEAD_LETTER_AGE_S = 90 * 24 * 3600

logger = logging.getLogger(__name__)


class InFlight:
    """The in-flight hash of one node.

    It has connections of its own, so that a run that outlives a broken connection can still be acknowledged.

    Args:
        client: Without a key prefix; used by any thread.
        node: Node name of the worker.
        prefix: kombu's ``global_keyprefix``.
        separator: Between queue and priority in a list's key.
    """

    def __init__(self, client: redis.Redis, node: str, prefix: str = "", separator: str = PRIORITY_SEPARATOR) -> None:
        self.client = client
        self.node = node
        self.prefix = prefix
        self.separator = separator
        self.key = prefix + keys.in_flight(node)
        self._unsent: set[FetchedTag] = set()
        self._restore = client.register_script(scripts.RESTORE)
        self._adopt = client.register_script(scripts.ADOPT)
        self._delay = client.register_script(scripts.DELAY)
        self._bury = client.register_script(scripts.BURY)

    def acknowledge(self, tag: FetchedTag) -> None:
        """Forget a message; when the broker is away, remember to do it at the next :meth:`send_acknowledgements`."""
        self._unsent.add(tag)
        try:
            self.client.hdel(self.key, _raw(tag))
            self._unsent.discard(tag)
        except (redis.RedisError, OSError) as error:
            logger.warning("acknowledgement waits for the broker: %s", error)

    @property
    def is_owing(self) -> bool:
        """Whether there are acknowledgements that were not sent yet, or not answered."""
        return bool(self._unsent)

    def send_acknowledgements(self) -> None:
        """Send what :meth:`acknowledge` could not.

        Raises:
            RedisError: The broker is still away.
        """
        for tag in tuple(self._unsent):
            self.client.hdel(self.key, _raw(tag))
            self._unsent.discard(tag)

    def entries(self) -> dict[FetchedTag, bytes]:
        """List what the node holds, in order of delivery."""
        found = cast("dict[bytes, bytes]", self.client.hgetall(self.key))
        return {FetchedTag(field.decode("utf-8", "surrogateescape")): found[field] for field in sorted(found)}

    def adopt(self, tag: FetchedTag) -> FetchedTag:
        """Count a message that somebody else published, once; returns its new field, or the old one if it can't be."""
        adopted = tag.adopted()
        names = [self.key, self.prefix + keys.COUNTERS]
        try:
            return adopted if self._adopt(keys=names, args=[_raw(tag), _raw(adopted), keys.ADOPTED]) else tag
        except redis.ResponseError as error:  # out of memory: the run is worth more than the count
            logger.warning("can't count a message of another producer: %s", error)
            return tag

    def restore(self, tag: FetchedTag, *, first: bool = True, payload: bytes = b"") -> bool:
        """Put a message back into its list; False when it is not held any more.

        Args:
            tag: Which.
            first: Whether it is next in its priority, or last.
            payload: What to put back instead of the recorded bytes.
        """
        queue, _ = keys.queue_of(tag.list_key.removeprefix(self.prefix), self.separator)
        list_key = keys.current_list(tag.list_key, self.prefix, self.separator)
        places = [self.key, _raw(list_key), _raw(self.prefix + keys.wake(queue))]
        arguments = [_raw(tag), "RPUSH" if first else "LPUSH", payload, int(tag.is_adopted)]
        try:
            return bool(self._restore(keys=places, args=arguments))
        except redis.ResponseError as error:
            if "WRONGTYPE" not in str(error):
                raise
            logger.error("a message stays in flight: its key is no list any more: %r", list_key)  # noqa: TRY400
            return False

    def restore_all(self, *, keep: frozenset[str] = frozenset()) -> int:
        """Put everything back as it is, in its old order; returns how many."""
        return sum(self.restore(tag) for tag in reversed(self.entries()) if tag not in keep)

    def delay(self, tag: FetchedTag, due_at: float) -> bool:
        """Move a message to the delayed set of its queue; False when it is not held any more."""
        queue, priority = keys.queue_of(tag.list_key.removeprefix(self.prefix), self.separator)
        places = [self.key, _raw(self.prefix + keys.delayed(queue))]
        return bool(self._delay(keys=places, args=[_raw(tag), due_at, priority, int(tag.is_adopted)]))

    def bury(self, tag: FetchedTag, reason: str, detail: str = "", **facts: Any) -> bool:
        """Make a message a dead letter; False when it is not held any more.

        Args:
            tag: Which.
            reason: One of the few words of :mod:`workers.delivery.dead_letters`.
            detail: What exactly was wrong.
            **facts: Further facts for people: run id, task, deliveries.
        """
        now = time.time()
        record = {
            "reason": reason,
            "detail": detail[:1000],
            "list": tag.list_key.removeprefix(self.prefix),
            "worker": self.node,
            "at": now,
            **facts,
        }
        counted = json.dumps(record | {"counted": True})
        names = [self.key, *(self.prefix + name for name in (keys.DEAD, keys.DEAD_FACTS, keys.DEAD_BYTES))]
        letter_id = uuid.uuid4().hex[:12]
        others = counted if tag.is_adopted else json.dumps(record)
        arguments = [_raw(tag), letter_id, others, counted, now, now - DEAD_LETTER_AGE_S, MAX_DEAD_LETTERS]
        buried = bool(self._bury(keys=names, args=arguments))
        if buried:
            logger.error("dead letter %s: %s: %s", letter_id, reason, detail[:200])
        return buried

    def count(self, counter: str) -> None:
        """Add one to a counter, if the broker answers."""
        try:
            self.client.hincrby(self.prefix + keys.COUNTERS, counter, 1)
        except (redis.RedisError, OSError) as error:
            logger.warning("can't count %s: %s", counter, error)


def _raw(text: str) -> bytes:
    """Return the bytes of a name as they were read: a queue's name need not be text."""
    return text.encode("utf-8", "surrogateescape")
