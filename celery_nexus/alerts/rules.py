"""Alert rules: what is looked at, when it is raised and cleared, and who is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from celery_nexus.rows.alerts import AlertSeverity

WINDOW_S = 600
"""Length of the window over which failures are counted, unless a rule says otherwise."""

LEAST_RUNS = 20
"""Ended runs in a window below which a share of failures says nothing."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Attributes:
        name: Its name.
        kind: Name of its kind, one of :data:`~celery_nexus.alerts.kinds.KINDS`.
        above: It is raised when the value is greater; None: as the queue declares, else as the kind says.
        clears: It is cleared when the value is no greater; None: four fifths of ``above``.
        for_s: For how long the value has to be too great before it is raised.
        severity: How bad it is.
        queues: Patterns of queues that it is about; empty for all.
        tasks: Patterns of tasks that it is about; empty for all.
        channels: Names of the channels that are told; None for all.
        over_s: Length of the window over which failures are counted.
        least: Ended runs in it below which nothing is concluded.
        is_on: Whether it is looked at.
    """

    name: str
    kind: str
    above: float | None = None
    clears: float | None = None
    for_s: float = 0.0
    severity: AlertSeverity = "warning"
    queues: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    channels: tuple[str, ...] | None = None
    over_s: int = WINDOW_S
    least: int = LEAST_RUNS
    is_on: bool = True

    def wants_queue(self, name: str) -> bool:
        """Tell whether it is about a queue."""
        return _matches(name, self.queues)

    def wants_task(self, name: str) -> bool:
        """Tell whether it is about a task."""
        return _matches(name, self.tasks)


DEFAULTS: tuple[Rule, ...] = (
    Rule("unreachable", "unreachable", for_s=30, severity="critical"),
    Rule("no-consumer", "no consumer", for_s=60, severity="critical"),
    Rule("deaf", "deaf", for_s=60, severity="critical"),
    Rule("depth", "depth", for_s=120),
    Rule("oldest", "oldest age", for_s=60),
    Rule("failures", "failure rate", for_s=0),
    Rule("slo-burn", "slo burn", for_s=60, severity="critical"),
    Rule("dead-letters", "dead letters"),
    Rule("beat-late", "beat late", for_s=60, severity="critical"),
    Rule("disk", "disk", for_s=60, severity="critical"),
    Rule("memory", "memory", for_s=120),
)
"""Rules that are there without a file; one of the same name in the file takes the place of each."""


def _matches(name: str, patterns: Sequence[str]) -> bool:
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
