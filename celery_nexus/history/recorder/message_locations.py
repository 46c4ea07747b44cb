"""Locations of runs' messages in Redis: waiting in a queue, held by a worker, delayed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import redis

from celery_nexus.delivery import keys, validation
from celery_nexus.delivery.layout import Layout

MAX_MESSAGES = 5_000
"""Most messages that are searched for runs: reading more would hold up the recorder."""

STOCK_IN_FLIGHT = "unacked"
_ID = re.compile(rb'"id"\s*:\s*"([^"\\]{1,255})"')
"""Usual spelling of the id in a message, by Python and most others; other messages are parsed."""


@dataclass(frozen=True, slots=True)
class MessageLocation:
    """Where a message is: ``waiting`` in a list of a queue, with its priority, or not."""

    is_waiting: bool
    queue: str | None = None
    priority: int | None = None


def locate(client: redis.Redis, queues: Iterable[str], layout: Layout) -> dict[str, MessageLocation] | None:
    """Find all messages of some queues, and those that workers hold, by the ids of their runs.

    Returns:
        None when there are too many to look.

    Raises:
        redis.RedisError: The broker doesn't answer.
    """
    names = sorted(set(queues))
    lists = [(queue, step, layout.key(queue, step)) for queue in names for step in layout.steps]
    prefix = layout.prefix
    nodes = [node.decode("utf-8", "replace") for node in _nodes(client, prefix)]
    hashes = [prefix + STOCK_IN_FLIGHT, *(prefix + keys.in_flight_key(node) for node in nodes)]
    delayed = [prefix + keys.key_of_delayed(queue) for queue in names]
    if _count(client, [key for _, _, key in lists], hashes, delayed) > MAX_MESSAGES:
        return None
    pipeline: Any = client.pipeline(transaction=True)  # one instant: a message that moves is seen once
    for _, _, key in lists:
        pipeline.lrange(key, 0, -1)
    for key in hashes:
        pipeline.hvals(key)
    for key in delayed:
        pipeline.zrange(key, 0, -1)
    replies: list[Any] = pipeline.execute(raise_on_error=False)
    found: dict[str, MessageLocation] = {}
    for reply in replies[len(lists) :]:
        found |= dict.fromkeys(_ids(reply), MessageLocation(is_waiting=False))
    for (queue, priority, _), reply in zip(lists, replies, strict=False):
        found |= dict.fromkeys(_ids(reply), MessageLocation(True, queue, priority))
    return found


def _nodes(client: redis.Redis, prefix: str) -> list[bytes]:
    return cast("list[bytes]", client.hkeys(prefix + keys.LEASES))


def _count(client: redis.Redis, lists: list[str], hashes: list[str], delayed: list[str]) -> int:
    pipeline: Any = client.pipeline(transaction=False)
    for key in lists:
        pipeline.llen(key)
    for key in hashes:
        pipeline.hlen(key)
    for key in delayed:
        pipeline.zcard(key)
    return sum(size for size in pipeline.execute(raise_on_error=False) if isinstance(size, int))


def _ids(messages: Any) -> Iterator[str]:
    for message in cast("list[bytes]", messages) if isinstance(messages, list) else ():
        match = _ID.search(message)
        run_id = match[1].decode("utf-8", "replace") if match else _parse_id(message)
        if run_id:
            yield run_id


def _parse_id(message: bytes) -> str | None:
    try:
        value: Any = json.loads(message)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, list) and value:  # stock delivery keeps exchange and routing key beside it
        value = cast("list[Any]", value)[0]
    return validation.run_of(cast("validation.Json", value))[0] if isinstance(value, dict) else None
