"""Counts of what waits and of what stock workers hold, by short scripts between which the server serves others.

All of it is one moment as long as one script comes through: some 200 queues with messages, 100 messages in workers'
hands. Of a larger site each queue is as of one moment, and what is held is read last: a message that a worker takes
meanwhile may be counted in its queue and in flight, and is never missed in both.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import redis

from celery_nexus.broker.wire.observe_script import OBSERVE, TOO_MANY
from celery_nexus.broker.wire.scripts import Script
from celery_nexus.connection.keys import SENT_AT_HEADER

WORK = 5_000
"""Units of work of one script: some 5 ms of the server's time."""

LISTS_AT_ONCE = 2_000
"""Most lists that one script is asked about."""

MOST_UNACKED = 2000
MOST_UNACKED_BYTES = 32 * 1024 * 1024
"""Most messages, and bytes, by which messages in flight are counted; beyond, their number is unknown."""


class Counting:
    """One reading of lists and of what stock workers hold.

    Args:
        client: Connection for reading.
        unacked: Hash of what stock workers hold.
        lists: Lists of all queues, those of one queue together.
        width: Lists of each queue.

    Attributes:
        lengths: Of the lists so far; -1 of what is no list.
        times: Of the next two messages of each of them: a time stamp, ``id …``, or nothing known.
        held: Exchange, routing key, count, how many wait for their time, the first of these times; and so on; None when
            it is too much to be counted.
        old: Exchange, routing key and body of those whose body alone tells their time; and so on.
    """

    def __init__(self, client: redis.Redis, unacked: str, lists: Sequence[str], width: int) -> None:
        self._script = Script(client, OBSERVE)
        self._unacked = unacked
        self._lists = lists
        self._width = width
        self._at_once = max(1, LISTS_AT_ONCE // width) * width
        self._tags: list[bytes] = []
        self._bytes = 0
        self._is_done = False
        self.lengths: list[int] = []
        self.times: list[list[bytes]] = []
        self.held: list[Any] | None = []
        self.old: list[Any] = []

    def add_first(self, pipeline: Any) -> None:
        """Add the first step to a pipeline; when it raises ``NoScriptError``, :meth:`load` and run it again."""
        self._script.queue(pipeline, *self._next())

    def load(self) -> None:
        """Send the script to the server."""
        self._script.load()

    def take(self, answer: list[Any]) -> None:
        """Take in what one step answered."""
        lengths, times, tags, size, held, old = answer
        self.lengths += [int(length) for length in lengths]
        self.times += times
        if tags is None:
            return
        if tags == TOO_MANY:
            self.held, self._is_done = None, True
            return
        self._tags, self._is_done = tags, not tags
        self._bytes += int(size)
        self.held = [*(self.held or ()), *held]
        self.old += old

    def finish(self) -> None:
        """Take the steps that are left; none, unless the site is large.

        Raises:
            RedisError: The broker does not answer.
        """
        while not self._is_done:
            self.take(self._script(*self._next()))

    def _next(self) -> tuple[list[str], list[Any]]:
        """Return keys and arguments of the next step."""
        begun = len(self.lengths)
        lists = self._lists[begun : begun + self._at_once]
        is_last = begun + len(lists) == len(self._lists)
        limits = [WORK, MOST_UNACKED, MOST_UNACKED_BYTES - self._bytes, repr(time.time())]
        arguments = [SENT_AT_HEADER, *limits, self._width, int(is_last), *self._tags]
        return [self._unacked, *lists], arguments
