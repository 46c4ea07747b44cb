"""A view of merged logs: the windows that are looked at, without the lines that are not wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from celery_nexus.rows.logs import LogLine
from celery_nexus.rows.workers import Program
from celery_nexus.stack.log_search import Match, find_next, find_previous
from celery_nexus.stack.log_window import LogWindow, find_end, read_after, read_before

ENOUGH_LINES = 200
"""Least number of lines that one look back brings, where there are more."""

MOST_WINDOWS = 60
"""Windows that are kept: some megabytes."""

MOST_READ = 100
"""Windows that one look reads where few lines are wanted; another look goes on from there."""

Keep = Callable[[LogLine], bool]


@dataclass(frozen=True)
class LogView:
    """What is looked at.

    Attributes:
        programs: Whose logs.
        keep: Tells which lines are wanted.
        windows: Joined to each other, the oldest first.
        first: Number of the first line: it changes when lines are added or dropped in front, and only then.
        looked_to: How far back was looked, where few lines are wanted; None: to the first line.
    """

    programs: Sequence[Program]
    keep: Keep
    windows: tuple[LogWindow, ...]
    first: int = 0
    looked_to: datetime | None = None

    @property
    def lines(self) -> list[LogLine]:
        """The lines, the oldest first."""
        return [line for window in self.windows for line in window.lines]

    @property
    def is_at_end(self) -> bool:
        """Whether nothing was written after it."""
        return dict(self.windows[-1].end) == dict(find_end(self.programs))

    @property
    def is_first(self) -> bool:
        """Whether nothing was written before it."""
        return self.windows[0].is_first


def open_end(programs: Sequence[Program], keep: Keep) -> LogView:
    """Look at the end of all logs.

    Raises:
        SourceError: A log can't be read.
    """
    view = LogView(programs, keep, (_filter(read_before(programs, find_end(programs)), keep),))
    return view if len(view.lines) >= ENOUGH_LINES else replace(look_back(view), first=0)


def follow(view: LogView) -> LogView:
    """Read what was written since; raises as :func:`open_end`."""
    last, end = view.windows[-1], find_end(view.programs)
    if dict(last.end) == dict(end):
        return view
    if any(end[name] < offset for name, offset in last.end.items()):  # set aside, and begun anew
        return open_end(view.programs, view.keep)
    news = [read_after(view.programs, last.begin)]
    while dict(news[-1].end) != dict(find_end(view.programs)):
        if len(news) > MOST_WINDOWS:
            return open_end(view.programs, view.keep)
        news.append(read_after(view.programs, news[-1].end))
    windows = _join((*view.windows[:-1], *(_filter(window, view.keep) for window in news)))
    gone = windows[:-MOST_WINDOWS]
    return replace(view, windows=windows[len(gone) :], first=view.first + sum(len(window.lines) for window in gone))


def look_back(view: LogView) -> LogView:
    """Look at what was written before; raises as :func:`open_end`."""
    found: list[LogWindow] = []
    looked_to: datetime | None = None
    place, count = view.windows[0].begin, 0
    while any(place.values()) and count < ENOUGH_LINES and len(found) < MOST_READ:
        window = read_before(view.programs, place)
        looked_to = next((line.at for line in window.lines if line.at), looked_to)
        found.append(_filter(window, view.keep))
        place, count = window.begin, count + len(found[-1].lines)
    windows = _join((*reversed(found), *view.windows))[:MOST_WINDOWS]
    return replace(
        view, windows=windows, first=view.first - count, looked_to=looked_to if any(place.values()) else None
    )


def look_on(view: LogView) -> LogView:
    """Look at what was written after; raises as :func:`open_end`."""
    found: list[LogWindow] = []
    place, count = view.windows[-1].end, 0
    while dict(place) != dict(find_end(view.programs)) and count < ENOUGH_LINES and len(found) < MOST_READ:
        found.append(_filter(read_after(view.programs, place), view.keep))
        place, count = found[-1].end, count + len(found[-1].lines)
    windows = _join((*view.windows, *found))
    gone = windows[:-MOST_WINDOWS]
    return replace(view, windows=windows[len(gone) :], first=view.first + sum(len(window.lines) for window in gone))


def search(
    view: LogView, word: str, direction: int, match: Match | None, is_wanted: Callable[[], bool] = lambda: True
) -> tuple[LogView, Match] | None:
    """Look around the next line with a word; None when there is none.

    Args:
        view: What is looked at.
        word: What the line contains, in any case of letters.
        direction: 1: after the match before, or after the view's begin; -1: before it, or before the view's end.
        match: The match before.
        is_wanted: Asked now and then; when it says no, the search ends.

    Raises:
        SourceError: A log can't be read.
    """
    if direction > 0:
        found = find_next(view.programs, word, match.after if match else view.windows[0].begin, is_wanted)
    else:
        found = find_previous(view.programs, word, match.place if match else view.windows[-1].end, is_wanted)
    if found is None:
        return None
    around = (read_before(view.programs, found.after), read_after(view.programs, found.after))
    return replace(view, windows=tuple(_filter(window, view.keep) for window in around), first=0), found


def find_line(view: LogView, word: str, match: Match) -> int | None:
    """Return the number in the view of the line that was found, in the first window: the last of its program."""
    lines = view.windows[0].lines
    wanted = word.lower()
    for place in range(len(lines) - 1, -1, -1):
        if lines[place].program == match.program and wanted in lines[place].text.lower():
            return place
    return None


def _filter(window: LogWindow, keep: Keep) -> LogWindow:
    return replace(window, lines=tuple(line for line in window.lines if keep(line)))


def _join(windows: Sequence[LogWindow]) -> tuple[LogWindow, ...]:
    """Join windows with hardly a wanted line, so that few of them are kept; not the last, which is read anew."""
    joined: list[LogWindow] = []
    for window in windows[:-1]:
        if joined and len(joined[-1].lines) + len(window.lines) <= ENOUGH_LINES:
            joined[-1] = LogWindow((*joined[-1].lines, *window.lines), joined[-1].begin, window.end)
        else:
            joined.append(window)
    return (*joined, windows[-1])
