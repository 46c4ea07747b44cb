"""Writer of a recording: lines of JSON, compressed, each step safe on the disk before the next begins."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import orjson

from nexus_tui.recording.parts import FORMAT, VERSION, Header, dump_part

LEVEL = 6
GZIP = 31
"""Window bits that make zlib write, and read, gzip's format."""

MOST_BYTES = 200_000_000
"""Most bytes of a file."""

MOST_UNPACKED = 400_000_000
"""Most bytes of what is packed in it; a reader takes a little more."""


class Writer:
    """Writes parts as they change.

    Args:
        file: Where to.
        mask: Takes out of a text what is known as a secret here.
        most_bytes: Size at which it is full.

    Attributes:
        size_bytes: What is written so far.
    """

    def __init__(self, file: BinaryIO, mask: Callable[[str], str] = str, most_bytes: int = MOST_BYTES) -> None:
        self.size_bytes = 0
        self._file = file
        self._mask = mask
        self._most_bytes = most_bytes
        self._unpacked = 0
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
        self._last: dict[str, bytes] = {}

    def begin(self, at: float) -> None:
        """Write since when there is something (seconds since the epoch)."""
        self._write(orjson.dumps(Header(FORMAT, VERSION, at)))
        self.flush()

    def add(self, at_s: float, part: str, value: Any, *, is_event: bool = False) -> None:
        """Write a part, unless it is as it was.

        Args:
            at_s: Seconds since the beginning.
            part: Its name.
            value: Its rows.
            is_event: Whether it is told once, and not compared with the last.
        """
        told = self._mask(orjson.dumps(dump_part(part, value), option=orjson.OPT_NON_STR_KEYS).decode()).encode()
        if not is_event:
            if self._last.get(part) == told:
                return
            self._last[part] = told
        self._write(b'{"t":%.2f,"part":%s,"rows":%s}' % (at_s, orjson.dumps(part), told))

    def flush(self) -> None:
        """Bring everything to the file, so that it can be read even if nothing follows."""
        self._put(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """Write the end."""
        self._put(self._packer.flush())
        self._file.flush()

    @property
    def is_full(self) -> bool:
        """Whether nothing more may be written."""
        return self.size_bytes >= self._most_bytes or self._unpacked >= MOST_UNPACKED

    def _write(self, line: bytes) -> None:
        self._unpacked += len(line) + 1
        self._put(self._packer.compress(line + b"\n"))

    def _put(self, packed: bytes) -> None:
        self.size_bytes += len(packed)
        self._file.write(packed)
