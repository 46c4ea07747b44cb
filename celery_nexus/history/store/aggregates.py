"""Counts and distributions by minute, task, queue and state, kept as events arrive."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from dataclasses import dataclass, field

from celery_nexus.history.store import rollups
from celery_nexus.history.store.ddsketch import DDSketch

MAX_CACHED = 5_000
NO_NAME = 0
"""Stands for the queue of a run that no event named."""

COUNTED_STATES = ("SENT", "RETRY", "REJECTED", "SUCCESS", "FAILURE", "REVOKED")
"""States that are counted, each in its minute; a state's index is its number in the file."""

_NUMBERS = {state: number for number, state in enumerate(COUNTED_STATES)}

Cell = tuple[int, int, int, int]
"""Key of an aggregate: minute since the epoch, task, queue, state."""


@dataclass(slots=True)
class Totals:
    """What happened in one cell: how often, and how long runs waited and ran before."""

    count: int = 0
    waited: DDSketch = field(default_factory=DDSketch)
    ran: DDSketch = field(default_factory=DDSketch)


class Aggregates:
    """The cells that change now; written by the recorder in the transaction of the runs they count."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._cells: OrderedDict[Cell, Totals] = OrderedDict()
        self._changed: set[Cell] = set()

    def add(self, state: str, at: float, task: int, queue: int, waited_s: float | None, ran_s: float | None) -> None:
        """Count one transition."""
        cell = (int(at // 60), task, queue, _NUMBERS[state])
        totals = self._totals(cell)
        totals.count += 1
        if state in {"SUCCESS", "FAILURE"}:
            if waited_s is not None:
                totals.waited.add(waited_s)
            if ran_s is not None:
                totals.ran.add(ran_s)
        self._changed.add(cell)

    def _totals(self, cell: Cell) -> Totals:
        totals = self._cells.get(cell)
        if totals is None:
            row = self._connection.execute(
                "select count, waited, ran from minute where minute = ? and task = ? and queue = ? and state = ?", cell
            ).fetchone()
            totals = Totals(row[0], DDSketch.load(row[1]), DDSketch.load(row[2])) if row else Totals()
            self._cells[cell] = totals
        return totals

    def write(self) -> None:
        """Write the cells that changed."""
        rollups.outdate(self._connection, {cell[0] for cell in self._changed})
        rows = [(*cell, self._cells[cell]) for cell in self._changed]
        self._connection.executemany(
            "insert or replace into minute values (?, ?, ?, ?, ?, ?, ?)",
            [(*row[:4], row[4].count, row[4].waited.dump(), row[4].ran.dump()) for row in rows],
        )
        self._changed.clear()
        while len(self._cells) > MAX_CACHED:
            self._cells.popitem(last=False)

    def forget(self) -> None:
        """Forget what is in memory: the transaction it belonged to failed."""
        self._cells.clear()
        self._changed.clear()
