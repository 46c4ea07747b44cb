"""The doctor: everything that is wrong with an application, as one list, the worst first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from celery_nexus.diagnosis.gather import gather
from celery_nexus.diagnosis.registry import judge_evidence
from celery_nexus.rows.diagnosis.findings import SEVERITIES, Finding, Severity
from celery_nexus.sources import Sources


def examine(sources: Sources) -> tuple[Finding, ...]:
    """Read the evidence and judge it; takes some seconds, and writes nothing but questions to workers.

    Raises:
        Unreachable: The broker does not answer.
    """
    return judge_evidence(gather(sources))


def complete_commands(sources: Sources, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Complete the commands of findings, so that they act on this broker wherever they are typed."""
    return tuple(replace(finding, fix=sources.address_command(finding.fix)) for finding in findings)


def find_worst(findings: Iterable[Finding]) -> Severity:
    """Find the worst severity; ``well`` of no finding."""
    return SEVERITIES[min((finding.weight for finding in findings), default=len(SEVERITIES) - 1)]
