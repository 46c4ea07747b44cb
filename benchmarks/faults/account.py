"""The account of a long run of kills: which kill explains each repeated start, and how soon it came."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.faults.tally import Repeat

DYING_S = 1.0
"""A child learns of its parent's death a moment later, on a busy machine, and may begin another run until then."""

ANSWER_S = 1.0
"""A run that has ended is acknowledged a moment later; until then it is in flight."""

FORGOTTEN_S = 2.0
"""A broker that is killed may forget its last moments: acknowledgements, too, and what was published in them."""

BROKERS = frozenset({"broker", "everything", "interruption"})
"""Kills that hit the broker, too."""


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        number: Its place in the sequence; -1 for an interruption of the harness.
        kind: What was killed.
        pids: Processes that it ended; empty for an interruption, which ended all there were.
        since: When it began, in seconds since the epoch.
        until: When it was over.
    """

    number: int
    kind: str
    pids: frozenset[int]
    since: float
    until: float

    def explains(self, repeat: Repeat) -> bool:
        """Tell whether the run was in flight in a process that this kill ended."""
        before = repeat.before
        is_hit = self.kind == "interruption" or bool({before.child, before.worker} & self.pids)
        was_running = before.started_at <= self.until + DYING_S and self.since <= repeat.again.started_at
        had_ended = 0 < before.ended_at < self.since - ANSWER_S
        return is_hit and was_running and not had_ended

    def made_forget(self, repeat: Repeat) -> bool:
        """Tell whether the broker may have forgotten that the run had ended."""
        return self.may_have_erased(repeat.before.ended_at) and self.until <= repeat.again.started_at

    def may_have_erased(self, at: float) -> bool:
        """Tell whether the broker may have forgotten what it was told at this time."""
        return self.kind in BROKERS and self.since - FORGOTTEN_S <= at <= self.until


@dataclass(frozen=True)
class Account:
    """Repeated starts, accounted for.

    Attributes:
        in_flight: Starts of runs that were in flight at a kill.
        forgotten: Starts of runs whose end a killed broker had forgotten.
        unexplained: Starts that no kill explains.
        rescues: Seconds from a kill to the next start of what was in flight, by what was killed.
    """

    in_flight: int
    forgotten: int
    unexplained: tuple[Repeat, ...]
    rescues: dict[str, list[float]]

    @classmethod
    def of(cls, repeats: Iterable[Repeat], kills: Sequence[Kill]) -> Account:
        """Look for the kill of each repeated start."""
        rescues: dict[str, list[float]] = {}
        found: Counter[str] = Counter()
        unexplained: list[Repeat] = []
        for repeat in repeats:
            kill = next((kill for kill in kills if kill.explains(repeat)), None)
            if kill is not None:
                found["in flight"] += 1
                waited = repeat.again.started_at - max(repeat.before.started_at, kill.since)
                rescues.setdefault(kill.kind, []).append(waited)
            elif any(kill.made_forget(repeat) for kill in kills):
                found["forgotten"] += 1
            else:
                unexplained.append(repeat)
        return cls(found["in flight"], found["forgotten"], tuple(unexplained), rescues)

    def rescue(self, share: float) -> float:
        """Return a quantile of the rescues after all kills but interruptions, in seconds; 0 without any."""
        return quantile([s for kind, values in self.rescues.items() if kind != "interruption" for s in values], share)


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest of the values that so large a share of them does not exceed; 0 for none."""
    return sorted(values)[math.ceil(share * len(values)) - 1] if values else 0.0


RESCUE_LIMIT_S = 5.0


@dataclass(frozen=True)
class Verdict:
    """What a long run of kills came to.

    Attributes:
        pool: Pool of the workers.
        seed: Of the kills.
        published: Runs that were accepted.
        done: Of these, how many ran to their end.
        stuck: Messages that are still somewhere at the end.
        lost: Runs that never ran to their end, beyond those and the next.
        erased: Runs that a killed broker had accepted in its last moments, and forgot.
        twice: Repeated starts of runs that were in flight at a kill.
        forgotten: Repeated starts of runs whose end a killed broker forgot.
        unexplained: Repeated starts that nothing explains.
        kills: How many of each kind.
        rescue_p99_by_kind: Seconds within which 99 % of the rescues after a kill of this kind came.
        rescue_p50_s: Half of the rescues were this fast; see the next two as well.
        rescue_p99_s: 99 % of them.
        rescue_max_s: All of them.
        interruptions: How often the harness itself was stopped, and went on.
        unbalanced: What the balance sheet misses at the end; None before that.
    """

    pool: str
    seed: int
    published: int
    done: int
    stuck: int
    lost: int
    erased: int
    twice: int
    forgotten: int
    unexplained: int
    kills: dict[str, int]
    rescue_p99_by_kind: dict[str, float]
    rescue_p50_s: float
    rescue_p99_s: float
    rescue_max_s: float
    interruptions: int
    unbalanced: int | None

    @property
    def holds(self) -> bool:
        """Whether the promise was kept."""
        return not (self.lost or self.stuck or self.unexplained) and self.rescue_p99_s <= RESCUE_LIMIT_S

    @property
    def told(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self) | {"holds": self.holds}

    def __str__(self) -> str:
        """One line for people."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.kills.items()))
        slowest = ", ".join(f"{kind} {seconds:.1f} s" for kind, seconds in sorted(self.rescue_p99_by_kind.items()))
        missing = f"; sheet off by {self.unbalanced}" if self.unbalanced else "; sheet adds up"
        return (
            f"kills, long form ({self.pool}, seed {self.seed}): {'holds' if self.holds else 'BROKEN'}: "
            f"{self.published:,} runs, {sum(self.kills.values())} kills ({kinds}): {self.lost} lost, {self.stuck} "
            f"stuck, {self.twice} starts again of what was in flight at a kill; of what a killed broker forgot "
            f"{self.forgotten} starts again and {self.erased} that never started; {self.unexplained} unexplained; "
            f"rescue p50 {self.rescue_p50_s:.1f} s, p99 {self.rescue_p99_s:.1f} s ({slowest}), longest "
            f"{self.rescue_max_s:.1f} s; interrupted {self.interruptions} times"
            f"{'' if self.unbalanced is None else missing}"
        )
