"""Figures that reliable delivery keeps beside the lists: messages in flight by worker, delayed ones by queue."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from celery_nexus.delivery.layout import Layout


class Reliable:
    """Adds its reads to the one pipeline of a reading, and remembers what they said."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._nodes: tuple[str, ...] = ()
        self._asked: tuple[str, ...] = ()
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
        for queue in queues:
            pipeline.zcard(self._layout.key_of_delayed(queue))
        self._filled = [queue for queue in queues if self._delayed.get(queue)]
        for queue in self._filled:
            pipeline.zrange(self._layout.key_of_delayed(queue), 0, 0, withscores=True)

    def take(self, replies: list[Any], queues: Sequence[str]) -> list[Any]:
        """Remember the answers to :meth:`add` and return what follows them."""
        leases, held = replies[0], replies[1 : 1 + len(self._asked)]
        sizes = replies[1 + len(self._asked) : 1 + len(self._asked) + len(queues)]
        self._nodes = () if isinstance(leases, Exception) else tuple(sorted(_name(node) for node in leases))
        self._lists = {key: queue for queue in queues for key in self._layout.keys(queue)}
        self._in_flight = Counter[str]()
        self._count(held)
        self._delayed = {
            queue: size for queue, size in zip(queues, sizes, strict=True) if not isinstance(size, Exception)
        }
        rest = replies[1 + len(self._asked) + len(queues) :]
        firsts = zip(self._filled, rest, strict=False)
        self._due = {queue: first[0][1] for queue, first in firsts if first and not isinstance(first, Exception)}
        return rest[len(self._filled) :]

    @property
    def unasked(self) -> tuple[str, ...]:
        """Workers that were not known when :meth:`add` asked what each holds."""
        return tuple(node for node in self._nodes if node not in self._asked)

    def complete(self, pipeline: Any) -> None:
        """Ask for what those hold, and count it, too."""
        for node in self.unasked:
            pipeline.hkeys(self._layout.in_flight_key(node))
        self._count(pipeline.execute(raise_on_error=False))

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
