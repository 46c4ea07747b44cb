"""Writer of the event stream: buffered, bounded, and never in the way of a task."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

import orjson
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from celery_nexus.connection.keys import EVENT_FIELD, EVENT_STREAM, EVENT_STREAM_LENGTH, WORKER_HASH
from celery_nexus.connection.redis_client import open_redis

MAX_BUFFERED = 20_000
MAX_BUFFERED_BYTES = 16_000_000
BATCH = 500
CONNECT_TIMEOUT_S = 1.0
REPLY_TIMEOUT_S = 2.0
MAX_PAUSE_S = 10.0
"""Longest pause between two attempts while the broker is away; the first is half a second."""

_Command = tuple[str | bytes | int, ...]

_writers: weakref.WeakSet[StreamWriter] = weakref.WeakSet()


def encode(event: dict[str, Any]) -> bytes:
    """Encode an event as JSON; what JSON doesn't know becomes its text."""
    return orjson.dumps(event, default=_as_text, option=orjson.OPT_NON_STR_KEYS)


def _as_text(value: Any) -> str:
    return f"‹{type(value).__name__}›"


class StreamWriter:
    """The way of one process into the stream; safe in threads and after a fork.

    While the broker is away events wait in memory, the oldest are dropped when there are too many, and the
    number dropped follows as an event ``stream-dropped`` (``count``) once the broker is back.

    Args:
        url: Address in redis-py's spelling; None writes nothing (a broker that isn't Redis).
        prefix: What the names of the application's keys begin with.
    """

    def __init__(self, url: str | None, prefix: str = "") -> None:
        self._url = url
        self._stream, self._workers = prefix + EVENT_STREAM, prefix + WORKER_HASH
        self._reset()
        _writers.add(self)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._connection: Any = None
        self._events: deque[bytes] = deque()
        self._bytes = 0
        self._heartbeats: dict[str, bytes | None] = {}
        self._retry_at = 0.0
        self._pause_s = 0.0
        self.dropped = 0

    def add(self, event: dict[str, Any]) -> None:
        """Put an event into the buffer."""
        if self._url is None:
            return
        try:
            data = encode(event)
        except (TypeError, ValueError):  # a lone surrogate, an integer over 64 bits
            data = encode({key: value if _is_plain(value) else ascii(value) for key, value in event.items()})
        with self._lock:
            self._events.append(data)
            self._bytes += len(data)
            while len(self._events) > MAX_BUFFERED or self._bytes > MAX_BUFFERED_BYTES:
                self._bytes -= len(self._events.popleft())
                self.dropped += 1

    def note_worker(self, hostname: str, heartbeat: dict[str, Any] | None) -> None:
        """Remember a worker's last heartbeat in :data:`WORKER_HASH`; None removes it."""
        if self._url is not None:
            with self._lock:
                self._heartbeats[hostname] = encode(heartbeat) if heartbeat is not None else None

    def flush(self) -> None:
        """Write what is buffered; does nothing while a failed attempt is too recent. Never raises."""
        with self._lock:
            if (self._events or self._heartbeats) and time.monotonic() >= self._retry_at:
                try:
                    self._write()
                except (redis.RedisError, OSError):
                    self._pause_s = min(max(0.5, self._pause_s * 2), MAX_PAUSE_S)
                    self._retry_at = time.monotonic() + self._pause_s
                else:
                    self._pause_s = 0.0

    def note(self, command: _Command) -> None:
        """Send one command that matters little, unless the broker is away; never raises."""
        with self._lock:
            if self._url is not None and time.monotonic() >= self._retry_at:
                with suppress(redis.RedisError, OSError):
                    self._send([command])

    def _write(self) -> None:
        while self._events or self._heartbeats:
            batch = [self._events[index] for index in range(min(BATCH, len(self._events)))]
            heartbeats, dropped = dict(self._heartbeats), self.dropped
            commands = [self._append(data) for data in batch]
            if dropped:
                fields = {"type": "stream-dropped", "count": dropped, "pid": os.getpid(), "timestamp": time.time()}
                commands.append(self._append(encode(fields)))
            for hostname, heartbeat in heartbeats.items():
                if heartbeat is None:
                    commands.append(("HDEL", self._workers, hostname))
                else:
                    commands.append(("HSET", self._workers, hostname, heartbeat))
            self._send(commands)
            for data in batch:
                self._events.popleft()
                self._bytes -= len(data)
            self._heartbeats.clear()
            self.dropped -= dropped

    def _append(self, data: bytes) -> _Command:
        return ("XADD", self._stream, "MAXLEN", "~", EVENT_STREAM_LENGTH, "*", EVENT_FIELD, data)

    def _send(self, commands: Sequence[_Command]) -> None:
        """Send commands together and read their replies; a redis-py pipeline would cost as much as all of them.

        Raises:
            RedisError: One of them failed, or the server does not answer.
            OSError: The same.
        """
        connection = self._connect()
        failed: redis.ResponseError | None = None
        try:
            connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                try:
                    connection.read_response()
                except redis.ResponseError as error:
                    failed = failed or error
        except BaseException:
            connection.disconnect()  # what comes next on it would be the rest of these replies
            raise
        if failed is not None:
            raise failed

    def _connect(self) -> Any:
        if self._connection is None:
            client = open_redis(
                cast("str", self._url),
                socket_timeout=REPLY_TIMEOUT_S,
                socket_connect_timeout=CONNECT_TIMEOUT_S,
                retry=Retry(NoBackoff(), 0),
            )
            self._connection = client.connection_pool.make_connection()
        return self._connection

    def close(self) -> None:
        """Write what is left, if the broker answers, and close the connection."""
        self.flush()
        with self._lock:
            if self._connection is not None:
                self._connection.disconnect()
                self._connection = None


def _is_plain(value: Any) -> bool:
    if isinstance(value, str):
        return value.isascii()
    return value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < 2**53)


def _forget_parent() -> None:
    # A connection, a lock held by another thread and unsent events belong to the parent.
    for writer in _writers:
        writer._reset()  # pyright: ignore[reportPrivateUsage]


os.register_at_fork(after_in_child=_forget_parent)
