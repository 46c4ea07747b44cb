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
        members = tuple(sorted(search.members))
        return Family(members, search.plans, _errors(connection, members), search.is_whole)

    return history.ask(question, Family((), {}, {}))


class _Search:
    """Goes from run to run.

    Attributes:
        members: The runs that were found.
        plans: What follows them.
        is_whole: False when it ended early.
    """

    def __init__(self, connection: sqlite3.Connection, limit: int) -> None:
        self.members: list[Member] = []
        self.plans: dict[str, Plan] = {}
        self.is_whole = True
        self._connection = connection
        self._limit = limit
        self._has_plans = bool(connection.execute(_HAS_CANVAS).fetchone())  # files of older versions have none
        self._keys = set[int]()
        self._roots = set[str]()
        self._groups = set[str]()
        self._texts: dict[str, Plan] = {}
        self._names = _Names(connection)

    def follow(self, run_id: str) -> None:
        """Find everything that hangs together with a run."""
        roots, groups = {run_id}, set[str]()
        for _ in range(MAX_ROUNDS):
            self._roots |= roots
            self._groups |= groups
            keys = self._find("id", roots) | self._find("root_id", roots) | self._find("group_id", groups)
            new = self._load(sorted(keys - self._keys))
            if not self.is_whole:
                return
            roots = {member.root_id or member.id for member in new} | self._read_plans(new)
            roots -= self._roots
            groups = {member.group_id for member in new if member.group_id} - self._groups
            if not roots and not groups:
                return

    def _find(self, column: str, texts: Iterable[str]) -> set[int]:
        """Find the keys of runs by an id; the index alone is read."""
        keys = set[int]()
        for part in _parts(sorted(texts)):
            sql = f"select key from run where {column} in ({_marks(part)}) limit ?"  # noqa: S608
            keys.update(row[0] for row in self._connection.execute(sql, (*part, self._limit + 1)))
            if len(keys) > self._limit:
                break
        return keys

    def _load(self, keys: Sequence[int]) -> list[Member]:
        room = self._limit - len(self.members)
        self.is_whole = len(keys) <= room
        names, new = self._names, list[Member]()
        for part in _parts(keys[:room]):
            sql = f"select {_COLUMNS} from run where key in ({_marks(part)})"  # noqa: S608
            for (
                key,
                id_,
                task,
                state,
                sent,
                started,
                finished,
                waited,
                ran,
                tries,
                root,
                parent,
                group,
                queue,
                verdict,
            ) in self._connection.execute(sql, part):
                new.append(
                    Member(
                        key, id_, names[task], STATES[state], sent, started, finished, waited, ran, tries, root, parent,
                        group, names[queue], verdict,
                    )
                )  # fmt: skip
        self._keys.update(keys)
        self.members += new
        return new

    def _read_plans(self, members: Sequence[Member]) -> set[str]:
        """Read what follows runs, and return the ids in it; members of one chord tell the same, which is read once."""
        ids, texts = set[str](), self._texts
        by_key = {member.key: member.id for member in members} if self._has_plans else {}
        for part in _parts(list(by_key)):
            sql = f"select key, ahead from canvas where key in ({_marks(part)})"  # noqa: S608
            for key, text in self._connection.execute(sql, part):
                if text not in texts:
                    texts[text] = decode_plan(text)
                    ids |= {step.id for step in walk_plan(texts[text]) if step.id and step.kind == "task"}
                self.plans[by_key[key]] = texts[text]
        return ids


class _Names(dict[int | None, str | None]):
    """Names by their number, each read once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__({None: None})
        self._connection = connection

    def __missing__(self, number: int | None) -> str | None:
        row = self._connection.execute("select text from name where id = ?", (number,)).fetchone()
        self[number] = row[0] if row else None
        return self[number]


def _errors(connection: sqlite3.Connection, members: Sequence[Member]) -> dict[str, str]:
    failed = {member.key: member.id for member in members if member.state == "FAILURE"}
    found: dict[str, str] = {}
    for part in _parts(list(failed)):
        sql = f"select key, error from ending where error is not null and key in ({_marks(part)})"  # noqa: S608
        found |= {failed[key]: error for key, error in connection.execute(sql, part)}
    return found


def _parts(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[start : start + _PART] for start in range(0, len(items), _PART))


def _marks(part: Sequence[object]) -> str:
    return ", ".join("?" * len(part))
