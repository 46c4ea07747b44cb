"""The keys that may be written on a foreign broker: purpose, lifetime and removal of each.

What an operator asked for (undo, audit, pause) stays for a while by itself; all of it goes with one command.
Nothing else is written there: see ``tests/integration/foreign/test_census.py``.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import redis

from celery_nexus.connection.keys import (
    AUDIT_STREAM,
    EVENT_STREAM,
    ORDERS_HASH,
    PAUSED_HASH,
    REVOKED_SET,
    TRASH_FOR_S,
    TRASH_HASH,
)
from celery_nexus.connection.keys import WORKER_HASH as STACK_WORKERS
from celery_nexus.delivery import keys
from celery_nexus.delivery.layout import Layout

DAY_S = 24 * 3600
AUDIT_FOR_S = 30 * DAY_S
"""Time to live of the audit log on a foreign broker, renewed by each entry."""

PAUSE_FOR_S = 30 * DAY_S
"""Time to live of a pause on a foreign broker."""

REPLY_MARK = "nexus-"
"""Prefix of the names of our reply queues: those of other tools are never touched."""

SCAN_STEP = 2000
LOOK_FOR_S = 2.0


@dataclass(frozen=True, slots=True)
class Trace:
    """One kind of key.

    Attributes:
        name: Its name without the application's prefix; a ``*`` at an end stands for anything.
        what: What it is for, as an operator would say it.
        lives_s: It expires so long after it was last written; None: with the command that wrote it.
        is_shared: Whether workers of a Nexus stack write it, too: there it is not ours to remove.
        holds_messages: Whether messages of the application may lie there, so that it is never removed.
    """

    name: str
    what: str
    lives_s: int | None = None
    is_shared: bool = False
    holds_messages: bool = False


FOOTPRINT = (
    Trace(AUDIT_STREAM, "what operators changed (nexus-tui audit)", AUDIT_FOR_S),
    Trace(TRASH_HASH, "which changes can be undone (nexus-tui undo)", TRASH_FOR_S),
    Trace(f"{TRASH_HASH}:*", "what a change took out, for undo", TRASH_FOR_S),
    Trace(PAUSED_HASH, "paused queues, and who consumed them (nexus-tui resume)", PAUSE_FOR_S),
    Trace("nexus:bulk-laid", "a change of many messages that is under way", holds_messages=True),
    Trace("nexus:bulk-aside", "a change of many messages that is under way", holds_messages=True),
    Trace("nexus:bulk:*", "lock of a change of many messages", 30),
    Trace(f"{REPLY_MARK}*", "answers of workers to a question", 30),
    # Written by earlier versions, which took every broker for their own after the first change.
    Trace(EVENT_STREAM, "events of revoked runs, of an earlier version", is_shared=True),
    Trace(REVOKED_SET, "ids of revoked runs, of an earlier version", is_shared=True),
    Trace(ORDERS_HASH, "orders to remember, of an earlier version", is_shared=True),
    Trace(keys.COUNTERS, "counts of deleted messages, of an earlier version", is_shared=True),
    Trace(keys.wake_key("*"), "signals to workers, of an earlier version", 60, is_shared=True),
)


@dataclass(frozen=True, slots=True)
class Left:
    """A key of ours that is there.

    Attributes:
        key: Its whole name.
        trace: What it is.
        expires_in_s: Seconds until it is gone by itself; None when it stays.
    """

    key: str
    trace: Trace
    expires_in_s: int | None


def find(client: redis.Redis, layout: Layout) -> tuple[Left, ...]:
    """List what is left of us under an application's prefix, by name; looks with SCAN for two seconds at most."""
    names = sorted({*_scan(client, layout.add_prefix("nexus:*")), *_scan(client, layout.add_prefix(f"{REPLY_MARK}*"))})
    pipeline = client.pipeline(transaction=False)
    for name in names:
        pipeline.ttl(name)
    pipeline.exists(layout.add_prefix(STACK_WORKERS))
    *ttls, is_stack = cast("list[int]", pipeline.execute())
    found = ((name, _trace(name.removeprefix(layout.prefix)), ttl) for name, ttl in zip(names, ttls, strict=True))
    return tuple(
        Left(name, trace, ttl if ttl >= 0 else None)
        for name, trace, ttl in found
        if trace is not None and not (trace.is_shared and is_stack)
    )


def remove(client: redis.Redis, left: Iterable[Left]) -> int:
    """Remove keys of ours, but none that may hold messages of the application; return how many are gone."""
    names = [row.key for row in left if not row.trace.holds_messages]
    return int(cast("Any", client.unlink(*names))) if names else 0


def _trace(name: str) -> Trace | None:
    return next((trace for trace in FOOTPRINT if _matches(name, trace.name)), None)


def _matches(name: str, pattern: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def _scan(client: redis.Redis, pattern: str) -> Iterator[str]:
    until = time.monotonic() + LOOK_FOR_S
    for raw in cast("Iterable[bytes]", client.scan_iter(match=pattern, count=SCAN_STEP)):
        yield raw.decode("utf-8", "replace")
        if time.monotonic() > until:
            return
