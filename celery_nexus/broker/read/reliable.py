"""Figures that reliable delivery keeps beside the lists: messages in flight by worker, delayed ones by queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

import redis

from celery_nexus.delivery.layout import Layout

KEYS_ASKED = 500
"""Bound of keys in one question whether any of them is there."""


class Reliable:
    """Adds its reads to the one pipeline of a reading, and remembers what they said."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._nodes: tuple[str, ...] = ()
        self._asked: tuple[str, ...] = ()
        self._sized: Sequence[str] = ()
        self._groups: tuple[list[str], ...] = ()
        self._is_delayed = False
        self._in_flight = Counter[str]()
        self._delayed: dict[str, int] = {}
        self._lists: dict[str, str] = {}
        self._filled: list[str] = []
        self._due: dict[str, float] = {}

    def add(self, pipeline: Any, queues: Sequence[str]) -> None:
        """Ask for the workers, for what the known ones hold, and for the sizes of the delayed sets."""
        self._asked = self._nodes
        pipeline.hkeys(self._layout.leases)
        for node in self._asked:
            pipeline.hkeys(self._layout.in_flight_key(node))
        delayed = [self._layout.key_of_delayed(queue) for queue in queues]
        self._sized = queues if self._layout.is_reliable or self._is_delayed else ()
        for key in delayed[: len(self._sized)]:
            pipeline.zcard(key)
        # Where no worker has reliable delivery there hardly are any: some hundred are asked for at once.
        starts = () if self._sized else range(0, len(delayed), KEYS_ASKED)
        self._groups = tuple(delayed[start : start + KEYS_ASKED] for start in starts)
        for group in self._groups:
            pipeline.exists(*group)
        self._filled = [queue for queue in queues if self._delayed.get(queue)]
        for queue in self._filled:
            pipeline.zrange(self._layout.key_of_delayed(queue), 0, 0, withscores=True)

    def take(self, replies: list[Any], queues: Sequence[str]) -> None:
        """Remember the answers to :meth:`add`."""
        left = iter(replies)
        leases, held = next(left), list(islice(left, len(self._asked)))
        sizes, found = list(islice(left, len(self._sized))), list(islice(left, len(self._groups)))
        self._nodes = () if isinstance(leases, Exception) else tuple(sorted(_name(node) for node in leases))
        self._lists = {key: queue for queue in queues for key in self._layout.keys(queue)} if self._nodes else {}
        self._in_flight = Counter[str]()
        self._count(held)
        self._take_sizes(self._sized, sizes)
        self._is_delayed = any(self._delayed.values()) or any(isinstance(row, Exception) or bool(row) for row in found)
        self._due = {
            queue: first[0][1]
            for queue, first in zip(self._filled, left, strict=False)
            if first and not isinstance(first, Exception)
        }

    @property
    def unasked(self) -> tuple[str, ...]:
        """Workers that were not known when :meth:`add` asked what each holds."""
        return tuple(node for node in self._nodes if node not in self._asked)

    def complete(self, client: redis.Redis, queues: Sequence[str]) -> None:
        """Ask for what is left, and count it, too: at the first reading, and when workers or delayed messages come."""
        pipeline = client.pipeline(transaction=False)
        nodes = self.unasked
        for node in nodes:
            pipeline.hkeys(self._layout.in_flight_key(node))
        unsized = queues if self._is_delayed and not self._sized else ()
        for queue in unsized:
            pipeline.zcard(self._layout.key_of_delayed(queue))
        if not nodes and not unsized:
            return
        replies: list[Any] = pipeline.execute(raise_on_error=False)
        self._count(replies[: len(nodes)])
        if unsized:
            self._take_sizes(unsized, replies[len(nodes) :])

    def _take_sizes(self, queues: Sequence[str], sizes: Sequence[Any]) -> None:
        rows = zip(queues, sizes, strict=True)
        self._delayed = {queue: size for queue, size in rows if not isinstance(size, Exception)}

    def _count(self, held: list[Any]) -> None:
        for fields in held:
            for field in () if isinstance(fields, Exception) else fields:
                queue = self._lists.get(_name(field).partition(" ")[2])
                if queue is not None:
                    self._in_flight[queue] += 1

    def find_next_due(self, queue: str) -> float | None:
        """Tell when the first delayed message is due; known from the second reading on."""
        return self._due.get(queue)

    def count_in_flight(self, queue: str) -> int:
        """Count what workers with reliable delivery hold of a queue."""
        return self._in_flight[queue]

    def count_delayed(self, queue: str) -> int | None:
        """Count delayed messages; None with stock delivery, whose workers hold them in their memory."""
        size = self._delayed.get(queue)
        return size if size or self._nodes else None


def _name(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
