"""Findings: what is wrong, how it is known, what comes of it, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["well", "warning", "broken"]

SEVERITIES: tuple[Severity, ...] = ("broken", "warning", "well")
"""Worst first."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        kind: Its name in the table of findings (``docs/findings.md``): ``deaf``, ``eviction`` …
        severity: ``well``, ``warning`` (works, and will hurt) or ``broken`` (work stands still or is lost).
        about: What the subject is: ``worker``, ``queue``, ``broker``, ``application``, ``history``, ``host`` or
            ``program``.
        subject: Its name.
        proof: What was seen, in words and numbers.
        consequence: What comes of it when nothing is done; empty when it is well.
        fix: The one command that mends it; empty when it is well, or nothing can be done from here.
        is_safe: Whether ``doctor --fix`` may carry it out after asking.
    """

    kind: str
    severity: Severity
    about: str
    subject: str
    proof: str
    consequence: str = ""
    fix: str = ""
    is_safe: bool = False

    @property
    def is_well(self) -> bool:
        """Whether it is as it should be."""
        return self.severity == "well"

    @property
    def weight(self) -> int:
        """Place of its severity, 0 for the worst."""
        return SEVERITIES.index(self.severity)
