"""Row of a stuck chord."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StuckChord:
    """A chord whose body was not called although nothing of it is left to run.

    Attributes:
        group: Its group id.
        task: Task of its body.
        body_id: Run id of its body; empty when it has none.
        members: How many parts it waits for; None when its counters are gone.
        counted: Parts that were counted.
        reason: Why it can't end.
    """

    group: str
    task: str
    body_id: str
    members: int | None
    counted: int
    reason: str
