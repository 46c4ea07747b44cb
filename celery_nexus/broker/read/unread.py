"""Unread lists: they hold messages of a queue, but its workers use another separator or other priorities."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from typing import Any, cast

import redis

from celery_nexus.broker.wire.decode import decode
from celery_nexus.delivery.layout import Layout
from celery_nexus.delivery.upgrade.former_lists import MERGE, merge
from celery_nexus.queues import PRIORITIES
from celery_nexus.rows.broker import UnreadList

LOOK_FOR_S = 5.0
SCAN_STEP = 2000

_REST = re.compile(r"[^0-9A-Za-z]{1,8}?([0-9]{1,4})")
"""Remainder of a list's name behind the queue: a separator and a priority."""


class UnreadLists:
    """Finds and merges such lists of one application.

    Args:
        client: Connection to the broker.
        layout: Names of the application's keys.
    """

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._merge = client.register_script(MERGE)

    def find(self, queues: Sequence[str]) -> list[UnreadList]:
        """Look for them with SCAN, for some seconds at most; only what begins with a Celery message counts."""
        read = {key for queue in queues for key in self._layout.keys(queue)}
        longest_first = sorted(queues, key=len, reverse=True)
        found: list[UnreadList] = []
        for key in self._lists():
            if key in read:  # nearly all are: names are compared with each other for the rest alone
                continue
            queue = next((name for name in longest_first if key.startswith(self._layout.prefix + name)), None)
            if queue is None:
                continue
            name = key.removeprefix(self._layout.prefix)
            rest = _REST.fullmatch(name.removeprefix(queue))
            if rest and (waiting := self._messages(key, queue)):
                found.append(UnreadList(queue, int(rest[1]), name, waiting))
        return sorted(found, key=lambda row: (row.queue, row.priority, row.name))

    def reclaim(self, rows: Iterable[UnreadList]) -> int:
        """Move their messages where the queue's workers look, ahead of what waits there; returns how many."""
        names: list[str] = []
        for row in rows:
            key = self._layout.add_prefix(row.name)
            target = self._layout.key(row.queue, min(row.priority, max(PRIORITIES)))
            names += [key, target, self._layout.bindings + row.name]
        return merge(self._merge, names)

    def _lists(self) -> Iterable[str]:
        until = time.monotonic() + LOOK_FOR_S
        for raw in cast("Iterable[bytes]", self._client.scan_iter(count=SCAN_STEP, _type="LIST")):
            key = raw.decode("utf-8", "replace")
            if key.startswith(self._layout.prefix):
                yield key
            if time.monotonic() > until:
                return

    def _messages(self, key: str, queue: str) -> int:
        pipeline: Any = self._client.pipeline(transaction=False)
        pipeline.lindex(key, -1)
        pipeline.llen(key)
        raw, length = pipeline.execute()
        is_message = raw and decode(raw, queue=queue, priority=0, position=0, now=time.time()).task
        return int(length) if is_message else 0
