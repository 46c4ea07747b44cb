"""Rollups: aggregates of longer periods, so that figures of a month need a few dozen rows.

A period's rollup is valid unless the table ``outdated`` names the period: whoever changes a minute names the periods
around it in the same transaction, and the recorder sums them up again once they are over. A reader takes valid periods,
the longest first, and what is left between them from the minutes.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from celery_nexus.history.store.ddsketch import DDSketch

SPANS = (10, 60, 1440)
"""Lengths of periods in minutes; each is a multiple of the one before, and periods begin at multiples of their length.
"""

SETTLE_MINUTES = 2
"""Delay between the end of a period and its rollup, since the last events of its runs come late."""

BUDGET_S = 0.02
"""Time for one step: the recorder reads no events meanwhile."""

TABLES = """
-- The same by ten minutes, hours and days; see celery_nexus/history/store/rollups.py.
create table rollup (
  span integer not null,
  start integer not null,
  task integer not null,
  queue integer not null,
  state integer not null,
  count integer not null,
  waited blob,
  ran blob,
  primary key (span, start, task, queue, state)
) without rowid;
-- Periods whose rollup is missing or not right any more.
create table outdated (span integer not null, start integer not null, primary key (span, start)) without rowid;
"""
OUTDATE_ALL = "".join(
    f"insert into outdated select distinct {span}, minute / {span} * {span} from minute;"  # noqa: S608
    for span in SPANS
)
FIRST_VERSION = 4
"""First version of the file that has rollups; older files get them when their recorder is restarted."""


_CELLS = "task, queue, state, count, waited, ran"
_PERIODS = {1: f"(select minute as start, {_CELLS} from minute)"} | {  # noqa: S608
    span: f"(select start, {_CELLS} from rollup where span = {span})"  # noqa: S608
    for span in SPANS
}
"""Tables of the cells, by length of period."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Periods of one length that follow each other.

    Attributes:
        span: Length of each in minutes; 1 for the minutes themselves.
        first: The minute in which they begin.
        end: The minute after their last one.
    """

    span: int
    first: int
    end: int


def outdate(connection: sqlite3.Connection, minutes: Iterable[int]) -> None:
    """Name the periods around minutes that changed; belongs into the transaction that changed them."""
    periods = {(span, minute // span * span) for minute in minutes for span in SPANS}
    connection.executemany("insert or ignore into outdated values (?, ?)", periods)


def cover(connection: sqlite3.Connection, first: int, end: int, spans: Sequence[int] = SPANS) -> Iterator[Stretch]:
    """Cut a time into the longest stretches that hold its cells.

    Args:
        connection: The history.
        first: First minute.
        end: The minute after the last one.
        spans: Lengths of periods that may be used.
    """
    longest = max(spans, default=1)
    if longest == 1:
        if first < end:
            yield Stretch(1, first, end)
        return
    shorter = [span for span in spans if span < longest]
    at = first
    for start, stop in _valid(connection, longest, -(-first // longest) * longest, end // longest * longest):
        yield from cover(connection, at, start, shorter)
        yield Stretch(longest, start, stop)
        at = stop
    yield from cover(connection, at, end, shorter)


def _valid(connection: sqlite3.Connection, span: int, first: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the times between outdated periods."""
    outdated = "select start from outdated where span = ? and start >= ? and start < ? order by start"
    at = first
    for (start,) in connection.execute(outdated, (span, first, end)).fetchall():
        if at < start:
            yield at, start
        at = start + span
    if at < end:
        yield at, end


def cells(connection: sqlite3.Connection, first: int, end: int) -> Iterator[tuple[Any, ...]]:
    """Yield task, queue, state, count, and sketches of times waited and run; a cell may come in several rows."""
    for stretch in cover(connection, first, end, _spans_of(connection)):
        yield from _cells_of(connection, stretch)


def counts(
    connection: sqlite3.Connection, first: int, end: int, minutes: int, condition: str = "", values: Iterable[int] = ()
) -> Counter[tuple[int, int]]:
    """Return the counts by slice of time and state.

    Args:
        connection: The history.
        first: First minute, a multiple of ``minutes``.
        end: The minute after the last one, another one.
        minutes: Length of a slice; slices are numbered from the epoch.
        condition: SQL that a cell has to fulfil, beginning with ``and``.
        values: Its parameters.
    """
    found: Counter[tuple[int, int]] = Counter()
    for stretch in cover(connection, first, end, [span for span in _spans_of(connection) if minutes % span == 0]):
        sql = (
            f"select start / {minutes}, state, sum(count) from {_PERIODS[stretch.span]}"  # noqa: S608
            f" where start >= ? and start < ? {condition} group by 1, 2"
        )
        for number, state, count in connection.execute(sql, (stretch.first, stretch.end, *values)):
            found[number, state] += count
    return found


def slices(
    connection: sqlite3.Connection, first: int, end: int, minutes: int, condition: str = "", values: Iterable[int] = ()
) -> Iterator[tuple[int, int, int, bytes | None, bytes | None]]:
    """Yield slice of time, state, count, and sketches of times waited and run; parameters as of :func:`counts`."""
    asked = tuple(values)
    for stretch in cover(connection, first, end, [span for span in _spans_of(connection) if minutes % span == 0]):
        sql = (
            f"select start / {minutes}, state, count, waited, ran from {_PERIODS[stretch.span]}"  # noqa: S608
            f" where start >= ? and start < ? {condition}"
        )
        yield from connection.execute(sql, (stretch.first, stretch.end, *asked))


def waits(connection: sqlite3.Connection, first: int, end: int, minutes: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield slice of time, queue, and sketch of times waited; parameters as of :func:`counts`."""
    for stretch in cover(connection, first, end, [span for span in _spans_of(connection) if minutes % span == 0]):
        sql = (
            f"select start / {minutes}, queue, waited from {_PERIODS[stretch.span]}"  # noqa: S608
            " where start >= ? and start < ? and waited is not null"
        )
        yield from connection.execute(sql, (stretch.first, stretch.end))


def _spans_of(connection: sqlite3.Connection) -> Sequence[int]:
    version = connection.execute("pragma user_version").fetchone()[0]
    return SPANS if version >= FIRST_VERSION else ()


def _cells_of(connection: sqlite3.Connection, stretch: Stretch) -> Iterator[tuple[Any, ...]]:
    sql = f"select {_CELLS} from {_PERIODS[stretch.span]} where start >= ? and start < ?"  # noqa: S608
    return connection.execute(sql, (stretch.first, stretch.end))


def roll_up(connection: sqlite3.Connection, budget_s: float = BUDGET_S) -> bool:
    """Sum up outdated periods that are over, the shortest first; True when there may be more to do.

    Args:
        connection: The writer's, outside of a transaction.
        budget_s: Processor time to spend, in seconds; one period is done in any case.
    """
    over = int(time.time() // 60) - SETTLE_MINUTES
    until = time.thread_time() + budget_s
    due = "select span, start from outdated where start + span <= ? order by span, start limit 1"
    while period := connection.execute(due, (over,)).fetchone():
        _sum_up(connection, *period)
        if time.thread_time() >= until:
            return True
    return False


def _sum_up(connection: sqlite3.Connection, span: int, start: int) -> None:
    connection.execute("begin immediate")
    try:
        shorter = [other for other in SPANS if other < span]
        totals: dict[tuple[int, int, int], list[tuple[int, bytes | None, bytes | None]]] = defaultdict(list)
        for stretch in cover(connection, start, start + span, shorter):
            for task, queue, state, *rest in _cells_of(connection, stretch):
                totals[task, queue, state].append((rest[0], rest[1], rest[2]))
        connection.execute("delete from rollup where span = ? and start = ?", (span, start))
        connection.executemany(
            "insert into rollup values (?, ?, ?, ?, ?, ?, ?, ?)",
            [(span, start, *cell, *_sum(rows)) for cell, rows in totals.items()],
        )
        connection.execute("delete from outdated where span = ? and start = ?", (span, start))
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def _sum(rows: list[tuple[int, bytes | None, bytes | None]]) -> tuple[int, bytes | None, bytes | None]:
    counts, waited, ran = zip(*rows, strict=True)
    return sum(counts), DDSketch.load_all(waited).dump(), DDSketch.load_all(ran).dump()


def forget_before(connection: sqlite3.Connection, minute: int) -> None:
    """Remove the cells of old times, which lie in periods of each length before a minute."""
    connection.execute("delete from minute where minute < ?", (minute,))
    for span in SPANS:
        for table in ("rollup", "outdated"):
            connection.execute(f"delete from {table} where span = ? and start + span <= ?", (span, minute))  # noqa: S608


def find_wrong(connection: sqlite3.Connection) -> Iterator[tuple[int, int]]:
    """Yield the length and first minute of valid periods whose counts are not those of their minutes."""
    for span in _spans_of(connection):
        sql = (
            f"select minute / {span} * {span} as period, sum(count) from minute group by 1"  # noqa: S608
            f" except select start, sum(count) from rollup where span = {span} group by 1"
        )
        for start, _ in connection.execute(sql).fetchall():
            if not _is_outdated(connection, span, start):
                yield span, start


def _is_outdated(connection: sqlite3.Connection, span: int, start: int) -> bool:
    sql = "select 1 from outdated where span = ? and start = ?"
    return connection.execute(sql, (span, start)).fetchone() is not None
