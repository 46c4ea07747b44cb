"""Integrity check of the history: SQLite's own, and the counts of runs beside those of the aggregates.

Both are written in one transaction, so they can't drift apart by a kill; what makes them differ is a fault of
ours or of the disk.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.query.history import History
from celery_nexus.history.store import damage, rollups
from celery_nexus.history.store.aggregates import COUNTED_STATES

MAX_PROBLEMS = 20
_SQLITE = "SQLite: "
_ENDS = {"succeeded": "SUCCESS", "failed": "FAILURE", "revoked": "REVOKED"}
_LONGEST_S = 86400
"""Longest time from sending to end of a run removed by retention, whose end stays counted."""

_Counts = Counter[tuple[int, str]]
"""Counts of runs by minute and state."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a check found.

    Attributes:
        runs: How many runs there are.
        counted: Ends of runs that the aggregates count.
        ended: Runs that ended and have a name, which are those that are counted.
        problems: What is wrong, in words; empty when all is well.
    """

    runs: int
    counted: int
    ended: int
    problems: tuple[str, ...]


def verify(history: History) -> CheckResult:
    """Check the file; takes some seconds for a million runs.

    Raises:
        HistoryError: The file can't be read at all.
    """
    verdict = history.ask(_verify, CheckResult(0, 0, 0, ("there is no history",)))
    if any(problem.startswith(_SQLITE) for problem in verdict.problems):
        damage.report(history.path)
    return verdict


def _tables_of_runs(connection: sqlite3.Connection) -> list[str]:
    """List the tables with a row a run at most, as far as this version of the file has them."""
    asked = "select name from sqlite_master where name in ('arguments', 'ending', 'life', 'canvas') order by name"
    return [row[0] for row in connection.execute(asked)]


def _verify(connection: sqlite3.Connection) -> CheckResult:
    rows = connection.execute(f"pragma integrity_check({MAX_PROBLEMS})")
    problems = [f"{_SQLITE}{row[0]}" for row in rows if row[0] != "ok"]
    if problems:
        return CheckResult(0, 0, 0, tuple(problems))
    for table in _tables_of_runs(connection):
        missing = f"select count(*) from {table} where not exists (select 1 from run where run.key = {table}.key)"  # noqa: S608
        if count := connection.execute(missing).fetchone()[0]:
            problems.append(f"{count:,} rows of {table} belong to no run")
    if count := connection.execute(
        "select count(*) from run where not exists (select 1 from life where life.key = run.key)"
    ).fetchone()[0]:
        problems.append(f"{count:,} runs have no life")
    counted, least, most = (
        _count_aggregated_ends(connection),
        _count_ended_runs(connection),
        _count_lived_ends(connection),
    )
    problems += _compare_counts(counted, least, most, _complete_from(connection, counted))
    problems += [
        f"{span} minutes from {_iso(start)} are summed up wrongly" for span, start in rollups.find_wrong(connection)
    ]
    runs = connection.execute("select count(*) from run").fetchone()[0]
    return CheckResult(runs, counted.total(), least.total(), tuple(problems[:MAX_PROBLEMS]))


def _iso(minute: int) -> str:
    return datetime.fromtimestamp(minute * 60, UTC).isoformat()


def _count_aggregated_ends(connection: sqlite3.Connection) -> _Counts:
    rows = connection.execute("select minute, state, sum(count) from minute group by 1, 2")
    ends = set(_ENDS.values())
    return Counter({(m, COUNTED_STATES[s]): count for m, s, count in rows if COUNTED_STATES[s] in ends})


def _count_ended_runs(connection: sqlite3.Connection) -> _Counts:
    """Count the runs by their last end: each was counted at least once."""
    numbers = ", ".join(str(STATES.index(state)) for state in _ENDS.values())
    rows = connection.execute(
        f"select cast(finished_at as int) / 60, state, count(*) from run"  # noqa: S608
        f" where state in ({numbers}) and task is not null and finished_at is not null group by 1, 2"
    )
    return Counter({(minute, STATES[state]): count for minute, state, count in rows})


def _count_lived_ends(connection: sqlite3.Connection) -> _Counts:
    """Count all ends in the lives of runs: a run that ended twice may have been counted twice."""
    rows = connection.execute(
        "select cast(json_extract(value, '$[0]') as int) / 60, json_extract(value, '$[1]'), count(*)"
        " from life, json_each(life.events) where json_extract(value, '$[1]') in ('succeeded', 'failed', 'revoked')"
        " group by 1, 2"
    )
    return Counter({(minute, _ENDS[name]): count for minute, name, count in rows})


def _complete_from(connection: sqlite3.Connection, counted: _Counts) -> int:
    """Return the minute since when no run that is counted can have been removed."""
    key = connection.execute("select min(key) from run").fetchone()[0]
    first = 0 if key is None else int(key // COUNTERS / 60e6)
    was_pruned = key is None or any(minute < first for minute, _ in counted)
    return first + _LONGEST_S // 60 if was_pruned and key is not None else first


def _compare_counts(counted: _Counts, least: _Counts, most: _Counts, complete_from: int) -> list[str]:
    problems: list[str] = []
    for state in _ENDS.values():
        lacking = sum(max(0, count - counted[cell]) for cell, count in least.items() if cell[1] == state)
        if lacking:
            problems.append(f"{lacking:,} runs that ended in {state} are missing in the aggregates")
        excess = sum(
            max(0, count - max(most[cell], least[cell]))
            for cell, count in counted.items()
            if cell[1] == state and cell[0] >= complete_from
        )
        if excess:
            problems.append(f"the aggregates count {excess:,} more ends in {state} than the runs tell of")
    return problems
