"""Figures of the past: error groups, statistics of tasks, charts, busiest hours, slowest runs.

Statistics and charts come from the aggregates and cost the same for a day as for a month's runs; error groups
and slowest runs come from the runs themselves, as long as those are kept.
"""

from __future__ import annotations

import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from celery_nexus.filters.parser import All, parse
from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.filter.sql import compile_filter, load_names
from celery_nexus.history.query.history import History, load_runs
from celery_nexus.history.store import rollups
from celery_nexus.history.store.aggregates import COUNTED_STATES
from celery_nexus.history.store.ddsketch import DDSketch
from celery_nexus.rows.history import ErrorGroup, Slice, TaskStats, TrendPoint
from celery_nexus.rows.runs import Run

DAY_S = 86400.0
_FAILURE = STATES.index("FAILURE")
_SENT, _RETRY, _SUCCESS, _FAILED, _REVOKED = (
    COUNTED_STATES.index(state) for state in ("SENT", "RETRY", "SUCCESS", "FAILURE", "REVOKED")
)


def failures(
    history: History,
    since: float | None = None,
    until: float | None = None,
    filter_text: str = "",
    slices: int = 12,
    limit: int = 100,
) -> list[ErrorGroup]:
    """Group failed runs by type and place of their exception, the largest group first.

    Args:
        history: The history.
        since: Runs sent at or after this time; None for a day before ``until``.
        until: Runs sent before this time; None for now.
        filter_text: Only runs that match; see :mod:`celery_nexus.filters.parser`.
        slices: Into how many equal slices the time is cut for :attr:`ErrorGroup.per_slice`.
        limit: At most so many groups.

    Raises:
        FilterError: The filter can't be understood.
    """
    end = time.time() if until is None else until
    start = end - DAY_S if since is None else since
    node = parse(filter_text, history.families)

    def question(connection: sqlite3.Connection) -> list[ErrorGroup]:
        condition = compile_filter(node, load_names(connection), time.time())
        rows = connection.execute(
            # The index is named inside: a filter that nothing can match would leave no plan with it.
            f"select error_group, task, run.key from run {condition.joins} where run.key in"  # noqa: S608
            f" (select key from run indexed by run_failed where state = {_FAILURE} and key >= ? and key < ?)"
            f" and {condition.sql} order by run.key",
            (_key(start), _key(end), *condition.parameters),
        )
        groups: dict[int | None, list[tuple[int | None, int]]] = defaultdict(list)
        for group, task, key in rows:
            groups[group].append((task, key))
        largest = sorted(groups.items(), key=lambda item: -len(item[1]))[:limit]
        return [_error_group(connection, group, members, (start, end, slices)) for group, members in largest]

    return history.ask(question, [])


def _error_group(
    connection: sqlite3.Connection,
    group: int | None,
    members: list[tuple[int | None, int]],
    span: tuple[float, float, int],
) -> ErrorGroup:
    start, end, slices = span
    text = _text(connection, group) or "Error\n"
    kind, _, place = text.partition("\n")
    last_key = members[-1][1]
    latest = connection.execute(
        "select run.id, error from run left join ending using (key) where run.key = ?", (last_key,)
    ).fetchone()
    tasks = Counter(task for task, _ in members)
    per_slice = [0] * slices
    for _, key in members:
        share = (_at(key) - start) / max(end - start, 1e-9)
        per_slice[min(slices - 1, max(0, int(share * slices)))] += 1
    return ErrorGroup(
        type=kind,
        place=place,
        count=len(members),
        first_at=_at(members[0][1]),
        last_at=_at(last_key),
        message=latest[1] or kind,
        tasks=tuple(_text(connection, task) or "?" for task, _ in tasks.most_common()),
        latest_id=latest[0],
        per_slice=tuple(per_slice),
    )


def stats(
    history: History,
    since: float | None = None,
    until: float | None = None,
    by_queue: bool = False,
    by_task: bool = True,
) -> list[TaskStats]:
    """Return what became of each task's runs, the most frequent first, to whole minutes.

    Args:
        history: The history.
        since: From the minute of this time; None for a day before ``until``.
        until: Up to the minute of this time, which counts; None for now.
        by_queue: One row for each task and queue; else ``queue`` is empty.
        by_task: With False ``task`` is empty: one row for each queue, or a single one.
    """
    end = time.time() if until is None else until
    start = end - DAY_S if since is None else since

    def question(connection: sqlite3.Connection) -> list[TaskStats]:
        cells: dict[tuple[int, int], list[tuple[Any, ...]]] = defaultdict(list)
        for task, queue, *rest in rollups.cells(connection, int(start // 60), int(end // 60) + 1):
            cells[task if by_task else 0, queue if by_queue else 0].append(tuple(rest))
        found = [
            _task_stats(_text(connection, task) or ("?" if by_task else ""), _text(connection, queue) or "", rows)
            for (task, queue), rows in cells.items()
        ]
        return sorted(found, key=lambda row: (-row.count, row.task, row.queue))

    return history.ask(question, [])


def _task_stats(task: str, queue: str, rows: Sequence[tuple[Any, ...]]) -> TaskStats:
    counts: Counter[int] = Counter()
    for state, count, *_ in rows:
        counts[state] += count
    waited, ran = (DDSketch.load_all(row[place] for row in rows) for place in (2, 3))
    ended = counts[_SUCCESS] + counts[_FAILED]
    return TaskStats(
        task=task,
        queue=queue,
        count=ended + counts[_REVOKED],
        sent=counts[_SENT],
        succeeded=counts[_SUCCESS],
        failed=counts[_FAILED],
        revoked=counts[_REVOKED],
        retried=counts[_RETRY],
        failure_rate=counts[_FAILED] / ended if ended else None,
        ran_s=_percentiles(ran),
        waited_s=_percentiles(waited),
    )


def _percentiles(sketch: DDSketch) -> tuple[float, float, float] | None:
    if not sketch.count:
        return None
    return (sketch.quantile(0.5) or 0.0, sketch.quantile(0.95) or 0.0, sketch.quantile(0.99) or 0.0)


def chart(
    history: History, since: float, until: float, slice_s: int = 60, task: str | None = None, queue: str | None = None
) -> list[Slice]:
    """Return what happened in each slice of time, oldest first, empty slices included.

    Args:
        history: The history.
        since: Start, rounded down to a slice.
        until: End; its slice is included.
        slice_s: Length of a slice in seconds, a multiple of 60.
        task: Only this task.
        queue: Only this queue.
    """
    minutes, first, last = _slices_of(since, until, slice_s)

    def question(connection: sqlite3.Connection) -> list[Slice]:
        condition, values = _condition(connection, task, queue)
        counts = rollups.counts(connection, first * minutes, (last + 1) * minutes, minutes, condition, values)
        states = (_SENT, _SUCCESS, _FAILED, _REVOKED, _RETRY)
        return [
            Slice(number * minutes * 60.0, *(int(counts.get((number, state), 0)) for state in states))
            for number in range(first, last + 1)
        ]

    return history.ask(question, [])


def trend(
    history: History, since: float, until: float, slice_s: int = 60, task: str | None = None, queue: str | None = None
) -> list[TrendPoint]:
    """Return how many runs ended in each slice of time and how long they took; parameters as of :func:`chart`."""
    minutes, first, last = _slices_of(since, until, slice_s)

    def question(connection: sqlite3.Connection) -> list[TrendPoint]:
        condition, values = _condition(connection, task, queue)
        found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
        for number, *rest in rollups.slices(
            connection, first * minutes, (last + 1) * minutes, minutes, condition, values
        ):
            found[number].append(tuple(rest))
        return [_trend_point(number * minutes * 60.0, found[number]) for number in range(first, last + 1)]

    return history.ask(question, [])


def _trend_point(at: float, rows: Sequence[tuple[Any, ...]]) -> TrendPoint:
    counts: Counter[int] = Counter()
    for state, count, *_ in rows:
        counts[state] += count
    waited, ran = (DDSketch.load_all(row[place] for row in rows) for place in (2, 3))
    return TrendPoint(at, counts[_SUCCESS] + counts[_FAILED], counts[_FAILED], _middle(waited), _middle(ran))


def _middle(sketch: DDSketch) -> tuple[float, float] | None:
    return (sketch.quantile(0.5) or 0.0, sketch.quantile(0.95) or 0.0) if sketch.count else None


def _slices_of(since: float, until: float, slice_s: int) -> tuple[int, int, int]:
    """Return the length of a slice in minutes, and the numbers of the first and the last one."""
    minutes = max(1, slice_s // 60)
    return minutes, int(since // 60 // minutes), int(until // 60 // minutes)


def _condition(connection: sqlite3.Connection, task: str | None, queue: str | None) -> tuple[str, list[int]]:
    condition, values = "", list[int]()
    for column, kind, name in (("task", "task", task), ("queue", "queue", queue)):
        if name is not None:
            condition += f" and {column} = ?"
            values.append(load_names(connection).get(kind, {}).get(name, -1))
    return condition, values


def find_busiest_hours(history: History, since: float | None = None, until: float | None = None) -> list[Slice]:
    """Return the hours (UTC) in which anything happened, those with the most ended runs first."""
    end = time.time() if until is None else until
    start = end - 7 * DAY_S if since is None else since
    hours = [hour for hour in chart(history, start, end, 3600) if any((hour.sent, _count_ended(hour), hour.retried))]
    return sorted(hours, key=lambda hour: (-_count_ended(hour), -hour.sent, hour.at))


def _count_ended(part: Slice) -> int:
    return part.succeeded + part.failed + part.revoked


def find_slowest(
    history: History, since: float | None = None, until: float | None = None, filter_text: str = "", limit: int = 20
) -> list[Run]:
    """Return the runs that took longest from start to end, slowest first; parameters as of :func:`failures`.

    Raises:
        FilterError: The filter can't be understood.
    """
    end = time.time() if until is None else until
    start = end - DAY_S if since is None else since
    node = parse(filter_text, history.families) if filter_text else All()

    def question(connection: sqlite3.Connection) -> list[Run]:
        condition = compile_filter(node, load_names(connection), time.time())
        sql = (
            f"select run.key from run {condition.joins}"  # noqa: S608
            f" where ran_s is not null and run.key >= ? and run.key < ? and {condition.sql}"
            " order by ran_s desc limit ?"
        )
        keys = [row[0] for row in connection.execute(sql, (_key(start), _key(end), *condition.parameters, limit))]
        return load_runs(connection, keys)

    return history.ask(question, [])


def _key(at: float) -> int:
    return int(at * 1_000_000) * COUNTERS


def _at(key: int) -> float:
    return key // COUNTERS / 1e6


def _text(connection: sqlite3.Connection, number: int | None) -> str | None:
    row = connection.execute("select text from name where id = ?", (number,)).fetchone() if number else None
    return row[0] if row else None
