"""Messages of one workflow, and the counters of its chords: what has not ended yet is known here alone."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Sequence
from typing import Any, cast

import redis

from celery_nexus.canvas import read_plan, read_step
from celery_nexus.delivery.content import fields_of
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.workflows import Announced, BrokerView, ChordCount
from celery_nexus.serializers import formats

PAGE = 500
"""Messages of one reply: the server is held up for a millisecond at most."""

MAX_LOOK = 20_000
"""Most messages that are looked at."""

MAX_CHORDS = 200
GROUP_KEY = "celery-taskset-meta-"

_IDS = re.compile(rb'"(?:id|root_id|group|parent_id)"\s*:\s*"([^"\\]{1,255})"')
"""Usual spelling of the ids in a message's headers, by Python and most others."""


def view_workflow(
    client: redis.Redis,
    places: Sequence[tuple[Layout, Sequence[str]]],
    run_ids: Collection[str],
    groups: Sequence[str],
) -> BrokerView:
    """Find the messages of a workflow, and the counters of its chords.

    Args:
        client: The broker; replies are bytes.
        places: How each application names its keys, and its queues.
        run_ids: Ids of its runs.
        groups: Ids of its groups.
    """
    messages: dict[str, Announced] = {}
    chords: dict[str, ChordCount] = {}
    is_whole = True
    for layout, queues in places:
        reader = Messages(client, layout, queues)
        messages |= {found.id: found for found in reader.find({*run_ids, *groups})}
        chords |= read_chord_counts(client, layout, groups)
        is_whole = is_whole and reader.looked < MAX_LOOK
    return BrokerView(messages, is_whole, chords)


class Messages:
    """Looks through the messages of one application for those of a workflow.

    Args:
        client: The broker; replies are bytes.
        layout: How the application names its keys.
        queues: Its queues.

    Attributes:
        looked: How many messages were looked at.
    """

    def __init__(self, client: redis.Redis, layout: Layout, queues: Sequence[str]) -> None:
        self.looked = 0
        self._client = client
        self._layout = layout
        self._queues = queues

    def find(self, ids: Collection[str]) -> Iterator[Announced]:
        """Yield the runs whose own id, root, parent or group is among some; stops after :data:`MAX_LOOK` messages."""
        wanted = frozenset(text.encode("utf-8", "replace") for text in ids)
        for place, queue, page in self._pages():
            self.looked += len(page)
            for raw in page:
                if not wanted.isdisjoint(_IDS.findall(raw)) and (found := _announced(raw, place, queue)) is not None:
                    yield found
            if self.looked >= MAX_LOOK:
                return

    def _pages(self) -> Iterator[tuple[str, str, list[bytes]]]:
        layout, client = self._layout, cast("Any", self._client)
        holders = [layout.unacked]
        if layout.is_reliable:
            holders += [layout.in_flight_key(name.decode("utf-8", "replace")) for name in client.hkeys(layout.leases)]
        for key in holders:
            cursor = -1
            while cursor:
                cursor, part = client.hscan(key, max(cursor, 0), count=PAGE)
                yield "held", "", list(part.values())
        for queue in self._queues:
            for key in layout.keys(queue):
                for page in _slices(client.lrange, key):
                    yield "waiting", queue, page
            for page in _slices(client.zrange, layout.key_of_delayed(queue)) if layout.is_reliable else ():
                yield "delayed", queue, [member[1:] for member in page]  # without their priority


def _slices(read: Any, key: str) -> Iterator[list[bytes]]:
    start, page = 0, list[bytes]()
    while not start or len(page) == PAGE:
        try:
            page = read(key, start, start + PAGE - 1)
        except redis.ResponseError:  # somebody else's key
            return
        if page:
            yield page
        start += PAGE


def _announced(raw: bytes, place: str, queue: str) -> Announced | None:
    try:
        told: Any = json.loads(raw)
        if isinstance(told, list):  # stock delivery keeps exchange and routing key beside it
            told = cast("list[Any]", told)[0]
        fields = fields_of(told)
        if "args" not in fields:
            fields = _fields_of_other_format(told) or fields
    except (ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return None
    run_id, task = fields.get("id"), fields.get("task")
    if not isinstance(run_id, str) or not isinstance(task, str):
        return None
    root, parent, group = (_text(fields.get(name)) for name in ("root_id", "parent_id", "group"))
    plan = read_plan(fields) if "args" in fields else None
    return Announced(run_id, task, place, queue, root, parent, group, plan)


def _fields_of_other_format(told: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return fields_of(told | json.loads(formats.as_json(json.dumps(told).encode())))
    except (formats.Unread, ValueError):
        return None


def read_chord_counts(client: redis.Redis, layout: Layout, groups: Sequence[str]) -> dict[str, ChordCount]:
    """Read the counters of chords whose body was not called yet; groups that are none are left out.

    Args:
        client: The result backend, which is the broker's Redis.
        layout: Names its keys.
        groups: Ids; of more than :data:`MAX_CHORDS` the first.
    """
    asked = list(groups[:MAX_CHORDS])
    pipeline: Any = client.pipeline(transaction=False)
    for group in asked:
        key = layout.add_prefix(f"{GROUP_KEY}{group}")
        pipeline.mget(f"{key}.s", f"{key}.t", f"{key}.b")
        pipeline.scard(f"{key}.d")
        pipeline.zcard(f"{key}.j")
        pipeline.llen(f"{key}.j")
    replies = pipeline.execute(raise_on_error=False)
    found: dict[str, ChordCount] = {}
    for place, group in enumerate(asked):
        head, *counts = replies[4 * place : 4 * place + 4]
        if isinstance(head, list) and any(value is not None for value in cast("list[Any]", head)):
            counted = max((count for count in counts if isinstance(count, int)), default=0)
            found[group] = _count(client, layout, group, cast("list[Any]", head), counted)
    return found


def _count(client: redis.Redis, layout: Layout, group: str, head: list[Any], counted: int) -> ChordCount:
    size, more, record = head
    missing, body = tuple[str, ...](), None
    if record is not None:
        key = layout.add_prefix(f"{GROUP_KEY}{group}.d")
        done = {entry.rpartition(b":")[0].decode("utf-8", "replace") for entry in cast("Any", client).smembers(key)}
        members, body = _read_record(record)
        missing = tuple(run_id for run_id in members if run_id not in done)
    try:
        whole = None if size is None else int(size) + int(more or 0)
    except ValueError:
        whole = None
    return ChordCount(whole, counted, missing, body)


def _read_record(text: bytes) -> tuple[list[str], Any]:
    """Read the members of a chord's record, each by its own id, and the body."""
    try:
        record: Any = json.loads(text)
        return [str(ids[0]) for ids in record["members"] if ids], read_step(record["body"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return [], None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
