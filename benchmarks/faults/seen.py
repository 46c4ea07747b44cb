"""What a fault did, and how much of a fault there is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.faults.stack import Stack, wait_until

SEED = 20_261


@dataclass(frozen=True)
class Seen:
    """What one fault did.

    Attributes:
        published: Runs that were accepted.
        done: Of these, how many ran to their end.
        stuck: Messages that are still somewhere at the end.
        twice: Runs that were started more than once.
        exits: Worker processes that ended by themselves or were killed.
        recovery_s: Seconds until work went on; None where that makes no sense.
        holds: Whether the promise was kept.
        note: What else is worth knowing.
        unbalanced: What the balance sheet misses at the end (0: it adds up); None for stock, which counts nothing.
    """

    published: int
    done: int
    stuck: int
    twice: int
    exits: int
    recovery_s: float | None
    holds: bool
    note: str = ""
    unbalanced: int | None = None

    @property
    def lost(self) -> int:
        """Runs that never ran to their end, and whose message is nowhere."""
        return max(0, self.published - self.done - self.stuck)

    @property
    def told(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self) | {"lost": self.lost}


@dataclass(frozen=True)
class Scale:
    """How much of a fault: the short form runs on every change, the long one before a release."""

    runs: int
    kills: int
    frozen_s: float
    rounds: int
    settle_s: float


SHORT = Scale(runs=200, kills=3, frozen_s=2, rounds=2, settle_s=30)
LONG = Scale(runs=10_000, kills=60, frozen_s=20, rounds=100, settle_s=90)


def seen(
    stack: Stack,
    published: int,
    recovery_s: float | None,
    note: str = "",
    *,
    also: bool = True,
    done: int | None = None,
    slack: int = 0,
) -> Seen:
    """Sum up what a stack shows at the end.

    Args:
        stack: Where it happened; everything that will end has ended.
        published: Runs that were accepted.
        recovery_s: Seconds until work went on.
        note: What else is worth knowing.
        also: Whether what is special about this fault went well.
        done: Runs that ended as they should; None for those that left a trace of their end.
        slack: How much the sheet may be off: a killed broker forgets its last second, the history does not.
    """
    wait_until(lambda: stack.held() == 0, 5)
    if done is None:
        done = sum(1 for name in stack.counts("done") if name.startswith("r"))
    twice = sum(1 for name, count in stack.counts("started").items() if count > 1 and name.startswith("r"))
    stuck = stack.held()
    sheet = stack.balance()
    unbalanced = None if sheet is None else sheet.missing
    holds = done == published and stuck == 0 and also and abs(unbalanced or 0) <= slack
    return Seen(published, done, stuck, twice, len(stack.exits), recovery_s, holds, note, unbalanced)
