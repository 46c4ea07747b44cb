"""Recorded runs of an entry: its outcomes, and the due times for which there is none.

Events name the task of a run and its arguments, not the entry that it was sent for. So the runs of an entry are those
of its task that no other run has sent, with its own arguments where several entries send the same task.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from celery_nexus.errors import Invalid, SourceError
from celery_nexus.rows.runs import Run
from celery_nexus.rows.schedule import EntryRun, MissedRuns
from celery_nexus.runs.source import HistorySource
from celery_nexus.schedule.due import MOST, SCHEDULE_ERRORS, due_times, period_of, start_of_grid
from celery_nexus.schedule.missed import (
    DOUBLES,
    Missed,
    Sent,
    find_missed_by_clock,
    find_missed_by_interval,
    is_doubled,
)
from celery_nexus.schedule.stored import CONDITION, StoredEntry

MOST_RUNS = 500
"""Most runs of a task that are read, the latest: what was due before them is not judged."""

SHOWN_RUNS = 5
CURRENT_S = 60.0
"""A history that is further behind says nothing of the present."""

_MOMENT = timedelta(seconds=2)

_PRINTED = re.compile(r"['\"\s]")
"""Is left out when printed arguments are compared: what is masked in them has no quotes."""

_WORDS = re.compile(r"[*?\"\s]")


@dataclass(frozen=True)
class Coverage:
    """From when to when the history is complete, as far as it knows.

    Attributes:
        since: None: there is none, or nobody knows since when.
        until: When everything was last recorded.
    """

    since: datetime | None
    until: datetime | None

    def is_current(self, now: datetime) -> bool:
        """Tell whether it says what happens now."""
        return self.until is not None and (now - self.until).total_seconds() < CURRENT_S


def read_coverage(history: HistorySource) -> Coverage:
    """Say from when to when a history is complete; one that can't be read knows nothing."""
    try:
        if history.list_silent_workers():
            return Coverage(None, None)
        oldest = history.find_oldest_time()
        gaps = [datetime.fromtimestamp(gap.at, UTC) for gap in history.gaps()[:1]]
    except SourceError:
        return Coverage(None, None)
    return Coverage(None if oldest is None else max([oldest, *gaps]), history.complete_at())


class RecordedRuns:
    """The recorded runs of the tasks of a schedule, each task asked for once.

    Args:
        history: The history.
    """

    def __init__(self, history: HistorySource) -> None:
        self._history = history
        self._known: dict[str, list[Run]] = {}

    def of_task(self, task: str) -> list[Run]:
        """Return the latest runs of a task that no other run has sent, newest first; none where nothing can be read."""
        if task not in self._known:
            self._known[task] = self._read(task)
        return self._known[task]

    def of_entry(self, task: str, args: Any, kwargs: Any, *, is_shared: bool) -> list[Run]:
        """Return the latest runs of an entry, newest first.

        Args:
            task: Its task.
            args: Its positional arguments as they are shown, secrets masked.
            kwargs: Its keyword arguments, the same.
            is_shared: Whether another entry sends the same task, so that the arguments must be alike.
        """
        runs = self.of_task(task)
        if not is_shared:
            return runs
        return [run for run in runs if _is_alike(run.args, args, tuple) and _is_alike(run.kwargs, kwargs, dict)]

    def _read(self, task: str) -> list[Run]:
        if not task:
            return []
        value = _WORDS.sub("?", task)
        try:
            found = self._history.runs(f'task:"{value[:-1]}?"', MOST_RUNS)
        except (Invalid, SourceError):
            return []
        return [run for run in found if run.task == task and run.parent_id is None]


def outcomes_of(runs: Sequence[Run]) -> tuple[EntryRun, ...]:
    """Return the latest runs as an entry shows them."""
    timed = [(run, find_sent_time(run)) for run in runs]
    return tuple(EntryRun(run.id, run.state, at) for run, at in timed if at is not None)[:SHOWN_RUNS]


def find_sent_time(run: Run) -> datetime | None:
    """Return when a run was sent, or first heard of."""
    return run.sent_at or run.received_at or run.started_at or run.finished_at


def may_hide_runs(runs: Sequence[Run], waiting: int) -> bool:
    """Tell whether what waits may be runs that the history does not know: nobody but workers tells of them.

    Args:
        runs: Recorded runs of an entry, newest first.
        waiting: Messages in the queue to which they go.
    """
    return waiting > 0 and (not runs or runs[0].sent_at is None)


def judge_missed(
    entry: StoredEntry, runs: Sequence[Run], recorded: Coverage, since: datetime, counted_from: datetime | None = None
) -> MissedRuns:
    """Say for which due times nothing was sent, as far as that can be known.

    Args:
        entry: The entry.
        runs: Its recorded runs, newest first.
        recorded: What the history covers.
        since: Due times before this moment are not looked at.
        counted_from: It was paused, resumed or skipped then, so that nothing before tells of beat.
    """
    if reason := _obstacle(entry, recorded):
        return MissedRuns(unknown=reason)
    sent = sorted(
        (Sent(at, run.sent_at is not None) for run in runs if (at := find_sent_time(run))), key=lambda row: row.at
    )
    known = [moment for moment in (recorded.since, counted_from) if moment is not None]
    begin, end = max(since, *known), recorded.until
    if not sent and (entry.last_at is None or entry.last_at > begin):
        return MissedRuns(unknown="no run of it was recorded yet")
    if sent and (sent[0].at > begin and (len(runs) >= MOST_RUNS or entry.last_at is None or entry.last_at > begin)):
        begin = sent[0].at  # it may be as new as its first run
    assert end is not None  # noqa: S101  (see _obstacle)
    try:
        missed = _missed(entry, sent, begin, end)
    except SCHEDULE_ERRORS as error:
        return MissedRuns(unknown=f"its schedule can't be used: {error}")
    return MissedRuns(missed.count, missed.due_at, begin)


def is_sent_twice(entry: StoredEntry, runs: Sequence[Run], recorded: Coverage) -> bool:
    """Tell whether the latest due times of an entry have two runs each, as far as the history tells.

    Args:
        entry: The entry.
        runs: Its recorded runs, newest first.
        recorded: What the history covers.
    """
    if _obstacle(entry, recorded) or len(runs) < 2 * DOUBLES or recorded.until is None:
        return False
    sent = sorted((Sent(at) for run in runs if (at := find_sent_time(run))), key=lambda row: row.at)
    period, end = period_of(entry.when), recorded.until
    try:
        if period is not None:
            return is_doubled([end - number * period for number in range(DOUBLES, -1, -1)], sent)
        due = due_times(entry.when, sent[-2 * DOUBLES].at - _MOMENT, end)
        return is_doubled([*due, end + _MOMENT], sent)
    except SCHEDULE_ERRORS:
        return False


def _missed(entry: StoredEntry, sent: Sequence[Sent], begin: datetime, end: datetime) -> Missed:
    period = period_of(entry.when)
    if period is None:
        return find_missed_by_clock(list(due_times(entry.when, begin, end)), sent)
    before = [row.at for row in sent if row.at <= begin]
    start = before[-1] if before else start_of_grid(entry.when, entry.last_at, begin)
    begin = max(begin, end - MOST * period)
    return find_missed_by_interval(
        period, [row for row in sent if row.at > max(start, begin)], max(start, begin - period), end
    )


def _obstacle(entry: StoredEntry, recorded: Coverage) -> str:
    """Say why missed runs can't be known; empty when they can."""
    if entry.when is None:
        return entry.problem or "its due times can't be computed here"
    if not entry.is_enabled:
        return "it is paused"
    if CONDITION in entry.options:
        return "a due time passes without a run when there is nothing to do"
    if recorded.since is None or recorded.until is None:
        return "nothing was recorded"
    if entry.ends_at is not None or entry.is_one_off or entry.not_before is not None:
        return "it is sent for a time only"
    return ""


def _is_alike(told: Any, shown: Any, kind: type) -> bool:
    """Tell whether recorded arguments are these; events of a stock application have them printed, and cut when long."""
    value = kind(shown)
    if isinstance(told, str):
        printed, whole = _PRINTED.sub("", told), _PRINTED.sub("", repr(value))
        begin, cut, _ = printed.partition("...")
        return whole.startswith(begin) if cut else printed in (whole, _PRINTED.sub("", repr(shown)))
    return (list(told or ()) if kind is tuple else dict(told or {})) == (list(value) if kind is tuple else value)
