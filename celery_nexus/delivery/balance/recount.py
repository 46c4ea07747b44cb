"""The balance sheet: what was submitted must be somewhere.

Three sources that know nothing of each other: counters that are raised in the same step as a message is pushed or
taken, the lists and sets in Redis, and the history. Redis is read in one transaction; the history once the recorder
has read what was in the event stream by then. What it has read beyond that is taken off: an event that came into the
stream later, and happened later. So the sheet adds up under load, and whatever a clock says.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from celery_nexus.rows.diagnosis.balance import Balance

if TYPE_CHECKING:
    from celery_nexus.delivery.balance.ledger import Ledger


@dataclass(frozen=True)
class Recorded:
    """What the history knows at one instant.

    Attributes:
        cursor: Id of the last entry of the event stream that it has read.
        ended: How many runs are in each final state, of those that ended since the broker counts.
        repeats: By id, when a run was submitted again since then, and 1 or 0: whether that was counted.
        states: Of the runs that were asked for and of those submitted again, as far as they are known.
    """

    cursor: str
    ended: Mapping[str, int]
    repeats: Mapping[str, Sequence[tuple[float, int]]]
    states: Mapping[str, str]


@dataclass(frozen=True)
class Later:
    """What came into the event stream after Redis was read, and happened after it.

    Attributes:
        ended: The runs that ended, with their final states.
        submitted: Ids of those that were submitted, or adopted, with the time of it.
    """

    ended: Mapping[str, str]
    submitted: frozenset[tuple[str, float]] = frozenset()


class Ends(Protocol):
    """The history; :class:`celery_nexus.diagnosis.past.Past` is one."""

    def read_recorded(self, since: float, run_ids: Iterable[str]) -> Recorded:
        """Tell, at one instant, what has ended and what was submitted again since the broker counts."""
        ...


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


def complete(
    held: Held, recorded: Recorded, later: Later, copies: Callable[[Sequence[str]], Mapping[str, int]]
) -> Balance:
    """Add what the history knows.

    Args:
        held: What Redis held.
        recorded: What the history knows, with the states of ``held.letters`` and ``held.redelivered``.
        later: What of that happened after Redis was read.
        copies: Counts the messages of runs in Redis, dead letters not among them.
    """
    sheet = held.balance
    ends = {
        run_id: state
        for run_id, state in recorded.states.items()
        if state in recorded.ended and run_id not in later.ended
    }
    after = Counter(later.ended.values())
    ended = {state: count - after[state] for state, count in recorded.ended.items()}
    repeated = _repeated_before(recorded, later)
    letters = {run_id for run_id in held.letters if run_id not in repeated}
    again = sum(run_id in ends for run_id in held.redelivered if run_id not in repeated)
    messages = Counter(dict(copies(tuple(repeated)))) + Counter(held.letters)
    for run_id in repeated:  # the history has one end for all messages of this id
        again += max(0, messages[run_id] - (run_id not in ends))
    return replace(
        sheet,
        succeeded=ended["SUCCESS"],
        failed=ended["FAILURE"] - sum(ends.get(run_id) == "FAILURE" for run_id in letters),
        revoked=ended["REVOKED"] - sheet.deleted_ended,
        repeated=sum(repeated.values()),
        again=again,
    )


def _repeated_before(recorded: Recorded, later: Later) -> dict[str, int]:
    """Tell which ids had been submitted again when Redis was read, and how many of these submissions were counted."""
    found: dict[str, int] = {}
    for run_id, times in recorded.repeats.items():
        before = [counted for at, counted in times if (run_id, at) not in later.submitted]
        if before:
            found[run_id] = sum(before)
    return found


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
        sheet = _recount(ledger, held, past)
        if (has_caught_up and sheet.missing == 0) or time.monotonic() >= end:
            return sheet, has_caught_up
        pause_s = min(1.0, pause_s + 0.5)


def _recount(ledger: Ledger, held: Held, past: Ends) -> Balance:
    at = held.balance.at.timestamp()
    since = at if held.balance.since is None else held.balance.since.timestamp()
    recorded = past.read_recorded(since, {*held.letters, *held.redelivered})
    later = ledger.read_later(held.latest_event, recorded.cursor, at)
    return complete(held, recorded, later, ledger.copies)


def wait_for(ledger: Ledger, cursor: Callable[[], str], patience_s: float) -> bool:
    """Wait until everything in the event stream is recorded; False when it is not, after so many seconds."""
    end = time.monotonic() + patience_s
    latest = order_of(ledger.latest_event())
    while order_of(cursor()) < latest:
        if time.monotonic() >= end:
            return False
        time.sleep(0.1)
    return True


def order_of(entry_id: str) -> tuple[int, int]:
    """Tell the place of an entry in the event stream from its id."""
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
