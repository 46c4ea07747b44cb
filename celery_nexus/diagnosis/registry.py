"""The registry of the doctor: every check, and every kind of finding that there can be."""

from __future__ import annotations

from collections.abc import Callable

from celery_nexus.diagnosis import schedule_checks
from celery_nexus.diagnosis.checks import delivery, own_stack, server, storage, traffic, versions
from celery_nexus.diagnosis.evidence import Evidence
from celery_nexus.diagnosis.kind import Kind
from celery_nexus.rows.diagnosis.findings import Finding


def take_stack(evidence: Evidence) -> list[Finding]:
    """Take what was found of a stack of ours: it was examined where it was read."""
    return list(evidence.of_the_stack)


def take_schedule(evidence: Evidence) -> list[Finding]:
    """Take what was found of the schedule: it was examined where it was read."""
    return list(evidence.schedule)


Check = Callable[[Evidence], list[Finding]]

CHECKS: tuple[Check, ...] = (
    *traffic.CHECKS,
    *server.CHECKS,
    *delivery.CHECKS,
    *versions.CHECKS,
    *storage.CHECKS,
    take_stack,
    take_schedule,
)
"""Every check: small functions, which read nothing but the evidence."""

KINDS: tuple[Kind, ...] = (
    *traffic.KINDS,
    *server.KINDS,
    *delivery.KINDS,
    *versions.KINDS,
    *storage.KINDS,
    *own_stack.KINDS,
    *schedule_checks.KINDS,
)
"""Every kind of finding, each once."""


def judge_evidence(evidence: Evidence) -> tuple[Finding, ...]:
    """Run every check; the worst finding comes first, those of one severity in the order of the checks."""
    found = [finding for check in CHECKS for finding in check(evidence)]
    return tuple(sorted(found, key=lambda finding: finding.weight))
