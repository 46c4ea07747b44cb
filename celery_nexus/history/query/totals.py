"""Totals of runs since a minute, by task, queue and state, with the distributions of their times."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

from celery_nexus.history.query.history import History
from celery_nexus.history.store import rollups
from celery_nexus.history.store.aggregates import COUNTED_STATES
from celery_nexus.history.store.ddsketch import DDSketch
from celery_nexus.rows.history import RunTotals

_Cell = tuple[int, int, int]
"""Numbers of task, queue and state."""


def read_totals(history: History, first: int, end: int) -> list[RunTotals]:
    """Add up what happened between two minutes; the cost is that of the rollups between them.

    Args:
        history: The history.
        first: First minute since the epoch.
        end: The minute after the last one.
    """
    return history.ask(lambda connection: _read(connection, first, end), [])


def _read(connection: sqlite3.Connection, first: int, end: int) -> list[RunTotals]:
    found: dict[_Cell, list[tuple[int, bytes | None, bytes | None]]] = defaultdict(list)
    for task, queue, state, count, waited, ran in rollups.cells(connection, first, end):
        found[task, queue, state].append((count, waited, ran))
    names = _read_names(connection, {number for task, queue, _ in found for number in (task, queue)})
    return [_sum(cell, rows, names) for cell, rows in found.items()]


def _sum(cell: _Cell, rows: list[tuple[int, bytes | None, bytes | None]], names: dict[int, str]) -> RunTotals:
    task, queue, state = cell
    counts, waited, ran = zip(*rows, strict=True)
    named = (names.get(task, "?"), names.get(queue, ""), COUNTED_STATES[state])
    return RunTotals(*named, sum(counts), _merge(waited), _merge(ran))


def _merge(dumps: Sequence[bytes | None]) -> tuple[tuple[float, int], ...]:
    held = [data for data in dumps if data]
    if not held:
        return ()
    return (DDSketch.load(held[0]) if len(held) == 1 else DDSketch.load_all(held)).durations


def _read_names(connection: sqlite3.Connection, numbers: set[int]) -> dict[int, str]:
    return {
        number: row[0]
        for number in numbers
        if (row := connection.execute("select text from name where id = ?", (number,)).fetchone())
    }
