"""A recording that is replayed: what each part was at any moment of it. Whoever sent the file may be an enemy."""

from __future__ import annotations

import math
import os
import tempfile
import weakref
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from celery_nexus.errors import Invalid
from nexus_tui.recording.parts import FORMAT, PARTS, VERSION, Damaged, Header, Mark, load_header, load_part
from nexus_tui.recording.writer import GZIP, MOST_BYTES

MOST_UNPACKED = 500_000_000
"""Most bytes that a recording unpacks to: what packs better is made to fill a disk."""

MOST_LINE = 32_000_000
MOST_LINES = 2_000_000
MOST_MARKS = 1_000
MOST_S = 31 * 86_400.0
_CHUNK = 1 << 18
_KEPT = 256
"""Values of parts that are kept decoded."""


@dataclass
class _Places:
    """When a part was told, and where in the unpacked file."""

    at_s: array[float] = field(default_factory=lambda: array("d"))
    start: array[int] = field(default_factory=lambda: array("q"))
    size: array[int] = field(default_factory=lambda: array("q"))


class Reel:
    """A recording, unpacked into a file of its own that goes away with the process.

    Args:
        path: The recording.

    Attributes:
        header: Its first line.
        length_s: Its length in seconds.
        marks: When something got into trouble: seconds, and what.
        is_cut: Whether its end is missing; it is replayed up to there.

    Raises:
        Invalid: It is no recording, one of a newer version, or one that is made to do harm.
        OSError: It can't be read.
    """

    def __init__(self, path: Path) -> None:
        self.length_s = 0.0
        self.is_cut = False
        self._places = {name: _Places() for name in PARTS}
        self._file: BinaryIO = tempfile.TemporaryFile(prefix="nexus-replay-")  # noqa: SIM115  (lives as long as this)
        weakref.finalize(self, self._file.close)
        lines = self._lines(path)
        self.header = _read_header(next(lines, b""), path)
        for count, (start, line) in enumerate(self._store(lines)):
            if count >= MOST_LINES:
                raise Invalid(f"{path.name}: more than {MOST_LINES:,} lines: this is no recording of ours")
            self._note(start, line)
        self._file.flush()
        self.marks = tuple(self._read_marks())
        self._decoded = lru_cache(maxsize=_KEPT)(self._decode)

    def last(self, part: str, at_s: float) -> Any:
        """Return what a part was at a moment; None before it was first told.

        Raises:
            Damaged: It holds something else.
        """
        index = bisect_right(self._places[part].at_s, at_s) - 1
        return self._decoded(part, index) if index >= 0 else None

    def count(self, part: str, at_s: float) -> int:
        """Count how often a part was told up to a moment."""
        return bisect_right(self._places[part].at_s, at_s)

    def read_between(self, part: str, first: int, end: int) -> Iterator[Any]:
        """Yield what was told of a part, from one place in its order up to another; what is damaged is left out."""
        for index in range(first, end):
            try:
                yield self._decode(part, index)
            except Damaged:
                continue

    def close(self) -> None:
        """Remove the unpacked file."""
        self._file.close()

    def _decode(self, part: str, index: int) -> Any:
        places = self._places[part]
        line = os.pread(self._file.fileno(), places.size[index], places.start[index])  # several threads read
        return load_part(part, orjson.loads(line)["rows"])

    def _lines(self, path: Path) -> Iterator[bytes]:
        if path.stat().st_size > 2 * MOST_BYTES:
            raise Invalid(f"{path.name}: a recording has at most {2 * MOST_BYTES:,} bytes")
        rest = b""
        with path.open("rb") as file:
            for piece in self._unpack(file, path):
                *lines, rest = (rest + piece).split(b"\n")
                yield from lines
                if len(rest) > MOST_LINE:
                    raise Invalid(f"{path.name}: a line of more than {MOST_LINE:,} bytes: this is no recording of ours")
        self.is_cut = self.is_cut or bool(rest)

    def _unpack(self, file: BinaryIO, path: Path) -> Iterator[bytes]:
        unpacker, total = zlib.decompressobj(GZIP), 0
        while packed := file.read(_CHUNK):
            while packed and not unpacker.eof:
                try:
                    piece = unpacker.decompress(packed, _CHUNK)
                except zlib.error:
                    if not total:
                        raise Invalid(f"{path.name} is no recording: nexus-tui record makes one") from None
                    self.is_cut = True  # damaged from here on
                    return
                packed = unpacker.unconsumed_tail
                total += len(piece)
                if total > MOST_UNPACKED:
                    raise Invalid(f"{path.name} unpacks to more than {MOST_UNPACKED:,} bytes: this is no recording")
                yield piece
        self.is_cut = not unpacker.eof

    def _store(self, lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
        start = 0
        for line in lines:
            self._file.write(line)
            yield start, line
            start += len(line)

    def _note(self, start: int, line: bytes) -> None:
        """Note where a line is; one that makes no sense, or goes back in time, is left out."""
        try:
            told: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            return
        if not isinstance(told, dict):
            return
        row = cast("dict[str, Any]", told)
        part, at_s = row.get("part"), row.get("t")
        places = self._places.get(part) if isinstance(part, str) else None
        if places is None or "rows" not in row or not isinstance(at_s, int | float) or isinstance(at_s, bool):
            return
        if not math.isfinite(at_s) or not self.length_s <= at_s <= MOST_S:
            return
        self.length_s = float(at_s)
        places.at_s.append(float(at_s))
        places.start.append(start)
        places.size.append(len(line))

    def _read_marks(self) -> Iterator[tuple[float, Mark]]:
        for index, at_s in enumerate(self._places["mark"].at_s[:MOST_MARKS]):
            for mark in self.read_between("mark", index, index + 1):
                yield at_s, mark


def _read_header(line: bytes, path: Path) -> Header:
    try:
        header = load_header(orjson.loads(line))
    except (orjson.JSONDecodeError, Damaged):
        raise Invalid(f"{path.name} is no recording: nexus-tui record makes one") from None
    if header.nexus != FORMAT or not 0 <= header.at <= 1e11 or not math.isfinite(header.at):
        raise Invalid(f"{path.name} is no recording: nexus-tui record makes one")
    if header.version > VERSION:
        raise Invalid(f"{path.name} was recorded by a newer version of Nexus: update to replay it")
    return header
