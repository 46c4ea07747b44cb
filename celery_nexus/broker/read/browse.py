"""Message browser: pages in run order, one message by its id, counts by task, all in short reads."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, cast

import redis
from redis.exceptions import NoScriptError

from celery_nexus.application_code import NO_CODE, ApplicationCode
from celery_nexus.broker.wire.decode import decode, mask_message
from celery_nexus.broker.wire.scripts import COUNT, FIND, FIND_DELAYED, IS_UNACKED, Script
from celery_nexus.delivery.layout import Layout
from celery_nexus.rows.broker import Message
from celery_nexus.serializers.json_spelling import spellings, unescape

CHUNK = 500
"""Messages that one script looks at: a few milliseconds of the server's time."""

CHUNKS_PER_TRIP = 8
FIRST_CHUNK = 100
MOST_READ = 5000
CHUNK_BYTES = 6 * 1024 * 1024
"""Most messages, and bytes, of one read while messages are searched here: some 5 ms of the server's time."""

SAMPLE = 100
"""Messages whose sizes are looked at to choose how many are read next."""

OVERLAP = 100
"""Messages seen twice between round trips, because consumers move what waits towards the end where we started."""


class Browser:
    """Reads the messages of one application; may be shared by threads.

    Args:
        client: Connection for reading.
        layout: Names of the application's keys.
        code: The application's code, which says what is private.
        is_near: Whether the broker is on this host: messages are then searched here, which takes 0.3 s of both
            sides' CPU for 100,000 of them, where Lua takes 0.5 s; over a network all of them would have to travel.
    """

    def __init__(
        self, client: redis.Redis, layout: Layout, code: ApplicationCode = NO_CODE, *, is_near: bool = False
    ) -> None:
        self._client = client
        self._code = code
        self._is_near = is_near
        self._layout = layout
        self._find = Script(client, FIND)
        self._find_delayed = Script(client, FIND_DELAYED)
        self._count = Script(client, COUNT)
        self._is_unacked = Script(client, IS_UNACKED)

    def read_head(self, queue: str, *, first_priority_only: bool = False) -> str:
        """Digest the next message of a queue, to see later whether somebody took it; empty when there is none.

        Args:
            queue: Its name.
            first_priority_only: Whether to look only at the list without a priority, which every worker reads.
        """
        pipeline = self._client.pipeline(transaction=False)
        for key in self._layout.keys(queue)[: 1 if first_priority_only else None]:
            pipeline.lindex(key, -1)
        raws = (raw for raw in pipeline.execute(raise_on_error=False) if isinstance(raw, bytes))
        return next((hashlib.blake2b(raw, digest_size=8).hexdigest() for raw in raws), "")

    def lengths(self, queue: str) -> list[int]:
        """Count what waits in each list of a queue."""
        pipeline = self._client.pipeline(transaction=False)
        for key in self._layout.keys(queue):
            pipeline.llen(key)
        return [int(length) for length in pipeline.execute()]

    def page(self, queue: str, limit: int, offset: int) -> list[Message]:
        """Read ``limit`` messages from position ``offset`` of the run order."""
        wanted: list[tuple[int, int, int]] = []  # step, first and last place from the consumed end
        before, position = 0, offset
        for step, length in zip(self._layout.steps, self.lengths(queue), strict=True):
            first, last = max(0, position - before), min(length, offset + limit - before) - 1
            if first <= last:
                wanted.append((step, first, last))
            before += length
        pipeline = self._client.pipeline(transaction=False)
        for step, first, last in wanted:
            pipeline.lrange(self._layout.key(queue, step), -last - 1, -first - 1)
        now = time.time()
        found: list[Message] = []
        for (step, first, _), rows in zip(wanted, pipeline.execute(), strict=True):
            for place, raw in enumerate(reversed(rows)):
                position = offset + len(found)
                message = decode(raw, queue=queue, priority=step, position=position, now=now, depth=first + place)
                found.append(mask_message(message, self._code))
        return found

    def find(self, queue: str, step: int, run_id: str, before: int = 0) -> Message | None:
        """Look for a run's message in one list, from the end that is consumed."""
        for text in spellings(run_id):
            for depth, raw in self._containing(queue, step, text):
                message = decode(raw, queue=queue, priority=step, position=before + depth, now=time.time(), depth=depth)
                if message.id == run_id:
                    return mask_message(message, self._code)
        return None

    def find_delayed(self, queue: str, run_id: str) -> Message | None:
        """Look for a run's message among those that reliable delivery keeps until their time."""
        delayed = (row for text in spellings(run_id) for row in self._delayed_containing(queue, text))
        return next((message for message in delayed if message.id == run_id), None)

    def list_delayed_ids(self, queue: str, prefix: str) -> list[str]:
        """List the ids of delayed messages that begin with ``prefix``."""
        found = (row.id for text in spellings(prefix) for row in self._delayed_containing(queue, text[:-1]))
        return [run_id for run_id in found if run_id.startswith(prefix)]

    def _delayed_containing(self, queue: str, text: str) -> Iterator[Message]:
        key, start = self._layout.key_of_delayed(queue), 0
        size = self._client.zcard(key)
        while start < size:
            for member in self._find_delayed([key], [text, start, start + CHUNK - 1]):
                priority = int(member[:1]) if member[:1].isdigit() else 0
                message = decode(member[1:], queue=queue, priority=priority, position=0, now=time.time())
                yield replace(mask_message(message, self._code), is_delayed=True)
            start += CHUNK - OVERLAP

    def is_unacked(self, run_id: str) -> bool:
        """Tell whether a worker has taken a run's message and not acknowledged it."""
        nodes = self._client.hkeys(self._layout.leases)
        holders = [self._layout.in_flight_key(node.decode("utf-8", "replace")) for node in cast("list[bytes]", nodes)]
        keys = (self._layout.unacked, *holders)
        return any(self._is_held(key, text) for key in keys for text in spellings(run_id))

    def _is_held(self, key: str, quoted: str) -> bool:
        cursor = b"0"
        texts = [f'"{name}":{blank}{quoted}' for name in ("id", "correlation_id") for blank in (" ", "")]
        while True:
            # Stock delivery keeps messages as kombu parsed and wrote them, reliable delivery as they came. Headers of
            # task protocol 1 tell no id, but each message is correlated by its own.
            cursor, found = self._is_unacked([key], [cursor, *texts])
            if found or cursor == b"0":
                return bool(found)

    def ids(self, queue: str, step: int, prefix: str, limit: int) -> list[str]:
        """List the ids in one list that begin with ``prefix``."""
        found: list[str] = []
        for depth, raw in chain.from_iterable(self._containing(queue, step, text[:-1]) for text in spellings(prefix)):
            message = decode(raw, queue=queue, priority=step, position=depth, now=time.time())
            if message.id.startswith(prefix) and message.id not in found:
                found.append(message.id)
            if len(found) >= limit:
                break
        return found

    def count_by_task(self, queue: str) -> dict[str, int]:
        """Count messages by task name; those without one count under an empty name."""
        counts = Counter[str]()
        for step in self._layout.steps:
            for trip in self._trips(overlap=0):
                replies = self._run(self._count, queue, step, trip, [])
                for _, flat in replies:
                    for name, count in zip(flat[::2], flat[1::2], strict=True):
                        counts[unescape(name.decode("utf-8", "replace"))] += int(count)
                if replies[-1][0] < CHUNK:
                    break
        return dict(counts.most_common())

    def _containing(self, queue: str, step: int, text: str) -> Iterator[tuple[int, bytes]]:
        if self._is_near:
            yield from self._read_containing(queue, step, text.encode())
            return
        length = int(self._client.llen(self._layout.key(queue, step)))  # pyright: ignore[reportArgumentType]
        for trip in self._trips(overlap=OVERLAP):
            if trip[0][0] >= length:
                return
            for found in self._run(self._find, queue, step, trip, [text]):
                yield from zip(found[::2], found[1::2], strict=True)

    def _read_containing(self, queue: str, step: int, needle: bytes) -> Iterator[tuple[int, bytes]]:
        key, depth, chunk = self._layout.key(queue, step), 0, FIRST_CHUNK
        while True:
            rows = cast("list[bytes]", self._client.lrange(key, -depth - chunk, -depth - 1))
            last = len(rows) - 1
            for place in reversed([place for place, raw in enumerate(rows) if needle in raw]):
                yield depth + last - place, rows[place]
            if len(rows) < chunk:
                return
            depth += chunk - min(OVERLAP, chunk // 10)
            average = sum(map(len, rows[:SAMPLE])) // len(rows[:SAMPLE]) + 1
            chunk = max(10, min(MOST_READ, CHUNK_BYTES // average))

    def _run(self, script: Script, queue: str, step: int, trip: list[tuple[int, int]], first: list[str]) -> list[Any]:
        key = self._layout.key(queue, step)
        for attempt in range(2):
            pipeline = self._client.pipeline(transaction=False)
            for start, end in trip:
                script.queue(pipeline, [key], [*first, -end, -start - 1, CHUNK])
            replies: list[Any] = pipeline.execute(raise_on_error=False)
            errors = [reply for reply in replies if isinstance(reply, Exception)]
            if not errors:
                return replies
            if attempt or not isinstance(errors[0], NoScriptError):
                raise errors[0]
            script.load()
        raise AssertionError

    @staticmethod
    def _trips(overlap: int) -> Iterator[list[tuple[int, int]]]:
        """Places from the consumed end, chunk by chunk, as many as one round trip asks for."""
        start = 0
        while True:
            trip: list[tuple[int, int]] = []
            for _ in range(CHUNKS_PER_TRIP if start else 1):
                trip.append((start, start + CHUNK))
                start += CHUNK
            yield trip
            start -= overlap
