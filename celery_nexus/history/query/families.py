"""Runs of one workflow: everything that hangs together by root, parent and group.

A group that is sent by a plain client has no root: each member is its own. So the search goes on from members to
their groups and from groups to the roots of their members, until nothing new is found.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from celery_nexus.canvas import decode_plan, walk_plan
from celery_nexus.history.encoding import COUNTERS, STATES
from celery_nexus.history.query.history import History
from celery_nexus.rows.workflows import Plan

MAX_MEMBERS = 20_000
"""Most runs of a workflow that are read; a tree of more is cut."""

MAX_ROUNDS = 20
_PART = 500
_HAS_CANVAS = "select 1 from sqlite_master where name = 'canvas'"
_FAILURE = STATES.index("FAILURE")

_COLUMNS = (
    "run.key, run.id, run.task, run.state, run.sent_at, run.started_at, run.finished_at, run.waited_s, run.ran_s,"
    " run.retries, run.root_id, run.parent_id, run.group_id, run.queue, run.verdict"
)


Item = TypeVar("Item")


class Member(NamedTuple):
    """A run as far as a tree needs it; times are seconds since the epoch, None is unknown."""

    key: int
    id: str
    task: str | None
    state: str
    sent_at: float | None
    started_at: float | None
    finished_at: float | None
    waited_s: float | None
    ran_s: float | None
    retries: int
    root_id: str | None
    parent_id: str | None
    group_id: str | None
    queue: str | None
    verdict: str | None

    @property
    def at(self) -> float:
        """When it was sent, or first heard of."""
        return self.key // COUNTERS / 1e6


@dataclass(frozen=True, slots=True)
class Family:
    """The runs of one workflow.

    Attributes:
        members: Oldest first.
        plans: What follows each by its message, by id; of those of which it was recorded.
        errors: ``Type: message`` of failed runs, by id.
        is_whole: False when there are more than were read.
    """

    members: tuple[Member, ...]
    plans: dict[str, Plan]
    errors: dict[str, str]
    is_whole: bool = True


def read_family(history: History, run_id: str, limit: int = MAX_MEMBERS) -> Family:
    """Read the workflow that a run belongs to; empty when the run is not known.

    Args:
        history: The history.
        run_id: Its full id.
        limit: At most so many runs.

    Raises:
        HistoryError: The file can't be read.
    """

    def question(connection: sqlite3.Connection) -> Family:
        search = _Search(connection, limit)
        search.follow(run_id)
        keys = sorted(search.keys)[:limit]
        return Family(_load(connection, keys), search.plans, _errors(connection, keys), search.is_whole)

    return history.ask(question, Family((), {}, {}))


class _Search:
    """Goes from run to run.

    Attributes:
        keys: Those of the runs that were found.
        plans: What follows them.
        is_whole: False when it ended early.
    """

    def __init__(self, connection: sqlite3.Connection, limit: int) -> None:
        self.keys: dict[int, None] = {}
        self.plans: dict[str, Plan] = {}
        self.is_whole = True
        self._connection = connection
        self._limit = limit
        self._has_plans = bool(connection.execute(_HAS_CANVAS).fetchone())  # files of older versions have none
        self._roots = set[str]()
        self._groups = set[str]()
        self._texts: dict[str, Plan] = {}

    def follow(self, run_id: str) -> None:
        """Find everything that hangs together with a run."""
        roots, groups = {run_id}, set[str]()
        for _ in range(MAX_ROUNDS):
            self._roots |= roots
            self._groups |= groups
            rows = [*self._runs_of("id", roots), *self._runs_of("root_id", roots), *self._runs_of("group_id", groups)]
            new = [row for row in rows if row[0] not in self.keys]
            self.keys |= dict.fromkeys(row[0] for row in new)
            if len(self.keys) > self._limit:
                self.is_whole = False
                return
            roots = {row[2] or row[1] for row in new} | self._read_plans([row[0] for row in new])
            roots -= self._roots
            groups = {row[3] for row in new if row[3]} - self._groups
            if not roots and not groups:
                return

    def _runs_of(self, column: str, texts: Iterable[str]) -> list[tuple[int, str, str, str]]:
        """Find runs by an id: their key, id, root and group."""
        rows: list[tuple[int, str, str, str]] = []
        for part in _parts(sorted(texts)):
            sql = f"select key, id, root_id, group_id from run where {column} in ({_marks(part)}) limit ?"  # noqa: S608
            rows += self._connection.execute(sql, (*part, self._limit + 1))
            if len(rows) > self._limit:
                break
        return rows

    def _read_plans(self, keys: Sequence[int]) -> set[str]:
        """Read what follows runs, and return the ids in it; members of one chord tell the same, which is read once."""
        ids = set[str]()
        for part in _parts(sorted(keys)) if self._has_plans else ():
            sql = f"select id, ahead from canvas join run using (key) where key in ({_marks(part)})"  # noqa: S608
            for id_, text in self._connection.execute(sql, part):
                if text not in self._texts:
                    self._texts[text] = decode_plan(text)
                    ids |= {step.id for step in walk_plan(self._texts[text]) if step.id and step.kind == "task"}
                self.plans[id_] = self._texts[text]
        return ids


def _load(connection: sqlite3.Connection, keys: Sequence[int]) -> tuple[Member, ...]:
    names: dict[int, str] = {}
    members: list[Member] = []
    for part in _parts(keys):
        sql = f"select {_COLUMNS} from run where key in ({_marks(part)}) order by key"  # noqa: S608
        for key, id_, task, state, *rest in connection.execute(sql, part):
            rest[9] = _name(connection, names, rest[9])
            members.append(Member(key, id_, _name(connection, names, task), STATES[state], *rest))
    return tuple(members)


def _name(connection: sqlite3.Connection, names: dict[int, str], number: int | None) -> str | None:
    if number is None:
        return None
    if number not in names:
        row = connection.execute("select text from name where id = ?", (number,)).fetchone()
        names[number] = row[0] if row else ""
    return names[number] or None


def _errors(connection: sqlite3.Connection, keys: Sequence[int]) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in _parts(keys):
        sql = (
            "select id, error from ending join run using (key)"  # noqa: S608
            f" where state = {_FAILURE} and error is not null and key in ({_marks(part)})"
        )
        found |= dict(connection.execute(sql, part))
    return found


def _parts(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[start : start + _PART] for start in range(0, len(items), _PART))


def _marks(part: Sequence[object]) -> str:
    return ", ".join("?" * len(part))
