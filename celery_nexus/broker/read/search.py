"""Search of a queue for the messages that match a filter: in run order, a bounded part at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast

import redis

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.broker.read.select import Matcher
from celery_nexus.broker.wire.connection import translate_errors
from celery_nexus.broker.wire.decode import decode, mask_message
from celery_nexus.connection.broker_url import BrokerUrl
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.broker import FoundMessages, Message
from celery_nexus.rows.selection import Selection

MOST_FOUND = 2000
"""Most matches that are kept; who wants more of them narrows the filter, or changes all by the filter."""

CHUNK, FIRST_CHUNK = 500, 100
CHUNK_BYTES = 1024 * 1024
"""Most messages, and bytes, of one read: a few milliseconds of the server's time."""

OVERLAP = 20
"""Messages read twice, because consumers meanwhile moved what waits towards the end where we started."""


class MessageSearch:
    """Goes through the lists of a queue from the next message to the last; consumers may be at work.

    Args:
        client: Connection for reading.
        layout: Names of the application's keys.
        selection: Queue and filter.
        url: The broker, for what is said when it does not answer.
        code: The application's code, which says what is private.
        shown_as: What the queue is called where several applications are on the broker.

    Raises:
        Invalid: The filter can't be understood.
    """

    def __init__(
        self,
        client: redis.Redis,
        layout: Layout,
        selection: Selection,
        url: BrokerUrl,
        *,
        code: ApplicationCode = NO_CODE,
        shown_as: str = "",
    ) -> None:
        self._client = client
        self._layout = layout
        self._code = code
        self._url = url
        self._queue, self._shown_as = selection.queue, shown_as or selection.queue
        self._matcher = Matcher(selection)
        self._found: list[Message] = []
        self._looked = 0
        self._waiting = 0
        self._is_complete = False
        self._chunks = self._walk()

    def advance(self, budget_s: float) -> FoundMessages:
        """Look further for some time, and return what was found since the beginning.

        Raises:
            Unreachable: The broker does not answer.
        """
        end = time.monotonic() + budget_s
        with translate_errors(self._url):
            while not self._is_complete and time.monotonic() < end:
                self._is_complete = next(self._chunks, None) is None or len(self._found) >= MOST_FOUND
        is_cut = len(self._found) >= MOST_FOUND
        return FoundMessages(tuple(self._found[:MOST_FOUND]), self._looked, self._waiting, self._is_complete, is_cut)

    def _walk(self) -> Iterator[int]:
        """Look at one chunk after the other; yields how many messages it had."""
        lengths = self._count()
        self._waiting = sum(lengths)
        before = 0
        for step, length in zip(self._layout.steps, lengths, strict=True):
            yield from self._walk_list(step, before) if length else ()
            before += length

    def _walk_list(self, step: int, before: int) -> Iterator[int]:
        key, depth, chunk = self._layout.key(self._queue, step), 0, FIRST_CHUNK
        seen: set[int] = set()
        while rows := cast("list[bytes]", self._client.lrange(key, -depth - chunk, -depth - 1)):
            for place, raw in enumerate(reversed(rows)):
                digest = hash(raw)
                if digest not in seen:
                    self._look_at(raw, step, before + depth + place, depth + place)
                seen.add(digest)
            seen = set(map(hash, rows[: OVERLAP + 1]))  # the last ones, which are read again
            if len(rows) < chunk:
                return
            yield len(rows)
            depth += chunk - OVERLAP
            average = sum(map(len, rows)) // len(rows) + 1
            chunk = max(2 * OVERLAP, min(CHUNK, CHUNK_BYTES // average))

    def _look_at(self, raw: bytes, step: int, position: int, depth: int) -> None:
        self._looked += 1
        if self._matcher.task_of(raw, step) is not None:
            row = decode(raw, queue=self._shown_as, priority=step, position=position, now=time.time(), depth=depth)
            self._found.append(mask_message(row, self._code))

    def _count(self) -> list[int]:
        pipeline = self._client.pipeline(transaction=False)
        for key in self._layout.keys(self._queue):
            pipeline.llen(key)
        return [int(length) for length in pipeline.execute()]
