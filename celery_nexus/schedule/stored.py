"""An entry as its store keeps it, and what every store of entries can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from celery_nexus.rows.schedule import Beat

CONDITION = "only_if_due"
"""Option of an entry of ours: a due time passes without a run when there is nothing to do."""

NAME_HEADER = "periodic_task_name"
"""Header of a message that names the entry it was sent for, as django-celery-beat writes it."""

DUE_HEADER = "nexus_due_at"
"""Header of a message that was published for a due time of the past: that time, ISO 8601."""


@dataclass(frozen=True)
class StoredEntry:
    """One entry. Times are aware.

    Attributes:
        name: Its name in the schedule.
        task: Name of its task.
        when: Its schedule, one of Celery's objects; None when it can't be made into one.
        args: Positional arguments, as they are sent.
        kwargs: Keyword arguments, as they are sent.
        options: Options of its message: queue, priority, expires, headers …
        is_enabled: Whether beat sends it.
        last_at: When beat last sent it, or, with no ``runs``, from when its due times are counted; a time to come
            was skipped.
        runs: How often, as the store says.
        spec: Its times in words, where ``when`` is None.
        next_at: When it is due, where the store says it.
        not_before: Nothing is sent before this time.
        ends_at: Nothing is sent after this time.
        is_one_off: Whether it is sent once.
        problem: What is wrong with it; empty when nothing is.
        unsendable: Why no run can be made of it; empty when one can, though its schedule may be broken.
        handle: The store's own name for it.
    """

    name: str
    task: str
    when: Any = None
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_enabled: bool = True
    last_at: datetime | None = None
    runs: int | None = None
    spec: str = ""
    next_at: datetime | None = None
    not_before: datetime | None = None
    ends_at: datetime | None = None
    is_one_off: bool = False
    problem: str = ""
    unsendable: str = ""
    handle: Any = None


@dataclass(frozen=True)
class StoredPage:
    """Some entries of a store.

    Attributes:
        entries: At most as many as were asked for; what is due first comes first where the store knows that.
        total: How many the store has.
        problem: What could not be read; empty when all was.
    """

    entries: Sequence[StoredEntry] = ()
    total: int = 0
    problem: str = ""


class EntryStore(Protocol):
    """What keeps entries: settings, Redis, a database.

    Attributes:
        source: What people call it.
        notes_late_s: A run is noted so long after it was sent: who judges by the note must wait that long.
    """

    source: str
    notes_late_s: float

    def page(self, limit: int) -> StoredPage:
        """Read entries; what can't be read is told in the page, and raises nothing."""
        ...

    def find(self, name: str) -> StoredEntry | None:
        """Read the entry of that name; None when there is none.

        Raises:
            SourceError: It can't be read.
        """
        ...

    def names(self, limit: int) -> Sequence[str]:
        """Name entries, for who mistyped one."""
        ...

    def obstacle(self, name: str, change: str) -> str:
        """Say why an entry can't be changed, and what one can do instead; empty when it can.

        Args:
            name: The entry.
            change: As a participle: ``paused``, ``resumed``, ``skipped``.
        """
        ...

    def set_enabled(self, entry: StoredEntry, now: datetime, *, is_enabled: bool) -> str:
        """Let beat send it or not, and say what was done. What is enabled again counts from now.

        Raises:
            Refused: Its definition can't be read.
            NotFound: It is no longer there.
        """
        ...

    def skip(self, entry: StoredEntry, due_at: datetime, then_at: datetime | None) -> None:
        """Let one due time pass without a run.

        Args:
            entry: The entry.
            due_at: The time that passes.
            then_at: The due time after it; None when there is none.
        """
        ...

    def beat(self, now: datetime) -> Beat | None:
        """Say whether its beat is at work; None when it keeps no sign of that."""
        ...
