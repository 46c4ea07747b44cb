"""Selection of all messages of a queue that match a filter, in short reads."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import orjson
import redis

from celery_nexus.broker.wire.decode import decode
from celery_nexus.connection.keys import SENT_AT_HEADER
from celery_nexus.delivery import validation
from celery_nexus.delivery.layout import Layout
from celery_nexus.errors import Invalid
from celery_nexus.filters import parser
from celery_nexus.filters.errors import FilterError
from celery_nexus.history.filter.matching import Facts, holds
from celery_nexus.rows.selection import Frozen, Selection

CHUNK = 500
CHUNK_BYTES = 1024 * 1024
"""Most messages, and bytes, of one read: a few milliseconds of the server's time; the way to the middle of a million
takes it 12 to 15 ms however few are read there.
"""

FIRST_CHUNK = 100


class Selector:
    """Reads whole queues of one application; may be shared by threads."""

    def __init__(self, client: redis.Redis, layout: Layout) -> None:
        self._client = client
        self._layout = layout

    def freeze(self, selection: Selection) -> Frozen:
        """Find what matches now.

        Raises:
            Invalid: The filter can't be understood.
        """
        matcher = Matcher(selection)
        by_list: dict[int, dict[int, int]] = {}
        by_task = Counter[str]()
        waiting = 0
        for step in self._layout.steps:
            places: dict[int, int] = {}
            seen = 0
            for place, raw in self._from_the_left(selection.queue, step):
                seen = max(seen, place + 1)
                task = matcher.task_of(raw, step)
                digest = hash(raw)
                if task is not None and digest not in places:
                    places[digest] = place
                    by_task[task] += 1
            if places:
                by_list[step] = {digest: seen - 1 - place for digest, place in places.items()}
            waiting += seen
        return Frozen(selection, by_list, dict(by_task.most_common()), waiting)

    def _from_the_left(self, queue: str, step: int) -> Iterator[tuple[int, bytes]]:
        """Read a list from the end where messages are published: what is taken at the other end hides nothing here."""
        key, start, chunk = self._layout.key(queue, step), 0, FIRST_CHUNK
        while rows := cast("list[bytes]", self._client.lrange(key, start, start + chunk - 1)):
            yield from enumerate(rows, start)
            start += len(rows)
            average = sum(map(len, rows)) // len(rows) + 1
            chunk = max(10, min(CHUNK, CHUNK_BYTES // average))


class Matcher:
    """Tells whether a waiting message matches a filter of the history's language.

    A waiting message is ``PENDING``, or ``RETRY`` when it was tried before; arguments are decoded only when asked for.

    Raises:
        Invalid: The filter can't be understood.
    """

    def __init__(self, selection: Selection) -> None:
        self._queue = selection.queue
        self._is_all = not selection.filter_text.strip()
        try:
            self._tree = parser.parse(selection.filter_text)
        except FilterError as error:
            raise Invalid(f"{error} (at {error.position + 1})") from None
        self._needs_body = _asks_arguments(self._tree)
        self._now = time.time()

    def task_of(self, raw: bytes, priority: int) -> str | None:
        """Return the name of the task when the message matches ('' for what is not Celery's), else None."""
        headers = _headers(raw)
        task = headers.get("task")
        name = task if isinstance(task, str) else ""
        if self._is_all:
            return name
        return name if holds(self._tree, self._facts(raw, headers, name, priority), self._now) else None

    def _facts(self, raw: bytes, headers: dict[str, Any], task: str, priority: int) -> Facts:
        args = kwargs = None
        if self._needs_body:
            message = decode(raw, queue=self._queue, priority=priority, position=0, now=self._now)
            args = None if message.args is None else json.dumps(message.args)
            kwargs = None if message.kwargs is None else json.dumps(message.kwargs)
        sent_at = headers.get(SENT_AT_HEADER)
        sent = float(sent_at) if isinstance(sent_at, int | float) else None
        retries = headers.get("retries")
        tried = retries if isinstance(retries, int) else 0
        return Facts(
            id=_text(headers.get("id")) or "",
            at=self._now if sent is None else sent,
            state="RETRY" if tried else "PENDING",
            task=task or None,
            queue=self._queue,
            root=_text(headers.get("root_id")),
            parent=_text(headers.get("parent_id")),
            group=_text(headers.get("group")),
            retries=tried,
            priority=priority,
            sent_at=sent,
            waited_s=None if sent is None else max(0.0, self._now - sent),
            args=args,
            kwargs=kwargs,
        )


def _headers(raw: bytes) -> dict[str, Any]:
    envelope: Any
    try:
        envelope = orjson.loads(raw)
    except orjson.JSONDecodeError:  # also for lone surrogates and NaN, which Python writes
        envelope = validation.decode_loosely(raw)
    headers = cast("dict[str, Any]", envelope).get("headers") if isinstance(envelope, dict) else None
    return cast("dict[str, Any]", headers) if isinstance(headers, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _asks_arguments(node: parser.Node) -> bool:
    match node:
        case parser.All(parts) | parser.Any_(parts):
            return any(map(_asks_arguments, parts))
        case parser.Not(part):
            return _asks_arguments(part)
        case parser.Argument():
            return True
        case parser.Text(field, _):
            return field == ""
        case _:
            return False
