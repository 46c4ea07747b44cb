"""Search of a word in merged logs, forwards and backwards from any place, without loading the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from celery_nexus.errors import SourceError
from celery_nexus.rows.workers import Program
from celery_nexus.stack.log_window import BLOCK_BYTES, Place, find_time, time_of

CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Match:
    """A line with a word.

    Attributes:
        program: Whose.
        at: When it was written.
        place: Where every file is at that moment; in its own the line begins there.
        after: The same, but behind the line.
    """

    program: str
    at: datetime
    place: Place
    after: Place


def find_previous(
    programs: Sequence[Program], word: str, place: Place, is_wanted: Callable[[], bool] = lambda: True
) -> Match | None:
    """Find the latest line with a word before a place; None when there is none.

    Args:
        programs: Whose logs.
        word: What the line contains, in any case of letters.
        place: Lines that begin before it are searched.
        is_wanted: Asked now and then; when it says no, the search ends.

    Raises:
        SourceError: A file can't be read.
    """
    found = _candidates(programs, lambda program: _find_last(program, word, place[program.name], is_wanted))
    return _match(programs, max(found, key=lambda one: one[1], default=None))


def find_next(
    programs: Sequence[Program], word: str, place: Place, is_wanted: Callable[[], bool] = lambda: True
) -> Match | None:
    """Find the first line with a word from a place on; arguments and errors as of :func:`find_previous`."""
    found = _candidates(programs, lambda program: _find_first(program, word, place[program.name], is_wanted))
    return _match(programs, min(found, key=lambda one: one[1], default=None))


def _candidates(
    programs: Sequence[Program], find: Callable[[Program], int | None]
) -> list[tuple[Program, datetime, int]]:
    offsets = [(program, find(program)) for program in programs]
    return [(program, time_of(program, offset), offset) for program, offset in offsets if offset is not None]


def _match(programs: Sequence[Program], found: tuple[Program, datetime, int] | None) -> Match | None:
    if found is None:
        return None
    own, at, offset = found
    place: Mapping[str, int] = {
        program.name: offset if program is own else find_time(program, at) for program in programs
    }
    return Match(own.name, at, place, {**place, own.name: _end_of_line(own, offset)})


def _find_last(program: Program, word: str, end: int, is_wanted: Callable[[], bool]) -> int | None:
    """Find where the last line with a word begins that begins before an offset."""
    wanted, high = word.lower().encode(), end
    while high > 0 and is_wanted():
        low = max(0, high - CHUNK_BYTES)
        data = _read(program, low, min(high + len(wanted) - 1, end)).lower()
        place = data.rfind(wanted)
        if place >= 0:
            return _begin_of_line(program, low + place)
        high = low
    return None


def _find_first(program: Program, word: str, start: int, is_wanted: Callable[[], bool]) -> int | None:
    """Find where the first line with a word begins, from an offset on."""
    wanted = word.lower().encode()
    while is_wanted():
        data = _read(program, start, start + CHUNK_BYTES).lower()
        place = data.find(wanted)
        if place >= 0:
            return _begin_of_line(program, start + place)
        if len(data) < CHUNK_BYTES:
            return None
        start += CHUNK_BYTES - len(wanted) + 1
    return None


def _begin_of_line(program: Program, offset: int) -> int:
    low = max(0, offset - BLOCK_BYTES)
    data = _read(program, low, offset)
    return low + data.rfind(b"\n") + 1


def _end_of_line(program: Program, offset: int) -> int:
    data = _read(program, offset, offset + BLOCK_BYTES)
    place = data.find(b"\n")
    return offset + (len(data) if place < 0 else place + 1)


def _read(program: Program, start: int, end: int) -> bytes:
    try:
        with Path(program.log).open("rb") as file:
            file.seek(start)
            return file.read(max(end - start, 0))
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SourceError(f"the log {program.log} can't be read: {error.strerror}") from None
