"""Unread lists: they hold messages of a queue, but its workers use another separator or other priorities."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any, cast

import redis

from celery_nexus.broker.wire.decode import decode
from celery_nexus.delivery.layout import Layout
from celery_nexus.delivery.upgrade.former_lists import MERGE, merge
from celery_nexus.queues import PRIORITIES
from celery_nexus.rows.broker import UnreadList

LOOK_FOR_S = 5.0
SCAN_STEP = 2000

LONGEST_SEPARATOR = 8
_PRIORITY = re.compile(r"[0-9]{1,4}\Z")
_SEPARATOR = re.compile(r"[^0-9A-Za-z]+")


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
        known = frozenset(queues)
        found: list[UnreadList] = []
        for key in self._lists():
            name = key.removeprefix(self._layout.prefix)
            queue, priority = ("", 0) if key in read else split_name(name, known)
            if queue and (waiting := self._messages(key, queue)):
                found.append(UnreadList(queue, priority, name, waiting))
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


def split_name(name: str, queues: Collection[str]) -> tuple[str, int]:
    """Split the name of a list into a known queue and a priority, whatever stands between them; '' and 0 when it can't.

    Only what may stand between them is tried: thousands of names are not compared with thousands of queues.
    """
    found = _PRIORITY.search(name)
    for digits in range(1, len(found[0]) + 1 if found else 1):
        head = name[: len(name) - digits]
        for length in range(1, LONGEST_SEPARATOR + 1):
            if not _SEPARATOR.fullmatch(head[-length:]):
                break
            if head[:-length] in queues:
                return head[:-length], int(name[-digits:])
    return "", 0
