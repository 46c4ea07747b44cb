"""The balance sheet: what was submitted must be somewhere.

Three sources that know nothing of each other: counters that are raised in the same step as a message is pushed or
taken, the lists and sets in Redis, and the history. Redis is read in one transaction; of the history those ends
count that came before it, once the recorder has caught up. So the sheet adds up under load, too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from celery_nexus.delivery.balance.ledger import Ledger

CLOCKS_S = 1.0
"""Clocks of broker and publishers may differ by so much."""


class Ends(Protocol):
    """What the history knows; :class:`celery_nexus.diagnosis.past.Past` is one."""

    def ended(self, since: float, until: float) -> dict[str, int]:
        """Count the runs that ended in each final state between two times."""
        ...

    def repeated(self, since: float, until: float) -> dict[str, int]:
        """Tell which ids were submitted again between two times, and how many of these submissions were counted."""
        ...

    def states(self, run_ids: Iterable[str]) -> dict[str, str]:
        """Return the states of these runs, as far as they are known."""
        ...


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
        since: When counting began, in seconds since the epoch; None when nothing was ever counted.
        at: When Redis was read, by its clock.
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
    since: float | None = None
    at: float = 0.0

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


@dataclass(frozen=True)
class Held:
    """What Redis held at one instant.

    Attributes:
        balance: The sheet, without what only the history knows.
        letters: Run ids of counted dead letters, of each letter.
        redelivered: Run ids of messages that a worker holds or held.
        latest_event: Id of the last entry of the event stream.
    """

    balance: Balance
    letters: tuple[str, ...]
    redelivered: tuple[str, ...]
    latest_event: str


def complete(held: Held, past: Ends, copies: Callable[[Sequence[str]], Mapping[str, int]]) -> Balance:
    """Add what the history knows.

    Args:
        held: What Redis held.
        past: The history.
        copies: Counts the messages of runs in Redis, dead letters not among them.
    """
    sheet = held.balance
    since = sheet.at if sheet.since is None else sheet.since - CLOCKS_S
    ended = past.ended(since, sheet.at)
    repeated = past.repeated(since, sheet.at)
    states = past.states({*held.letters, *held.redelivered, *repeated})
    letters = {run_id for run_id in held.letters if run_id not in repeated}
    again = sum(states.get(run_id) in ended for run_id in held.redelivered if run_id not in repeated)
    messages = Counter(dict(copies(tuple(repeated)))) + Counter(held.letters)
    for run_id in repeated:  # the history has one end for all messages of this id
        again += max(0, messages[run_id] - (states.get(run_id) not in ended))
    return replace(
        sheet,
        succeeded=ended["SUCCESS"],
        failed=ended["FAILURE"] - sum(states.get(run_id) == "FAILURE" for run_id in letters),
        revoked=ended["REVOKED"] - sheet.deleted_ended,
        repeated=sum(repeated.values()),
        again=again,
    )


def take(ledger: Ledger, past: Ends, cursor: Callable[[], str], *, patience_s: float = 10.0) -> tuple[Balance, bool]:
    """Take the sheet, several times while it does not add up.

    Args:
        ledger: The Redis side.
        past: The history.
        cursor: Tells the id of the last event that was recorded.
        patience_s: How long to wait for a recorder that is behind, and for what is on its way.

    Returns:
        The sheet, and whether the recorder had caught up with it.

    Raises:
        RedisError: The broker does not answer.
    """
    end = time.monotonic() + patience_s
    pause_s = 0.0
    while True:
        held = ledger.read()
        time.sleep(pause_s)  # workers write events once in each round of their loop
        has_caught_up = wait_for(ledger, cursor, end - time.monotonic())
        sheet = complete(held, past, ledger.copies)
        if (has_caught_up and sheet.missing == 0) or time.monotonic() >= end:
            return sheet, has_caught_up
        pause_s = min(1.0, pause_s + 0.5)


def wait_for(ledger: Ledger, cursor: Callable[[], str], patience_s: float) -> bool:
    """Wait until everything in the event stream is recorded; False when it is not, after so many seconds."""
    end = time.monotonic() + patience_s
    latest = _order(ledger.latest_event())
    while _order(cursor()) < latest:
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)
    return True


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
