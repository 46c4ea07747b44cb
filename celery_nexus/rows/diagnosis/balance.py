"""Row of the balance sheet."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MOST_OPEN = 1000
"""Most open runs that are looked for on the broker, the oldest first."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended, as far as the history knows: its id, task, and last known state."""

    id: str
    task: str
    state: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where everything that was submitted is; see :class:`.delivery.balance.recount.Balance` for each figure.

    Attributes:
        missing: What was accepted less what is accounted for; 0 when the sheet adds up.
        since: When counting began; None when reliable delivery never counted anything.
        at: When the broker was read.
        is_recorded: Whether the history had caught up with the event stream.
        recorded_until: When the recorder last had everything; None when there never was one.
        gaps: Parts of the event stream that were never recorded.
        older: Runs from before counting began that have not ended and whose message is nowhere, of
            :data:`MOST_OPEN`.
        nowhere: The first of the runs that are missing, then of the older ones.
    """

    submitted: int
    adopted: int
    foreign: int
    succeeded: int
    failed: int
    revoked: int
    dead: int
    deleted: int
    waiting: int
    in_flight: int
    delayed: int
    repeated: int
    again: int
    uncounted: int
    missing: int
    since: datetime | None
    at: datetime
    is_recorded: bool
    recorded_until: datetime | None
    gaps: int
    older: int = 0
    nowhere: tuple[OpenRun, ...] = ()

    @property
    def adds_up(self) -> bool:
        """Whether everything is accounted for, with a history that is complete."""
        return self.missing == 0 and self.older == 0 and self.is_recorded
