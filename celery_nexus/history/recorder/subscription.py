"""Pub/sub subscription that keeps up with its server: drained by a thread, buffered in memory and a file.

Redis cuts off a subscriber for whom more than 32 MB wait (``client-output-buffer-limit pubsub``), and what waited
is lost: a reader that decodes between two reads loses most of a burst. So a thread does nothing but empty the
socket; what can't be worked off at once waits here, first in memory, then in a nameless file.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import sys
import tempfile
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import redis

CHUNK_BYTES = 1 << 18
MEMORY_BYTES = 2_000_000
"""Size of the buffer in memory; the rest goes to the file."""

FILE_BYTES = 2_000_000_000
RETRY_S = 1.0
PING_EVERY_S = 5.0
"""Interval of pings on a silent connection."""

SILENT_FOR_S = 3 * PING_EVERY_S
FULL_BYTES = 1 << 16
BURST_S = 0.02
"""Time for which a large read counts as a burst."""

URGENT = -15
_PING = b"*1\r\n$4\r\nPING\r\n"
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Broken:
    """A place where the subscription was interrupted: what was published meanwhile was not heard.

    Attributes:
        at: When it ended, or first failed.
        reason: Why.
    """

    at: float
    reason: str


class Overflow(OSError):
    """More waits than may be kept."""


class Spool:
    """Chunks in the order in which they came, from one thread to another.

    Args:
        folder: Where the nameless file is made, at need.
        memory_bytes: Beyond so many, chunks go to the file.
        file_bytes: Beyond so many, :meth:`put` refuses.
    """

    def __init__(self, folder: Path, memory_bytes: int = MEMORY_BYTES, file_bytes: int = FILE_BYTES) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._file_bytes = file_bytes
        self._ready = threading.Condition()
        self._chunks: deque[bytes | Broken] = deque()
        self._held = 0
        self._file: IO[bytes] | None = None
        self._read_at = self._write_at = 0
        self._breaks: deque[Broken] = deque()

    def close(self) -> None:
        """Forget what waits in the file."""
        with self._ready:
            if self._file is not None:
                self._file.close()
                self._file = None
            self._read_at = self._write_at = 0

    @property
    def waiting_bytes(self) -> int:
        """How much was put and not taken."""
        with self._ready:
            return self._held + self._write_at - self._read_at

    def put(self, item: bytes | Broken) -> None:
        """Add a chunk, or a break.

        Raises:
            Overflow: There is no room; the item was not taken.
        """
        with self._ready:
            if self._read_at == self._write_at and self._held < self._memory_bytes:
                self._chunks.append(item)
                self._held += len(item) if isinstance(item, bytes) else 0
            else:
                self._write(item)
            self._ready.notify()

    def take(self, timeout_s: float) -> bytes | Broken | None:
        """Remove the oldest item; None when nothing came in time."""
        with self._ready:
            if not self._chunks and self._read_at == self._write_at:
                self._ready.wait(timeout_s)
            if self._chunks:
                item = self._chunks.popleft()
                self._held -= len(item) if isinstance(item, bytes) else 0
                return item
            return self._read() if self._read_at < self._write_at else None

    def _write(self, item: bytes | Broken) -> None:
        data = item if isinstance(item, bytes) else b""
        if self._write_at + len(data) > self._file_bytes and data:
            raise Overflow(f"more than {self._file_bytes // 1_000_000:,} MB wait to be recorded")
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, buffering=0)  # noqa: SIM115  (lives with us)
        self._file.seek(self._write_at)
        if self._file.write(_LENGTH.pack(len(data)) + data) != _LENGTH.size + len(data):
            raise Overflow("the disk is full")
        self._write_at += _LENGTH.size + len(data)
        if isinstance(item, Broken):
            self._breaks.append(item)

    def _read(self) -> bytes | Broken:
        file = cast("IO[bytes]", self._file)
        file.seek(self._read_at)
        (length,) = _LENGTH.unpack(file.read(_LENGTH.size))
        item = file.read(length) if length else self._breaks.popleft()
        self._read_at += _LENGTH.size + length
        if self._read_at == self._write_at:
            self._read_at = self._write_at = 0
            file.truncate(0)
        return item


class Drain(threading.Thread):
    """Subscribes, again after each interruption, and puts what the socket gives into a spool.

    Args:
        client: Redis; each subscription is a connection of its own from its pool.
        patterns: What to subscribe to, as ``PSUBSCRIBE`` takes it.
        spool: Where to.
    """

    def __init__(self, client: redis.Redis, patterns: tuple[str, ...], spool: Spool) -> None:
        super().__init__(name="drain", daemon=True)
        self._client = client
        self._patterns = patterns
        self._spool = spool
        self._stopping = threading.Event()
        self.subscribed = threading.Event()
        self.problem = ""
        self._burst_until = 0.0

    @property
    def is_in_burst(self) -> bool:
        """Whether the socket was full a moment ago: whoever works off the spool had better wait."""
        return time.monotonic() < self._burst_until

    def stop(self) -> None:
        """End soon; what the spool holds stays there."""
        self._stopping.set()

    def run(self) -> None:
        """Drain until :meth:`stop`."""
        _come_first()
        broken: Broken | None = None
        while not self._stopping.is_set():
            connection: Any = None
            try:
                connection = self._subscribe()
                if broken is not None:
                    self._spool.put(broken)
                    broken = None
                self.problem = ""
                self.subscribed.set()
                self._pull(connection._sock)
            except (redis.RedisError, OSError) as error:
                self.problem = " ".join(str(error).split()) or type(error).__name__
                broken = broken or Broken(time.time(), self.problem)
            finally:
                self.subscribed.clear()
                if connection is not None:
                    connection.disconnect()
            self._stopping.wait(RETRY_S)

    def _subscribe(self) -> Any:
        arguments: dict[str, Any] = {**self._client.connection_pool.connection_kwargs, "protocol": 2}
        connection: Any = self._client.connection_pool.connection_class(**arguments)
        connection.connect()
        connection.send_command("PSUBSCRIBE", *self._patterns)
        return connection

    def _pull(self, sock: socket.socket) -> None:
        sock.settimeout(PING_EVERY_S)
        heard_at, in_one_go = time.monotonic(), 0
        while not self._stopping.is_set():
            try:
                data = sock.recv(CHUNK_BYTES)
            except TimeoutError:
                if time.monotonic() - heard_at > SILENT_FOR_S:
                    raise TimeoutError("the broker fell silent") from None
                sock.sendall(_PING)
                continue
            if not data:
                raise ConnectionError("the broker closed the connection")
            heard_at = time.monotonic()
            self._spool.put(data)
            # TLS gives 16 kB at a time, so what was read in one go is counted until the socket is empty.
            in_one_go += len(data)
            if in_one_go >= FULL_BYTES:
                self._burst_until = heard_at + BURST_S
            if not _has_more(sock):
                in_one_go = 0


def _come_first() -> None:
    """Take precedence over what else wants the processor: who is late by a tenth of a second is cut off."""
    if sys.platform == "linux":
        with suppress(OSError):  # only privileged users may
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), URGENT)


def _has_more(sock: socket.socket) -> bool:
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return True
    return bool(select.select([sock], [], [], 0)[0])
