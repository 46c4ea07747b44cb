"""Windows of merged logs, read block by block from any place in the files: a log may be longer than the memory.

A place is an offset in each program's file. What is read of the files ends, or begins, at the same moment in all of
them, so that the windows before and after it join without a gap.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from celery_nexus.errors import SourceError
from celery_nexus.privacy.masking import mask_text
from celery_nexus.rows.logs import LogLine
from celery_nexus.rows.text import safe_text
from celery_nexus.rows.workers import Program
from celery_nexus.stack.log_file import drop_rest_of_key
from celery_nexus.stack.logs import LONG_AGO, merge, parse_lines, read_head

BLOCK_BYTES = 64 * 1024
"""Bytes of each file that a window has, at most."""

_WINDOW_BYTES = 2 * BLOCK_BYTES

Place = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LogWindow:
    """Lines of several programs between two places.

    Attributes:
        lines: Merged by time.
        begin: Where they begin in each program's file.
        end: Where they end.
    """

    lines: tuple[LogLine, ...]
    begin: Place
    end: Place

    @property
    def is_first(self) -> bool:
        """Whether nothing was written before it, as far as the files go back."""
        return not any(self.begin.values())


@dataclass
class _Block:
    """Lines of one file: the offset and time of each, and where the last one ends."""

    program: str
    data: bytes
    offsets: list[int]
    times: list[datetime]
    end: int
    is_whole: bool

    def cut(self, first: int, last: int) -> _Block:
        """Keep the lines from one number to another."""
        ends = [*self.offsets, self.end]
        start = ends[0]
        data = self.data[ends[first] - start : ends[last] - start]
        return _Block(self.program, data, self.offsets[first:last], self.times[first:last], ends[last], self.is_whole)

    @property
    def first_time(self) -> datetime | None:
        """The first time that a line of it tells."""
        return next((time for time in self.times if time > LONG_AGO), None)

    @property
    def lines(self) -> Iterable[LogLine]:
        """The lines as they may be shown."""
        text = mask_text(drop_rest_of_key(self.data.decode(errors="replace")), _WINDOW_BYTES)
        return parse_lines(self.program, (safe_text(line) for line in text.split("\n") if line))


def find_end(programs: Sequence[Program]) -> Place:
    """Return where every file ends now."""
    return {program.name: _size(program) for program in programs}


def read_before(programs: Sequence[Program], end: Place) -> LogWindow:
    """Read the window before a place.

    Raises:
        SourceError: A file can't be read.
    """
    blocks = [_read(program, max(0, end[program.name] - BLOCK_BYTES), end[program.name]) for program in programs]
    known = [time for block in blocks if not block.is_whole and (time := block.first_time) is not None]
    floor = max(known, default=LONG_AGO)
    kept = [block.cut(bisect_left(block.times, floor), len(block.times)) for block in blocks]
    begins = {row.program: row.offsets[0] if row.offsets else row.end for row in kept}
    return LogWindow(tuple(merge(row.lines for row in kept)), begins, {row.program: row.end for row in blocks})


def read_after(programs: Sequence[Program], begin: Place) -> LogWindow:
    """Read the window after a place.

    Raises:
        SourceError: A file can't be read.
    """
    sizes = find_end(programs)
    ends = {name: min(start + BLOCK_BYTES, sizes[name]) for name, start in begin.items()}
    blocks = [_read(program, begin[program.name], ends[program.name], is_begin=True) for program in programs]
    rest = [block.times[-1] for block in blocks if block.times and block.end < sizes[block.program]]
    kept = [block.cut(0, _count_until(block, min(rest))) if rest else block for block in blocks]
    return LogWindow(tuple(merge(block.lines for block in kept)), dict(begin), {row.program: row.end for row in kept})


def find_time(program: Program, at: datetime) -> int:
    """Find where the first line begins that was written at a time or later; the end when none was.

    Raises:
        SourceError: The file can't be read.
    """
    low, high = 0, _size(program)
    while high - low > BLOCK_BYTES // 8:
        middle = (low + high) // 2
        block = _read(program, middle, min(middle + BLOCK_BYTES, high))
        times = [time for time in block.times if time > LONG_AGO]
        if times and times[0] < at:
            low = block.offsets[0]
        else:
            high = middle
    block = _read(program, low, min(high + BLOCK_BYTES, _size(program)), is_begin=True)
    place = bisect_left(block.times, at)
    return block.offsets[place] if place < len(block.offsets) else block.end


def time_of(program: Program, offset: int) -> datetime:
    """Return when a line was written, as it or a line before it tells."""
    block = _read(program, max(0, offset - BLOCK_BYTES), offset + 4096)
    place = bisect_left(block.offsets, offset)
    return block.times[min(place, len(block.times) - 1)] if block.times else LONG_AGO


def _count_until(block: _Block, latest: datetime) -> int:
    return sum(time <= latest for time in block.times)


def _read(program: Program, start: int, end: int, *, is_begin: bool = False) -> _Block:
    """Read the lines between two offsets.

    Args:
        program: Whose.
        start: Where to begin; a line that begins before is left out, unless it fills all.
        end: Where to end.
        is_begin: Whether a line begins at ``start``; the one that goes on at ``end`` is then read to its end.
    """
    data = _read_bytes(Path(program.log), start, end, is_whole_line=is_begin)
    if start and not is_begin and (skipped := data.find(b"\n") + 1) < len(data):
        start, data = start + skipped, data[skipped:]
    offsets, times = list[int](), list[datetime]()
    at, place = LONG_AGO, 0
    for line in data.splitlines(keepends=True):
        found, _ = read_head(line[:200].decode(errors="replace"))
        at = max(at, found) if found else at  # files go forwards, but for threads that write at the same time
        offsets.append(start + place)
        times.append(at)
        place += len(line)
    return _Block(program.name, data, offsets, times, start + len(data), is_whole=start == 0)


def _read_bytes(path: Path, start: int, end: int, *, is_whole_line: bool) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(start)
            data = file.read(max(end - start, 0))
            if is_whole_line and not data.endswith(b"\n"):
                data += file.readline(BLOCK_BYTES)
            return data
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SourceError(f"the log {path} can't be read: {error.strerror}") from None


def _size(program: Program) -> int:
    try:
        return Path(program.log).stat().st_size
    except OSError:
        return 0
