"""Messages in flight: the worker that holds each, since when, and when it would be redelivered."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import redis

from celery_nexus.broker.read.flights import Routes
from celery_nexus.broker.wire.decode import decode
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.broker import Held, Message

VISIBILITY_S = 3600.0
"""Visibility timeout: stock delivery redelivers what was held for longer; kombu's default, and ours."""

PART = 200


class Holdings:
    """Reads what workers of one application hold; may be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout

    def list_all(self, limit: int = 1000, routes: Routes | None = None) -> list[Held]:
        """List what is held, of each way of delivery at most ``limit``, what was taken first at the top.

        Args:
            limit: At most so many.
            routes: Tells which queue stock delivery took a message from.
        """
        rows: list[Held] = []
        for row in self._stock(routes or Routes({})):
            rows.append(row)
            if len(rows) >= limit:
                break
        for count, row in enumerate(self._reliable()):
            if count >= limit:
                break
            rows.append(row)
        return sorted(rows, key=lambda row: (row.since or datetime.max.replace(tzinfo=UTC), row.id))

    def find(self, run_id: str, routes: Routes | None = None) -> Held | None:
        """Find the message of a run."""
        return next(
            (row for rows in (self._stock(routes or Routes({})), self._reliable()) for row in rows if row.id == run_id),
            None,
        )

    def _stock(self, routes: Routes) -> Iterator[Held]:
        cursor = 0
        while True:
            answer: Any = self._client.hscan(self._layout.unacked, cursor, count=PART)
            cursor, part = cast("tuple[int, dict[bytes, bytes]]", answer)
            tags = list(part)
            index: Any = self._layout.unacked_index
            scores: Any = self._client.zmscore(index, cast("list[Any]", tags)) if tags else []
            for tag, score in zip(tags, cast("list[float | None]", scores), strict=True):
                yield _stock_row(part[tag], score, routes)
            if cursor == 0:
                return

    def _reliable(self) -> Iterator[Held]:
        nodes = cast("list[bytes]", self._client.hkeys(self._layout.leases))
        for raw in nodes:
            node, cursor = raw.decode("utf-8", "replace"), 0
            while True:
                answer: Any = self._client.hscan(self._layout.in_flight_key(node), cursor, count=PART)
                cursor, part = cast("tuple[int, dict[bytes, bytes]]", answer)
                for field, message in part.items():
                    list_key = field.decode("utf-8", "replace").partition(" ")[2]
                    yield _row(_decoded(message), self._layout.queue_of(list_key), worker=node)
                if cursor == 0:
                    break


def _decoded(raw: bytes) -> Message:
    return decode(raw, queue="", priority=0, position=0, now=time.time())


def _stock_row(raw: bytes, score: float | None, routes: Routes) -> Held:
    try:
        message, exchange, routing_key = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        return Held("", "", "")
    since = None if score is None else datetime.fromtimestamp(score, UTC)
    back = None if since is None else since + timedelta(seconds=VISIBILITY_S)
    queue = routes.queues(str(exchange or ""), str(routing_key or ""))[0]
    return _row(_decoded(json.dumps(message).encode()), queue, since=since, back=back)


def _row(
    message: Message,
    queue: str,
    *,
    worker: str | None = None,
    since: datetime | None = None,
    back: datetime | None = None,
) -> Held:
    return Held(message.id, message.task, queue, worker, since, back, message.eta)
