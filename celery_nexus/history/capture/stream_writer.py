"""Writer of the event stream: buffered, bounded, and never in the way of a task."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Iterable, Sequence
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
MOST_UNANSWERED = 64
MOST_UNANSWERED_BYTES = 1_000_000
UNANSWERED_S = 1.0
"""Longest time, and most data, without reading the server's replies: waiting for each would cost as much again."""

MAX_PAUSE_S = 10.0
"""Longest pause between two attempts while the broker is away; the first is half a second."""

_Command = tuple[str | bytes | int, ...]

_Sent = bytes | int | tuple[str, bytes | None]
"""Command that waits for its reply: an event, a number of dropped ones, or a worker's heartbeat."""

_writers: weakref.WeakSet[StreamWriter] = weakref.WeakSet()


def encode(event: dict[str, Any]) -> bytes:
    """Encode an event as JSON; what JSON doesn't know becomes its text."""
    return orjson.dumps(event, default=_as_text, option=orjson.OPT_NON_STR_KEYS)


def _as_text(value: Any) -> str:
    return f"‹{type(value).__name__}›"


class StreamWriter:
    """The way of one process into the stream; safe in threads and after a fork.

    What was sent is kept until the broker has answered, and is sent again on the next connection when that one breaks:
    an event may come twice, and the history knows it by its time. While the broker is away events wait in memory, the
    oldest are dropped when there are too many, and the number dropped follows as an event ``stream-dropped``
    (``count``) once the broker is back.

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
        self._sent: deque[_Sent] = deque()
        self._sent_since = 0.0
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
            while self._events and (len(self._events) > MAX_BUFFERED or self._bytes > MAX_BUFFERED_BYTES):
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

    def confirm(self) -> None:
        """Write what is buffered, and wait for the broker's answers unless it is away; never raises."""
        self.flush()
        with self._lock, suppress(redis.RedisError, OSError):
            if self._sent:
                self._settle()

    def note(self, command: _Command) -> None:
        """Send one command that matters little, unless the broker is away; never raises."""
        with self._lock:
            if self._url is not None and time.monotonic() >= self._retry_at:
                with suppress(redis.RedisError, OSError):
                    self._settle()
                    self._send([command])
                    self._connect().read_response()

    def _write(self) -> None:
        """Send what is buffered, and read answers now and then.

        Raises:
            RedisError: One of the commands failed, or the server does not answer; all that is not there is kept.
            OSError: The same.
        """
        try:
            if self._sent and time.monotonic() - self._sent_since > UNANSWERED_S:
                self._read_answers()
            while self._events or self._heartbeats:
                is_beat = bool(self._heartbeats)
                self._send([self._command(sent) for sent in self._take()])
                is_much = len(self._sent) >= MOST_UNANSWERED or self._bytes >= MOST_UNANSWERED_BYTES
                if is_beat or is_much:
                    self._read_answers()
        except BaseException:
            self._take_back()
            raise

    def _take(self) -> list[_Sent]:
        """Take what is sent next out of the buffer; it is kept as long as its answer is out."""
        taken: list[_Sent] = [self._events.popleft() for _ in range(min(BATCH, len(self._events)))]
        if self.dropped:
            taken.append(self.dropped)
        taken.extend(self._heartbeats.items())
        if not self._sent:
            self._sent_since = time.monotonic()
        self._sent.extend(taken)
        self.dropped = 0
        self._heartbeats.clear()
        return taken

    def _command(self, sent: _Sent) -> _Command:
        if isinstance(sent, bytes):
            return self._append(sent)
        if isinstance(sent, int):
            fields = {"type": "stream-dropped", "count": sent, "pid": os.getpid(), "timestamp": time.time()}
            return self._append(encode(fields))
        hostname, heartbeat = sent
        return ("HDEL", self._workers, hostname) if heartbeat is None else ("HSET", self._workers, hostname, heartbeat)

    def _append(self, data: bytes) -> _Command:
        return ("XADD", self._stream, "MAXLEN", "~", EVENT_STREAM_LENGTH, "*", EVENT_FIELD, data)

    def _send(self, commands: Sequence[_Command]) -> None:
        """Send commands together; a redis-py pipeline would cost as much as all of them."""
        connection = self._connect()
        connection.send_packed_command(connection.pack_commands(commands))

    def _read_answers(self) -> None:
        refused: list[_Sent] = []
        problem: redis.ResponseError | None = None
        connection = self._connect()
        try:
            while self._sent:
                try:
                    connection.read_response()
                except redis.ResponseError as error:
                    problem = problem or error
                    refused.append(self._sent.popleft())
                else:
                    sent = self._sent.popleft()
                    self._bytes -= len(sent) if isinstance(sent, bytes) else 0
        finally:
            self._keep(refused)
        if problem is not None:
            raise problem

    def _settle(self) -> None:
        try:
            self._read_answers()
        except BaseException:
            self._take_back()
            raise

    def _take_back(self) -> None:
        """Keep what was sent in vain, as far as anybody knows; what would come next are answers to it."""
        if self._sent:
            self._connect().disconnect()
            self._keep(self._sent)
            self._sent.clear()

    def _keep(self, unsent: Iterable[_Sent]) -> None:
        for sent in reversed(list(unsent)):
            if isinstance(sent, bytes):
                self._events.appendleft(sent)
            elif isinstance(sent, int):
                self.dropped += sent
            else:
                self._heartbeats.setdefault(*sent)

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
            with suppress(redis.RedisError, OSError):
                self._settle()
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
