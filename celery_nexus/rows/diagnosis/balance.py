"""Rows of the balance sheet: what was submitted, and where it is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

EPOCH = datetime.fromtimestamp(0, UTC)

MOST_OPEN = 1000
"""Most open runs that are looked for on the broker, the oldest first."""


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended, as far as the history knows: its id, task, and last known state."""

    id: str
    task: str
    state: str


@dataclass(frozen=True, slots=True)
class Balance:
    """Where everything that was submitted is.

    Attributes:
        submitted: Messages that start a run, counted at publish by our transport.
        adopted: Messages of other producers, counted when a worker first took them.
        foreign: Messages of other producers that wait and were never taken.
        succeeded: Runs in the history that succeeded.
        failed: Runs in the history that failed, dead letters not among them.
        revoked: Runs in the history that were revoked or had expired.
        dead: Dead letters of messages that were counted.
        deleted: Waiting messages that an operator deleted or purged.
        waiting: Messages in the queues' lists.
        in_flight: Messages that workers hold.
        delayed: Messages before their time.
        repeated: Submissions under an id that had been submitted before: the history has one run for all of them.
        again: Of the messages in Redis, those whose run the history has seen end: they are about to be
            acknowledged, or run again because their worker died before it could do so; and further messages of an
            id that was submitted several times.
        deleted_ended: Deleted messages whose run is in the history as revoked: ``revoked`` is without them.
        uncounted: Dead letters of messages that were never counted (no run can be made of them): outside the sum.
        since: When counting began (aware); None when nothing was ever counted.
        at: When Redis was read, by its clock (aware).
    """

    submitted: int = 0
    adopted: int = 0
    foreign: int = 0
    succeeded: int = 0
    failed: int = 0
    revoked: int = 0
    dead: int = 0
    deleted: int = 0
    waiting: int = 0
    in_flight: int = 0
    delayed: int = 0
    repeated: int = 0
    again: int = 0
    uncounted: int = 0
    deleted_ended: int = 0
    since: datetime | None = None
    at: datetime = EPOCH

    @property
    def accepted(self) -> int:
        """The left side of the sheet."""
        return self.submitted + self.adopted + self.foreign

    @property
    def accounted_for(self) -> int:
        """The right side of the sheet."""
        ended = self.succeeded + self.failed + self.revoked + self.repeated + self.dead + self.deleted
        return ended + self.waiting + self.in_flight + self.delayed - self.again

    @property
    def missing(self) -> int:
        """Accepted and nowhere; negative when more is accounted for than was accepted."""
        return self.accepted - self.accounted_for


@dataclass(frozen=True, slots=True)
class BalanceSheet(Balance):
    """A balance, and how far it can be trusted.

    Attributes:
        is_recorded: Whether the history had caught up with the event stream.
        recorded_until: When the recorder last had everything; None when there never was one.
        gaps: Parts of the event stream that were never recorded.
        older: Runs from before counting began that have not ended and whose message is nowhere, of
            :data:`MOST_OPEN`.
        nowhere: The first of the runs that are missing, then of the older ones.
    """

    is_recorded: bool = False
    recorded_until: datetime | None = None
    gaps: int = 0
    older: int = 0
    nowhere: tuple[OpenRun, ...] = ()

    @property
    def adds_up(self) -> bool:
        """Whether everything is accounted for, with a history that is complete."""
        return self.missing == 0 and self.older == 0 and self.is_recorded
