"""Rows of the audit log: one change by an operator each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from celery_nexus.queues import PRIORITIES
from celery_nexus.rows.outcomes import TargetOutcome


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One change by an operator.

    Attributes:
        id: Its place in the audit stream.
        at: When (aware, UTC).
        user: Login name.
        origin: Where the operator sat: ``192.0.2.7 (ssh)``, or the host's name.
        action: The action's label: ``Revoke``.
        command: The command line that does the same.
        done: Whether every target was changed.
        message: What happened, in one line.
        targets: What happened to each target; the first hundred.
        count: Number of targets.
        undo: Token that undoes it; empty when nothing can.
        via: The program that made it for the user, as it names itself; empty for dashboard and command line.
    """

    id: str
    at: datetime
    user: str
    origin: str
    action: str
    command: str
    done: bool
    message: str
    targets: tuple[TargetOutcome, ...] = ()
    count: int = 0
    undo: str = ""
    via: str = ""


@dataclass(frozen=True, slots=True)
class Undoable:
    """A change that can be taken back.

    Attributes:
        token: Names it.
        at: When it was made (aware, UTC).
        kind: ``messages``, ``purge``, ``pause``, ``resume`` or ``dead letters``.
        label: What was done, in words.
        queue: The queue of a purge, pause or resume.
        expires_at: Until when it can be taken back (aware, UTC).
        steps: Priorities that had a list of their own.
    """

    token: str
    at: datetime
    kind: str
    label: str
    queue: str
    expires_at: datetime
    steps: tuple[int, ...] = tuple(PRIORITIES)


@dataclass(frozen=True, slots=True)
class Kept:
    """What the trash keeps of a change.

    Attributes:
        messages: How many.
        size_bytes: What they take of the broker's memory, about; None when it does not say.
    """

    messages: int
    size_bytes: int | None


@dataclass(frozen=True, slots=True)
class Restored:
    """What taking a change back did.

    Attributes:
        back: Messages that are back.
        started: Those that had started meanwhile.
        problem: Why it ended early; empty when it did not.
    """

    back: int
    started: int = 0
    problem: str = ""
