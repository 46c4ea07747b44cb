"""Kinds of findings: what each means, what comes of it, and what is done about it, declared once."""

from __future__ import annotations

from dataclasses import dataclass

from celery_nexus.rows.diagnosis.findings import Finding, Severity


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding; the page ``docs/findings.md`` is written from these.

    Attributes:
        name: One or two words, the same everywhere.
        about: What it is found on: ``worker``, ``queue``, ``broker`` …
        severity: How bad it is, unless a finding says otherwise.
        meaning: What is seen, in one sentence.
        consequence: What comes of it when nothing is done.
        advice: What mends it, in one sentence; a finding has the command.
        is_safe: Whether ``doctor --fix`` may carry the command out after asking.
    """

    name: str
    about: str
    severity: Severity
    meaning: str
    consequence: str
    advice: str
    is_safe: bool = False

    def make(self, subject: str, proof: str, fix: str = "", *, severity: Severity | None = None) -> Finding:
        """Make a finding of this kind.

        Args:
            subject: Name of what it is found on.
            proof: What was seen.
            fix: The one command; empty when nothing can be done from here.
            severity: How bad it is this time; None: as the kind says.
        """
        return Finding(
            self.name,
            severity or self.severity,
            self.about,
            subject,
            proof,
            self.consequence,
            fix,
            self.is_safe and bool(fix),
        )

    def make_well(self, subject: str, proof: str) -> Finding:
        """Say that this was looked at and is as it should be."""
        return Finding(self.name, "well", self.about, subject, proof)
