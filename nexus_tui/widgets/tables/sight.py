"""Record of the rows that were on the screen, so that a key acts on the row that its operator saw.

Rows stream in between the picture that an operator looks at and the key that follows. So a key acts on the row
that was painted under the cursor when it was pressed, or on the one that earlier keys went to since.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from textual._time import get_time

_MOST_KEPT = 16
"""Number of pictures kept: those of four seconds at four repaints a second; no key waits for longer."""

_PAINTING_S = 0.05
"""Longest time between two lines of one picture."""

_PRESSED_AT: ContextVar[float] = ContextVar("pressed_at", default=math.inf)


@contextmanager
def act_as_of(pressed_at: float) -> Generator[None]:
    """Let what is done inside be about what was painted at a time (Textual's monotonic clock)."""
    token = _PRESSED_AT.set(pressed_at)
    try:
        yield
    finally:
        _PRESSED_AT.reset(token)


def read_key_time() -> float:
    """Return when the key was pressed that is acted on; infinity outside of keys: now."""
    return _PRESSED_AT.get()


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its id, empty for one that can't be named, and what it shows."""

    id: str
    item: Any


@dataclass(frozen=True, slots=True)
class Picture:
    """The rows that were drawn.

    Attributes:
        rows: By line; None for one that was not loaded.
        line: The cursor's line.
    """

    rows: tuple[Row | None, ...]
    line: int

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self.rows[self.line] if 0 <= self.line < len(self.rows) else None

    def move_cursor(self, steps: int) -> Picture | None:
        """Return the picture with its cursor on another of its rows; None when that is no row of it."""
        line = self.line + steps
        return replace(self, line=line) if 0 <= line < len(self.rows) and self.rows[line] is not None else None


NOTHING = Picture((), -1)


class Sight:
    """The latest pictures of a table, and where keys moved the cursor between them."""

    def __init__(self) -> None:
        self._drawn = NOTHING
        self._seen: deque[tuple[float, Picture]] = deque(maxlen=_MOST_KEPT)

    def draw(self, picture: Picture) -> None:
        """Take what will be painted next."""
        self._drawn = picture

    def paint(self) -> None:
        """Learn that what was drawn last is on the screen now; told with each line, the last of them counts."""
        now = get_time()
        if not self._seen or self._seen[-1][1] is not self._drawn:
            self._seen.append((now, self._drawn))
        elif now - self._seen[-1][0] < _PAINTING_S:
            self._seen[-1] = (now, self._drawn)

    def aim(self, picture: Picture) -> None:
        """Learn that a key moved the cursor: what is pressed after it is about that row, painted or not."""
        at = min(read_key_time(), get_time())
        self._seen.append((at, picture))

    def find_picture(self, moment: float) -> Picture:
        """Return what was seen at a moment; nothing when nothing was painted yet."""
        for at, picture in reversed(self._seen):
            if at <= moment:
                return picture
        return self._seen[0][1] if self._seen else NOTHING
