"""Repair after an interrupted bulk edit: messages left in a neighbouring list return to their own."""

from __future__ import annotations

import json
from itertools import pairwise

from celery_nexus.broker.bulk.list_rotation import sha1
from celery_nexus.broker.bulk.lists import Lists

STEP = 100
"""Messages laid back in one step, at most."""


def mend(lists: Lists, queue: str) -> list[tuple[int, int]]:
    """Lay back what lies with the neighbours of a queue's lists.

    Returns:
        The priority of each list that was mended, and of its neighbour.

    Raises:
        Refused: Another operator is at work there.
    """
    mended: list[tuple[int, int]] = []
    for step, after in pairwise(lists.layout.steps):
        key = lists.key(queue, step)
        if lists.note_laid(key):
            with lists.hold_lock(key) as renew:
                first = lists.read_left_end(key)
                while first is not None:
                    renew()
                    first = _lay_back(lists, queue, step, after, first)
                lists.forget_laid(key)
            mended.append((step, after))
    return mended


def _lay_back(lists: Lists, queue: str, step: int, after: int, first: bytes) -> bytes | None:
    """Lay some messages back behind ``first``; return the one that is there then, None when none was left."""
    key, neighbour = lists.key(queue, step), lists.key(queue, after)
    rows = lists.rows(neighbour, -STEP, -1)
    rows.reverse()
    count = next((place for place, raw in enumerate(rows) if lists.layout.step(_priority(raw)) != step), len(rows))
    if not count:
        return None
    head = [first, count, sha1(rows[0]), 0]
    done = lists.lay(True, [key, neighbour, key], head, queues=(queue, queue))
    return first if done is None else done.first


def _priority(raw: bytes) -> int:
    """Read the priority that a message says it has; 0 when it says none."""
    try:
        properties = json.loads(raw)["properties"]
        priority: object = properties.get("priority")
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return 0
    return priority if isinstance(priority, int) and 0 <= priority <= 9 else 0
